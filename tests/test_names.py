"""Names and docstrings keep to the rules of CONTRIBUTING.md."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "eclair"
SHARED_FILE_NAMES = {"__init__", "__main__", "base", "service", "retriever", "worker", "catalog"}
CONSTANTS = {
    *("MOST", "LONGEST", "LEAST", "PATIENCE", "WITHIN", "FRESH", "KEPT", "AT_ONCE", "LARGEST", "SHORTEST", "SMALLEST"),
}
FUNCTIONS = {"of", "take", "told", "one", "whole"}
HEADLESS = re.compile(r"(What|Whether|Those|Who|Whose|Whom|Where|Whoever|Which|How many|How much|That) ")
DOCSTRING_OWNERS = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        yield path.relative_to(SOURCE).as_posix(), ast.parse(path.read_text("utf-8"))


def docstrings() -> Iterator[tuple[str, str]]:
    """Yield every docstring as (place, text)."""
    for name, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, DOCSTRING_OWNERS) and (text := ast.get_docstring(node)):
                line = 1 if isinstance(node, ast.Module) else node.lineno
                yield f"{name}:{line}", text


def test_no_two_classes_share_a_name() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for name, tree in modules():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(name)
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_constants_say_what_they_bound() -> None:
    found = [
        f"{name}:{node.lineno} {target.id}"
        for name, tree in modules()
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name) and target.id.lstrip("_") in CONSTANTS
    ]
    assert found == []


def test_functions_are_named_for_what_they_do() -> None:
    found = [
        f"{name}:{node.lineno} {node.name}"
        for name, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name in FUNCTIONS
    ]
    assert found == []


def test_docstrings_open_with_a_verb_or_a_noun() -> None:
    assert [f"{place} {text[:60]}" for place, text in docstrings() if HEADLESS.match(text)] == []
