"""Names and docstrings keep to the rules of CONTRIBUTING.md."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "eclair"
SHARED_FILE_NAMES = {
    *("__init__", "__main__", "base", "catalog", "retriever", "service", "worker"),
    *("docx", "html", "open", "pdf", "schema"),
}
"""Names of files that say what they are once the package is known."""

RESOURCE_FOLDERS = ("cli", "schema", "server", "storage")
"""Packages whose files are named for the resource that they show, describe, serve or store."""

CONSTANTS = {
    *("MOST", "LONGEST", "LEAST", "PATIENCE", "WITHIN", "FRESH", "KEPT", "AT_ONCE", "LARGEST", "SHORTEST", "SMALLEST"),
}
FUNCTIONS = {"of", "take", "told", "one", "whole"}
HEADLESS = re.compile(r"(What|Whether|Those|Who|Whose|Whom|Where|Whoever|Which|How|That) ")
TYPE_NAME = re.compile(r"[A-Z]\w*[a-z]\w*$")
TYPE_VARIABLE_NAME = re.compile(r"([A-Z]|[A-Z]\w*T)$")
DOCSTRING_OWNERS = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        yield path.relative_to(SOURCE).as_posix(), ast.parse(path.read_text("utf-8"))


def docstrings() -> Iterator[tuple[str, str]]:
    """Yield every docstring, and every string under a constant or field, as (place, text)."""
    for name, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, DOCSTRING_OWNERS):
                if text := ast.get_docstring(node):
                    line = 1 if isinstance(node, ast.Module) else node.lineno
                    yield f"{name}:{line}", text
                for above, statement in pairwise(node.body):
                    match above, statement:
                        case ast.Assign() | ast.AnnAssign(), ast.Expr(ast.Constant(str(text))):
                            yield f"{name}:{statement.lineno}", text
                        case _:
                            pass


def defined_types(tree: ast.Module) -> Iterator[str]:
    """Yield the module's public classes and type aliases."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield node.name
        elif not is_type_variable(node):
            yield from (target.id for target in assigned_names(node) if TYPE_NAME.match(target.id))


def assigned_names(node: ast.stmt) -> Iterator[ast.Name]:
    if isinstance(node, ast.Assign | ast.AnnAssign):
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if isinstance(target, ast.Name):
                yield target


def test_no_two_types_share_a_name() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for name, tree in modules():
        for defined in defined_types(tree):
            places[defined].append(name)
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def is_type_variable(node: ast.stmt) -> bool:
    call = node.value if isinstance(node, ast.Assign) else None
    return isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in ("TypeVar", "ParamSpec")


def test_type_variables_are_letters_or_end_in_t() -> None:
    found = [
        f"{name}:{node.lineno} {target.id}"
        for name, tree in modules()
        for node in tree.body
        if is_type_variable(node)
        for target in assigned_names(node)
        if not TYPE_VARIABLE_NAME.match(target.id)
    ]
    assert found == []


def test_constants_say_what_they_bound() -> None:
    found: list[str] = []
    for name, tree in modules():
        for node in tree.body:
            found += [f"{name}:{node.lineno} {target.id}" for target in assigned_names(node) if is_vague(target.id)]
        for node in ast.walk(tree):
            if isinstance(node, ast.alias) and is_vague(node.asname or ""):
                found.append(f"{name}:{node.lineno} {node.asname}")
    assert found == []


def is_vague(constant: str) -> bool:
    constant = constant.lstrip("_")
    return constant in CONSTANTS or constant.startswith(("LONGEST_", "MOST_"))


def test_no_two_files_share_a_name() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in sorted(SOURCE.rglob("*.py")):
        relative = path.relative_to(SOURCE)
        if path.stem not in SHARED_FILE_NAMES and relative.parts[0] not in RESOURCE_FOLDERS:
            places[path.stem].append(relative.as_posix())
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


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
