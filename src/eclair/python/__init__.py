"""Sandboxed Python: interpreters, sessions of conversations, and their workspaces."""
