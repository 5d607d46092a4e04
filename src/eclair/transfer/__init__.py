"""Import and export: conversations out as files, and in from other programs."""
