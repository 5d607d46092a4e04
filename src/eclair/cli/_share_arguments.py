"""Arguments of the action `share`, for whatever people share. Nothing heavy is imported here."""

from __future__ import annotations

import argparse


def add_share_arguments(action: argparse.ArgumentParser) -> None:
    """Add with whom something is shared, and as what."""
    action.add_argument("subject", metavar="WITH", help="everyone, group:ID or person:ID")
    what = action.add_mutually_exclusive_group()
    what.add_argument("--edit", action="store_true", help="let them change it too")
    what.add_argument("--end", action="store_true", help="end the share")
