"""Éclair's own API."""
