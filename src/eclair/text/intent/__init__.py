"""The intent of a question, recognized from its words."""
