"""The embedded engine: llama.cpp in one process per loaded model."""
