"""Photos: opened, described, and labeled with what they show."""
