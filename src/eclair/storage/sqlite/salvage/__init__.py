"""Saves what can be read of a damaged database: reads its pages without SQLite, sorts rows, mends references."""
