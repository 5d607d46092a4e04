"""The embedded engine: llama.cpp, one process per loaded model."""
