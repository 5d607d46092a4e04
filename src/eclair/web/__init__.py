"""Web search: providers, pages and feeds."""
