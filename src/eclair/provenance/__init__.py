"""Provenance: marks that say that AI made something, and what a file says of its origin.

This module imports nothing, as the sandbox that reads untrusted files imports some of the package's modules.
"""
