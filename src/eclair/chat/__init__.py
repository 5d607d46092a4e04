"""A turn of a conversation, from the question to the stored run."""
