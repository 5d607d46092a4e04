"""Stores in SQL that SQLite and PostgreSQL both take: one class a matter, over one database."""
