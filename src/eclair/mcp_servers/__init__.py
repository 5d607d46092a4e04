"""MCP servers whose tools a model may call: set up, started, listed, and called."""
