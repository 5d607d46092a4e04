"""Speech: sound becomes text, and text becomes sound, in sandboxes; its parts come when wanted."""
