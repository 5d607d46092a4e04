"""Packages that are imported are declared in pyproject.toml, and those that are declared are used."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Sequence
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
LOADERS = ("import_module", "importlib.import_module", "importlib.util.find_spec", "find_spec")

ELSEWHERE = {
    "cyllama": "cyllama",
    "diffusers": "diffusers",
    "tokenizers": "transformers",
    "torch": "torch",
    "transformers": "transformers",
}
"""What brings a module that only the environment with PyTorch has."""

CLIENTS = ROOT / "bench" / "clients"
"""Others' programs, each of which runs in an environment of its own."""

UNIMPORTED = {
    "httptools": "uvicorn is told by name to parse HTTP with it",
    "pip": "run as a program",
    "pydantic-monty-runtime": "run as a program",
    "python-multipart": "FastAPI reads forms with it",
}

PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT: dict[str, Any] = PYPROJECT["project"]
GROUPS: dict[str, list[str]] = PYPROJECT["dependency-groups"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]


def normalized(requirement: str) -> str:
    """The name of a requirement's distribution, as PEP 503 compares names."""
    name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", name).lower()


RUNTIME = {normalized(requirement) for requirement in PROJECT["dependencies"]}
OPTIONAL = {normalized(requirement) for requirements in EXTRAS.values() for requirement in requirements}
DEVELOPMENT = {normalized(requirement) for group in GROUPS.values() for requirement in group}


def imports(source: str) -> Iterator[tuple[int, str]]:
    """Line and top-level name of each module that a file imports, or loads by a name that it spells out."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=aliases):
                yield from ((node.lineno, alias.name.partition(".")[0]) for alias in aliases)
            case ast.ImportFrom(module=str(module), level=0):
                yield node.lineno, module.partition(".")[0]
            case ast.Call(func=function, args=[ast.Constant(value=str(module)), *_]) if (
                ast.unparse(function) in LOADERS
            ):
                yield node.lineno, module.partition(".")[0]
            case _:
                pass


def undeclared(files: Sequence[Path], declared: set[str], own: set[str]) -> list[str]:
    distributions = {module: [name] for module, name in ELSEWHERE.items()} | dict(packages_distributions())
    return [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in files
        for line, module in imports(path.read_text("utf-8"))
        if module not in sys.stdlib_module_names
        and module not in own
        and not {normalized(name) for name in distributions.get(module, ())} & declared
    ]


@pytest.mark.parametrize(
    ("folder", "declared", "own"),
    [
        ("src", RUNTIME | OPTIONAL, {"eclair"}),
        ("tests", RUNTIME | OPTIONAL | DEVELOPMENT, {"eclair", "tests", "bench"}),
        ("bench", RUNTIME | DEVELOPMENT, {"eclair", "tests"}),
        ("drawings", RUNTIME | DEVELOPMENT, {"eclair"}),
    ],
)
def test_what_is_imported_is_declared(folder: str, declared: set[str], own: set[str]) -> None:
    files = sorted(path for path in (ROOT / folder).rglob("*.py") if CLIENTS not in path.parents)
    assert files
    siblings = {path.stem for path in files} if folder in ("bench", "drawings") else set[str]()
    assert undeclared(files, declared, own | siblings) == []


def test_what_is_declared_is_used() -> None:
    used = {module for path in (ROOT / "src").rglob("*.py") for _, module in imports(path.read_text("utf-8"))}
    distributions = packages_distributions()
    found = {normalized(name) for module in used for name in distributions.get(module, ())}
    assert RUNTIME - found - UNIMPORTED.keys() == set()


def test_an_import_that_is_not_declared_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    path = tmp_path / "new.py"
    path.write_text("import os\nimport yarl.parse\nfrom pytest import mark\nimport_module('psutil')\nfrom . import x\n")
    assert undeclared([path], {"yarl"}, {"eclair"}) == ["new.py:3 imports pytest", "new.py:4 imports psutil"]
