"""Drawings: pictures put together from a book of small ones, by the words of a prompt and without any model."""
