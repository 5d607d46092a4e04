"""Storage on SQLite: one class a matter, each with its SQL, over one database file."""
