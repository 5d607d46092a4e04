"""Small helpers that know nothing of Éclair."""
