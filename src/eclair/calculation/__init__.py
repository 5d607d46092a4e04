"""Exact calculation with numbers, units and dates, for tools and programs; knows nothing of models."""
