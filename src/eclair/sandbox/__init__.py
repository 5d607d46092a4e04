"""Bounded worker processes in which untrusted bytes are read."""
