"""Write the map of the code, taken from docstrings, into README.md and docs/architecture.md.

`python docs/map.py` writes; `python docs/map.py --check` prints what differs and exits with 1. README lists the
packages, docs/architecture.md every module, both in the order in which imports may point.
"""

from __future__ import annotations

import ast
import difflib
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "eclair"
BEGIN, END = "<!-- map: written by `make map` -->", "<!-- end of map -->"

sys.path.insert(0, str(ROOT))

from tests.test_layers import LAYERS  # noqa: E402  # the one list of layers


def main() -> int:
    pages = {ROOT / "README.md": packages(), ROOT / "docs" / "architecture.md": modules()}
    stale = False
    for path, lines in pages.items():
        before = path.read_text("utf-8")
        after = _replace(before, lines)
        if "--check" in sys.argv[1:]:
            old, new = before.split("\n"), after.split("\n")
            for line in difflib.unified_diff(old, new, path.name, "make map", lineterm=""):
                stale = True
                print(line)
        else:
            path.write_text(after, "utf-8")
    return 1 if stale else 0


def packages() -> list[str]:
    """One line for each root module and package."""
    names = [(name, SOURCE / f"{name}.py") for name in LAYERS if (SOURCE / f"{name}.py").is_file()]
    folders = [(f"{name}/", SOURCE / name / "__init__.py") for name in LAYERS if (SOURCE / name).is_dir()]
    rows = [(f"{name}.py", path) for name, path in names] + folders
    width = max(len(name) for name, _ in rows)
    return ["```", "src/eclair/", *(f"  {name:{width}}  {summary(path)}" for name, path in rows), "```"]


def modules() -> list[str]:
    """A table of modules for each package."""
    lines: list[str] = []
    for name in LAYERS:
        folder = SOURCE / name
        if not folder.is_dir():
            continue
        heading = f"### `{name}/`"
        lines += ["", heading, "", summary(folder / "__init__.py"), "", "| module | what it does |", "| --- | --- |"]
        for path in sorted(_python_files(folder)):
            lines.append(f"| `{path.relative_to(folder).as_posix()}` | {summary(path)} |")
    return [*lines, ""]


def _python_files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*.py"):
        if path != folder / "__init__.py" and (path.name != "__init__.py" or len(path.read_text("utf-8")) > 200):
            yield path


def summary(path: Path) -> str:
    """The first line of a module's docstring. Raises ValueError if it has none."""
    text = ast.get_docstring(ast.parse(path.read_text("utf-8")))
    if not text:
        raise ValueError(f"{path.relative_to(ROOT)} has no docstring; its first line goes into the map.")
    return text.partition("\n")[0].replace("|", "\\|")


def _replace(text: str, lines: list[str]) -> str:
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"A page has no map to write; it needs the lines {BEGIN} and {END}.")
    return "\n".join([head + BEGIN, *lines, END + tail])


if __name__ == "__main__":
    sys.exit(main())
