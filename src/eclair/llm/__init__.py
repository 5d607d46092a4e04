"""Whatever writes the answers."""
