"""Models as files: catalog, downloads, quantization and what is installed."""
