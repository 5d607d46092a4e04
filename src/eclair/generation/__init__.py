"""The answer pipeline: prompt, sources, fallback, citation checks, usage."""
