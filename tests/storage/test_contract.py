"""The contract suite calls every method of every port."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from eclair.storage import base

PORTS = Path(base.__file__).parent
SUITE = Path(__file__).parent


def list_port_members() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Yield each method and property of a Protocol, with the name of the Protocol."""
    for path in sorted(PORTS.glob("*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef) and any(ast.unparse(parent) == "Protocol" for parent in node.bases):
                for member in node.body:
                    if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef):
                        yield node.name, member


def list_uses(*, called: bool) -> set[tuple[str, str]]:
    """Return each (port, member) that the suite reads as `storage.<port>.<member>`, or calls so."""
    nodes = [node for path in SUITE.glob("*.py") for node in ast.walk(ast.parse(path.read_text("utf-8")))]
    members = [node.func for node in nodes if isinstance(node, ast.Call)] if called else nodes
    return {
        (member.value.attr, member.attr)
        for member in members
        if isinstance(member, ast.Attribute) and isinstance(member.value, ast.Attribute)
    }


def test_every_method_of_every_port_is_called() -> None:
    ports = {str(field.type): field.name for field in fields(base.Storage) if field.name != "close"}
    members = list(list_port_members())
    assert {protocol for protocol, _ in members} == set(ports)
    called, read = list_uses(called=True), list_uses(called=False)
    missing = [
        f"{protocol}.{member.name}"
        for protocol, member in members
        if (ports[protocol], member.name) not in (read if member.decorator_list else called)
    ]
    assert missing == []
