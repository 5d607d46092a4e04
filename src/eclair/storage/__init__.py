"""Storage: the ports, their values, blobs and change feed."""
