"""Layers: imports between the packages of `eclair` point down one list, and nothing else stands at its root."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import eclair

LAYERS = (
    "cli",
    "server",
    "app",
    "services",
    "doctor",
    "compliance",
    "outgoing_data",
    "policy",
    "transfer",
    "schedules",
    "chat",
    "assistants",
    "research",
    "tools",
    "skills",
    "mcp_servers",
    "memory",
    "web",
    "images",
    "documents",
    "python",
    "office",
    "speech",
    "calculation",
    "capacity",
    "generation",
    "llm",
    "models",
    "audit",
    "identity",
    "network",
    "accounts",
    "storage",
    "provenance",
    "citations",
    "text",
    "sandbox",
    "schema",
    "util",
    "live_settings",
    "settings",
    "identity_settings",
    "errors",
)
"""Top to bottom: a module may import its own package and those that stand below it."""

ROOT_MODULES = {
    "__init__",
    "app",
    "doctor",
    "identity_settings",
    "live_settings",
    "outgoing_data",
    "services",
    "settings",
    "errors",
}

PACKAGE = Path(eclair.__file__).parent


def imported(tree: ast.Module, package: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Line and dotted name of each module that is imported anywhere in `tree`, a module of `package`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*above, *([node.module] if node.module else [])))
            if module == "eclair":
                yield from ((node.lineno, f"eclair.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, module


def upward(relative: Path, source: str) -> Iterator[tuple[int, str]]:
    """Line and name of each import in the file at `relative` that points up, or at a package outside the list."""
    parts = ("eclair", *relative.with_suffix("").parts)
    own = LAYERS.index(parts[1])
    for line, name in imported(ast.parse(source), parts[:-1]):
        root, _, rest = name.partition(".")
        layer = rest.partition(".")[0]
        if root != "eclair" or layer in ("", "__version__"):
            continue
        if layer not in LAYERS or LAYERS.index(layer) < own:
            yield line, name


def test_imports_point_down() -> None:
    found = [
        f"src/eclair/{path.relative_to(PACKAGE)}:{line} imports {name}, which stands above it"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path != PACKAGE / "__init__.py"
        for line, name in upward(path.relative_to(PACKAGE), path.read_text("utf-8"))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "line",
    [
        "import eclair.chat.turns",
        "from eclair import chat",
        "from ..chat import turns",
        "def f():\n from eclair.chat import x",
    ],
)
def test_an_upward_import_is_found_however_it_is_written(line: str) -> None:
    assert list(upward(Path("models/catalog.py"), line))


@pytest.mark.parametrize("line", ["from eclair.schema import ids", "import httpx", "from . import installed"])
def test_a_downward_import_is_not_reported(line: str) -> None:
    assert not list(upward(Path("models/catalog.py"), line))


def test_only_the_named_modules_stand_at_the_root() -> None:
    assert {path.stem for path in PACKAGE.glob("*.py")} == ROOT_MODULES


def test_every_package_has_its_layer() -> None:
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert packages <= set(LAYERS)
