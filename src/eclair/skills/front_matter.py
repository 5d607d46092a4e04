"""Reads the front matter of a SKILL.md: YAML without tags and anchors, every value as the text that it is written as.

Fields that the specification doesn't have are left out, since other programs add some. What it asks for must be there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

import yaml

from eclair.sandbox.protocol import Rejected
from eclair.schema.skills import (
    MAX_COMPATIBILITY_CHARS,
    MAX_SKILL_DESCRIPTION_CHARS,
    MAX_SKILL_NAME_CHARS,
    MAX_SKILL_TEXT_BYTES,
    SKILL_FILE,
    SkillHead,
    is_skill_name,
)

MAX_HEAD_CHARS: Final = 16_000
MAX_METADATA: Final = 50
MAX_DEPTH: Final = 20
"""Lists and mappings within each other; YAML's parser takes quadratic time for them."""
_FENCE: Final = re.compile(r"---[ \t]*")
_PLAIN_VALUE: Final = re.compile(r"([A-Za-z-]{1,40}):[ \t]+([^\s\"'|>\[{&!*].*)")


class _PlainLoader(yaml.SafeLoader):
    """Loads every scalar as the text that it is written as."""

    yaml_implicit_resolvers: Any = {}  # noqa: RUF012 (the loader's own table, here without entries)


def parse_skill_text(data: bytes) -> SkillHead:
    """Return the front matter of a SKILL.md. Raises Rejected."""
    if len(data) > MAX_SKILL_TEXT_BYTES:
        raise Rejected(f"{SKILL_FILE} has {len(data) >> 10:,} kB; the limit is {MAX_SKILL_TEXT_BYTES >> 10}.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Rejected(f"{SKILL_FILE} is no text in UTF-8; save it so.") from error
    if "\0" in text:
        raise Rejected(f"{SKILL_FILE} holds a NUL character; remove it.")
    head, body = split_front_matter(text)
    if head is None:
        raise Rejected(f"{SKILL_FILE} has no front matter; begin it with a line ---, name and description, and ---.")
    if not body.strip():
        raise Rejected(f"{SKILL_FILE} has no instructions below its front matter; write some.")
    return _head(_load(head))


def split_front_matter(text: str) -> tuple[str | None, str]:
    """Return the front matter of a text, None where it has none, and the text below it."""
    lines = re.split(r"\r\n|\n|\r", text)
    if _FENCE.fullmatch(lines[0]) is None:
        return None, text
    end = next((at for at, line in enumerate(lines[1:], 1) if _FENCE.fullmatch(line)), None)
    if end is None:
        return None, text
    return "\n".join(lines[1:end]), "\n".join(lines[end + 1 :]).strip("\n")


def _load(head: str) -> Mapping[str, Any]:
    if len(head) > MAX_HEAD_CHARS:
        raise Rejected(f"The front matter of {SKILL_FILE} is too long; the limit is {MAX_HEAD_CHARS:,} characters.")
    try:
        try:
            return _parse(head)
        except yaml.YAMLError:
            quoted = _quote_plain_values(head)
            if quoted == head:
                raise
            return _parse(quoted)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 2}" if mark is not None else ""
        raise Rejected(f"The front matter of {SKILL_FILE} is no YAML{where}; put texts in quotes.") from error


def _parse(head: str) -> Mapping[str, Any]:
    events = cast("Iterable[yaml.Event]", yaml.parse(head, Loader=_PlainLoader))  # pyright: ignore[reportUnknownMemberType]
    depth = 0
    for event in events:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) or getattr(event, "tag", None):
            raise Rejected(f"The front matter of {SKILL_FILE} has anchors or tags; write it without them.")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise Rejected(f"The front matter of {SKILL_FILE} is nested too deeply; make it flat.")
    loaded = yaml.load(head, Loader=_PlainLoader)  # noqa: S506 (a loader of plain texts)
    if not isinstance(loaded, dict):
        raise Rejected(f"The front matter of {SKILL_FILE} has no name and description; write both.")
    return cast("Mapping[str, Any]", loaded)


def _quote_plain_values(head: str) -> str:
    """Quote values that stand plain in their line, since people write colons in descriptions without thinking of it."""

    def quote(line: str) -> str:
        found = _PLAIN_VALUE.fullmatch(line.rstrip())
        if found is None:
            return line
        name, value = found.groups()
        doubled = value.replace("'", "''")
        return f"{name}: '{doubled}'"

    return "\n".join(map(quote, head.split("\n")))


def _head(fields: Mapping[str, Any]) -> SkillHead:
    name = _text(fields, "name", MAX_SKILL_NAME_CHARS)
    if name is None or not is_skill_name(name):
        raise Rejected("The skill's name must be of a–z, 0–9 and single hyphens between them; change `name`.")
    description = _text(fields, "description", MAX_SKILL_DESCRIPTION_CHARS)
    if description is None:
        raise Rejected("The skill has no description; say what it does, and when to use it.")
    return SkillHead(
        name=name,
        description=" ".join(description.split()),
        license=_text(fields, "license", MAX_COMPATIBILITY_CHARS),
        compatibility=_text(fields, "compatibility", MAX_COMPATIBILITY_CHARS),
        allowed_tools=_text(fields, "allowed-tools", MAX_COMPATIBILITY_CHARS),
        metadata=_metadata(fields.get("metadata")),
    )


def _text(fields: Mapping[str, Any], field: str, limit: int) -> str | None:
    """Return a text; a list of texts, which some write, becomes one with spaces."""
    value: Any = fields.get(field)
    if isinstance(value, list) and all(isinstance(each, str) for each in cast("list[Any]", value)):
        value = " ".join(cast("list[str]", value))
    if value is None:
        return None
    if not isinstance(value, str):
        raise Rejected(f"The field {field!r} of {SKILL_FILE} is no text; write one.")
    if len(value) > limit:
        raise Rejected(f"The field {field!r} of {SKILL_FILE} is too long; the limit is {limit:,} characters.")
    return value.strip() or None


def _metadata(value: Any) -> tuple[tuple[str, str], ...]:
    """Return the pairs of texts; what is nested deeper is left out."""
    if not isinstance(value, dict):
        return ()
    pairs = cast("dict[Any, Any]", value).items()
    return tuple((name, text) for name, text in pairs if isinstance(name, str) and isinstance(text, str))[:MAX_METADATA]
