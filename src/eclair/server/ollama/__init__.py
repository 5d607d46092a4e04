"""Ollama's API: chat, generate, embeddings and models."""
