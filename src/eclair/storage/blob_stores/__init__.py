"""Places where blobs can be, and how they are written, encrypted, claimed and erased there."""
