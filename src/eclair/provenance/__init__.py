"""Provenance: marks that say AI made an image, and reading them.

This module imports nothing, as the sandbox that reads untrusted files imports some of the package's modules.
"""
