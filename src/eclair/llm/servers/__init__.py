"""Model servers that people add: discovered, probed and stored."""
