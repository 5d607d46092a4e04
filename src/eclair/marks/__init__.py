"""Marks that say that a model made something."""

from eclair.marks.marking import Marks
from eclair.marks.values import Credentials, Form, How, Made, Metadata, Report, Watermark

__all__ = ["Credentials", "Form", "How", "Made", "Marks", "Metadata", "Report", "Watermark"]
