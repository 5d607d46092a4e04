"""Tools as a server lists them, checked at the door: names, sizes and schemas. What does not fit is left out."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, cast

import orjson

from eclair.schema.mcp_servers import McpListing, McpTool

MAX_TOOLS = 100
MAX_SCHEMA_BYTES = 16_000
MAX_SCHEMA_DEPTH = 12
MAX_SCHEMA_NODES = 2_000
MAX_DEFINITIONS_BYTES = 200_000
"""Of all schemas and descriptions of a server."""
MAX_DESCRIPTION_CHARS = 2_000
MAX_TITLE_CHARS = 80
MAX_FAULTS = 10

_DEFINITIONS = ("$defs", "definitions")

_NAME = re.compile(r"[A-Za-z0-9_./-]{1,64}")
_LOCAL_REF = re.compile(r"#(?:/[\w$.-]{1,200}){1,6}")


class BadTool(ValueError):
    """A tool that can't be offered; the text says why, for the end of a sentence."""


def check_listing(found: Iterable[McpTool], moment: int) -> McpListing:
    """Return the tools that can be offered, sorted by name, and why others are left out."""
    kept: dict[str, McpTool] = {}
    faults: list[str] = []
    size = 0
    for number, tool in enumerate(found):
        if number >= MAX_TOOLS:
            faults.append(f"It has more than {MAX_TOOLS} tools; the others are left out.")
            break
        try:
            checked = check_tool(tool)
            if checked.name in kept:
                raise BadTool("there are two of that name")
            size += len(orjson.dumps(asdict(checked)))
            if size > MAX_DEFINITIONS_BYTES:
                raise BadTool(f"all its tools together are larger than {MAX_DEFINITIONS_BYTES // 1000} kB")
            kept[checked.name] = checked
        except BadTool as why:
            faults.append(f"The tool {tool.name[:64]!r} is left out: {why}.")
    tools = tuple(kept[name] for name in sorted(kept))
    return McpListing(tools, fingerprint_of(tools), moment, tuple(faults[:MAX_FAULTS]))


def check_tool(tool: McpTool) -> McpTool:
    """Return a tool within bounds. Raises BadTool."""
    if not _NAME.fullmatch(tool.name):
        raise BadTool("a name is 1 to 64 letters, digits, dashes, dots, slashes and underscores")
    schema = check_schema(tool.schema)
    return McpTool(
        tool.name,
        _one_line(tool.title)[:MAX_TITLE_CHARS],
        tool.description.replace("\0", "")[:MAX_DESCRIPTION_CHARS],
        schema,
        tool.says_read_only,
    )


def check_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Check a schema of arguments before anything walks it; return it without references. Raises BadTool."""
    if _depth_exceeds(schema, MAX_SCHEMA_DEPTH):
        raise BadTool(f"its schema is more than {MAX_SCHEMA_DEPTH} levels deep")
    if len(orjson.dumps(schema)) > MAX_SCHEMA_BYTES:
        raise BadTool(f"its schema is larger than {MAX_SCHEMA_BYTES // 1000} kB")
    if schema.get("type") != "object":
        raise BadTool("its schema is not that of an object")
    whole = _Expansion(schema).expand(schema)
    if _depth_exceeds(whole, MAX_SCHEMA_DEPTH):
        raise BadTool(f"its schema is more than {MAX_SCHEMA_DEPTH} levels deep")

    from jsonschema import Draft202012Validator  # slow to import
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(whole)
    except SchemaError as error:
        raise BadTool(f"its schema is no JSON schema ({error.message[:100]})") from None
    return whole


class _Expansion:
    """Replaces the references of a schema by what they refer to, within bounds."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._nodes = 0
        self._within: list[str] = []

    def expand(self, value: Any) -> Any:
        """Return a value without references. Raises BadTool for those that lead elsewhere, or to themselves."""
        self._nodes += 1
        if self._nodes > MAX_SCHEMA_NODES:
            raise BadTool(f"its schema has more than {MAX_SCHEMA_NODES:,} parts")
        if isinstance(value, list):
            return [self.expand(each) for each in cast("list[Any]", value)]
        if not isinstance(value, Mapping):
            return value
        items = dict(cast("Mapping[str, Any]", value))
        target = items.pop("$ref", None)
        if isinstance(target, str):
            return self._follow(target) | {key: self.expand(each) for key, each in items.items()}
        if any(isinstance(items.get(key), str) for key in ("$dynamicRef", "$id", "$anchor")):
            raise BadTool("its schema refers to itself by a name")
        return {key: self.expand(each) for key, each in items.items() if key not in _DEFINITIONS}

    def _follow(self, target: str) -> dict[str, Any]:
        if not _LOCAL_REF.fullmatch(target):
            raise BadTool("its schema refers to another place")
        if target in self._within:
            raise BadTool("its schema refers to itself")
        found: Any = self._root
        for step in target.split("/")[1:]:
            found = cast("Mapping[str, Any]", found).get(step) if isinstance(found, Mapping) else None
        if not isinstance(found, Mapping):
            raise BadTool("its schema refers to a part that isn't there")
        self._within.append(target)
        expanded: dict[str, Any] = self.expand(found)
        self._within.pop()
        return expanded


def fingerprint_of(tools: Iterable[McpTool]) -> str:
    """Return what changes when anything does that a model or a person reads of the tools."""
    described = [asdict(tool) for tool in tools]
    return hashlib.sha256(orjson.dumps(described, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]


def _depth_exceeds(value: Any, levels: int) -> bool:
    if not isinstance(value, Mapping | list):
        return False
    if levels == 0:
        return True
    children = cast("Mapping[str, Any]", value).values() if isinstance(value, Mapping) else cast("list[Any]", value)
    return any(_depth_exceeds(each, levels - 1) for each in children)


def _one_line(text: str) -> str:
    return " ".join(text.split())
