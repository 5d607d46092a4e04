"""What is kept: conversations, messages, the run log and blobs."""
