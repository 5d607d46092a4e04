"""The documentation holds: paths exist, links lead somewhere, lines are short."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOT_PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "native/README.md")
PAGES = [*(ROOT / name for name in ROOT_PAGES), *sorted((ROOT / "docs").rglob("*.md"))]
MAX_LINE_CHARS = 100

PATH = re.compile(r"`((?:[\w-]+/)+[\w-]+\.(?:py|toml|json|ts|svelte|md)|(?:[\w-]+/)+)`")


def page_name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def prose(text: str) -> list[tuple[int, str]]:
    """Lines outside code blocks, with their numbers."""
    inside = False
    lines: list[tuple[int, str]] = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.lstrip().startswith("```"):
            inside = not inside
        elif not inside:
            lines.append((number, line))
    return lines


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_links_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    broken = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_lines_are_short(page: Path) -> None:
    long = [
        f"{page.name}:{number}"
        for number, line in prose(page.read_text("utf-8"))
        if len(line) > MAX_LINE_CHARS and not line.startswith(("|", "!", "<")) and " " in line[MAX_LINE_CHARS // 2 :]
    ]
    assert long == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/security.md"])
def test_paths_exist(name: str) -> None:
    paths = PATH.findall("\n".join(line for _, line in prose((ROOT / name).read_text("utf-8")) if line[:1] != "|"))
    roots = (ROOT, ROOT / "src" / "eclair")
    named = [path for path in paths if not path.endswith("NAME.py")]
    assert [path for path in named if not any((root / path).exists() for root in roots)] == []
