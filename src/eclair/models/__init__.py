"""Models as files: catalog, downloads and what is installed."""
