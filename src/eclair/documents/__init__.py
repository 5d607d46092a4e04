"""Documents: read into pages, cut into chunks, found again, and cited."""
