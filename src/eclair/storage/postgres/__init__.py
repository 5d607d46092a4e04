"""The storage on PostgreSQL: connections, migrations, and processes that share one database from many machines."""
