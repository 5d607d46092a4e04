"""Rules of each language as data: one JSON file per language, and their loader."""
