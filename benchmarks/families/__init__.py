"""Language model and compact model at equal training time: `python -m benchmarks.families -h`."""
