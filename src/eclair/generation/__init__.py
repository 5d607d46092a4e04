"""Building blocks of every answer: prompt, sources, fallback, citation checks, usage."""
