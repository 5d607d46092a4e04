"""Images generated from prompts, with or without source images, by several backends; and the gallery."""
