"""Whether what an answer says stands in the passages that it was given, and where."""
