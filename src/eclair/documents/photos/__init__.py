"""Photos in the reading process: opened in any format, prepared for a model that sees, described without one."""
