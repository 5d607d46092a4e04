"""Model servers that a user adds: discovered, probed and stored."""
