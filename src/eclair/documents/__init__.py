"""Documents: ingested, read, chunked, embedded, searched and quoted."""
