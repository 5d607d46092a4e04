"""Policy as a file: what administrators decide, declared in TOML and applied to the store."""
