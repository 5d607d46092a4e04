"""Detect the intent of a question from its words."""
