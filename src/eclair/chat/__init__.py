"""Conversations: turns, runs, routing between models, titles and preferences."""
