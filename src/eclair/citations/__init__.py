"""Citations: each sentence of an answer held against its passages."""
