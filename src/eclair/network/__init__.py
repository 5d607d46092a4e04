"""What may leave the machine, and what is recorded of it."""
