"""Arguments of the action `files`, for whatever has files of its own. Nothing heavy is imported here."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_file_arguments(action: argparse.ArgumentParser) -> None:
    """Add what is listed, added or removed."""
    action.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print it as JSON")
    changes = action.add_mutually_exclusive_group()
    add = "files, or folders with everything in them, to add"
    changes.add_argument("--add", nargs="+", type=Path, metavar="PATH", help=add)
    changes.add_argument("--remove", nargs="+", metavar="FILE", help="files to remove, by name or id")
    action.add_argument("--yes", action="store_true", help="do not ask for confirmation")
