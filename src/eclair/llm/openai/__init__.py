"""Engines behind an OpenAI-compatible API."""
