"""Web pages: fetched within robots.txt and read as articles."""
