"""Éclair: an AI assistant on hardware you own."""

__version__ = "0.1.0"
__all__ = ["__version__"]
