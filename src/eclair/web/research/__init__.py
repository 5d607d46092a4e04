"""Reports on several questions: planned, searched and written section by section."""
