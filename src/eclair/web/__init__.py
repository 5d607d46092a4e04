"""Web search: providers, pages, feeds and research."""
