"""The command line by `python -m genrecall`, as launchers of several processes start it."""

from genrecall.cli.app import main

if __name__ == "__main__":
    main()
