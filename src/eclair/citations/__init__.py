"""Check what an answer says against its passages: cite it, or doubt it."""
