"""Storage on SQLite: one class per matter, with its SQL, over one database."""
