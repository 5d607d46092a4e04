"""MCP servers: real ones, and those with faults."""
