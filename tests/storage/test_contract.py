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
    """Yield each method and property of a Protocol, inherited ones too, with the name of the Protocol."""
    protocols: dict[str, tuple[list[str], list[ast.FunctionDef | ast.AsyncFunctionDef]]] = {}
    for path in PORTS.glob("*.py"):
        for node in ast.parse(path.read_text("utf-8")).body:
            bases = [ast.unparse(parent) for parent in node.bases] if isinstance(node, ast.ClassDef) else []
            if isinstance(node, ast.ClassDef) and "Protocol" in bases:
                members = [each for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
                protocols[node.name] = ([parent for parent in bases if parent != "Protocol"], members)
    shared = {parent for bases, _ in protocols.values() for parent in bases}
    for name in sorted(protocols.keys() - shared):
        bases, members = protocols[name]
        for member in [*members, *(each for parent in bases for each in protocols[parent][1])]:
            yield name, member


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
