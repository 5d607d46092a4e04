"""Texts of compliance reports, a JSON file a language."""
