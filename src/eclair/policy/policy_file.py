"""The policy file: TOML in, entries out, and the other way round. A table that it leaves out is left as it is."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, cast

from pydantic import ValidationError

from eclair.errors import InvalidInput, NotFound
from eclair.policy.policy_entries import (
    AnnouncementEntry,
    AnnouncementName,
    BrandingEntry,
    BudgetEntry,
    EngineEntry,
    EngineName,
    GrantEntry,
    GroupEntry,
    HoldEntry,
    PolicyEntry,
    RetentionEntry,
    WebEntry,
    name_entry,
)

MAX_FILE_BYTES: Final = 4 << 20

PolicyTables = Mapping[str, Mapping[str, PolicyEntry]]
"""Entries by table, and by a name that no other of the table has."""

SINGLE_TABLES: Final = ("web", "branding")
NAMED_TABLES: Final = ("engines", "announcements")
"""Tables of tables, each with its name."""

HEADING = "# Policy of an installation of Éclair; `eclair admin apply` applies it, see docs/policy.md.\n"


class _PolicyDocument(PolicyEntry):
    groups: tuple[GroupEntry, ...] | None = None
    grants: tuple[GrantEntry, ...] | None = None
    budgets: tuple[BudgetEntry, ...] | None = None
    retention: tuple[RetentionEntry, ...] | None = None
    holds: tuple[HoldEntry, ...] | None = None
    engines: dict[EngineName, EngineEntry] | None = None
    web: WebEntry | None = None
    branding: BrandingEntry | None = None
    announcements: dict[AnnouncementName, AnnouncementEntry] | None = None


TABLES: Final = tuple(_PolicyDocument.model_fields)
"""Names of the tables, in the order in which they are written."""
_ENTRIES: Final[dict[str, type[PolicyEntry]]] = {
    "groups": GroupEntry,
    "grants": GrantEntry,
    "budgets": BudgetEntry,
    "retention": RetentionEntry,
    "holds": HoldEntry,
    "engines": EngineEntry,
    "web": WebEntry,
    "branding": BrandingEntry,
    "announcements": AnnouncementEntry,
}


def read_policy_file(path: Path) -> tuple[PolicyTables, bytes]:
    """Return the tables that a file declares, and its bytes. Raises NotFound and InvalidInput."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise NotFound(f"There is no file {path}; `eclair admin export {path}` writes one.") from None
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}; check who may read it.") from None
    if len(data) > MAX_FILE_BYTES:
        raise InvalidInput(f"{path} is larger than {MAX_FILE_BYTES >> 20} MB; no policy is.")
    return parse_policy(data, str(path)), data


def parse_policy(data: bytes, name: str) -> PolicyTables:
    """Return the tables that a text declares. Raises InvalidInput, with the place of the fault."""
    try:
        content = json.dumps(tomllib.loads(data.decode()), default=str)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"{name} is not TOML: {error}; correct it.") from None
    try:
        document = _PolicyDocument.model_validate_json(content, strict=True)
    except ValidationError as error:
        raise InvalidInput(_describe(error, name)) from None
    return {table: found for table in TABLES if (found := _entries(getattr(document, table), table, name)) is not None}


def write_policy(tables: PolicyTables) -> str:
    """Write tables as a policy file, which reads as the same tables."""
    lines = [HEADING]
    for table in TABLES:
        entries = tables.get(table)
        if entries is None:
            continue
        fields = {name: _written(entry) for name, entry in entries.items()}
        if table in NAMED_TABLES:
            blocks = [_block(f"[{table}.{_key(name)}]", values) for name, values in fields.items()]
            lines += blocks or [f"[{table}]\n"]
        elif table in SINGLE_TABLES:
            lines += [_block(f"[{table}]", values) for values in fields.values()]
        else:
            blocks = [_block(f"[[{table}]]", values) for values in fields.values()]
            lines += blocks or [f"{table} = []\n"]
    plain = [each for each in lines[1:] if not each.startswith("[")]
    return "\n".join([lines[0], *(["".join(plain)] if plain else []), *(each for each in lines[1:] if each[0] == "[")])


def _entries(found: Any, table: str, name: str) -> Mapping[str, PolicyEntry] | None:
    if found is None:
        return None
    if isinstance(found, PolicyEntry):
        return {"": found}
    if isinstance(found, dict):
        return cast(dict[str, PolicyEntry], found)
    entries: dict[str, PolicyEntry] = {}
    for entry in cast(tuple[PolicyEntry, ...], found):
        if (key := name_entry(entry)) in entries:
            raise InvalidInput(f"{name} has two {table} for {key}; remove one.")
        entries[key] = entry
    return entries


def _describe(error: ValidationError, name: str) -> str:
    """Describe the first fault in a sentence. Values of keys are not repeated."""
    faults = error.errors()
    first = next((fault for fault in faults if fault["type"] == "extra_forbidden"), faults[0])
    steps = [step for step in first["loc"] if step not in ("int", "[key]") and not str(step).startswith(_UNIONS)]
    place = ""
    for step in steps:
        place += f"[{step + 1}]" if isinstance(step, int) else f".{step}" if place else str(step)
    kind = first["type"]
    if kind == "extra_forbidden":
        known = TABLES if len(steps) == 1 else tuple(_ENTRIES[str(steps[0])].model_fields)
        near = difflib.get_close_matches(str(steps[-1]), known, n=1, cutoff=0.0)[0]
        return f"{name} has {place}, which there isn't; did you mean {near}?"
    if kind == "missing":
        above, _, last = place.rpartition(".")
        return f"{name} has {above} without {last}; add it."
    if kind in ("model_type", "tuple_type", "dict_type"):
        header = f"[{place}]" if steps[0] in (*SINGLE_TABLES, *NAMED_TABLES) else f"[[{steps[0]}]]"
        return f"{name} sets {place} to something else than a table; write it as {header}."
    message = first["msg"].removeprefix("Value error, ").rstrip(".")
    return f"{name} sets {place}, but {message[0].lower()}{message[1:]}; correct it."


_UNIONS = ("literal[", "constrained-", "function-")
"""Beginnings of the steps that pydantic adds to a place for types that may be one of several."""


def _written(entry: PolicyEntry) -> dict[str, Any]:
    """Return the fields of an entry that aren't as they are without being written."""
    return entry.model_dump(exclude_defaults=True, exclude_none=True)


def _block(header: str, fields: Mapping[str, Any]) -> str:
    return "".join(f"{line}\n" for line in (header, *_lines(fields)))


def _lines(fields: Mapping[str, Any]) -> Iterator[str]:
    for name, value in fields.items():
        yield f"{_key(name)} = {_value(value)}"


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case Decimal():
            return f"{value.normalize():f}"
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case dict():
            inner = ", ".join(_lines(cast(dict[str, Any], value)))
            return f"{{ {inner} }}" if inner else "{}"
        case _:
            return f"[{', '.join(map(_value, value))}]"


def _key(name: str) -> str:
    """Return a name as a key of TOML."""
    plain = name.replace("-", "").replace("_", "")
    return name if plain.isascii() and plain.isalnum() else _value(name)
