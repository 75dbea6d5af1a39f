"""report.html: what a run measured and made, as one page that explains itself."""
