"""Image generation and editing, by several backends; and the gallery."""
