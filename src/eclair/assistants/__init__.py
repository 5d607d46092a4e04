"""Assistants: instructions, model, tools and libraries under a name, to begin conversations with."""
