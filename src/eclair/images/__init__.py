"""Images generated from prompts, or from other images and a prompt, by several backends; and stored in a gallery."""
