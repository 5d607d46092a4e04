"""News feeds: fetched, parsed, stored and searched."""
