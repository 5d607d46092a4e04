"""Search of names: titles and tags of conversations, files and libraries, best first.

Names are compared one by one, so that a word is found inside a longer one, as in a German compound.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from eclair.schema.messages import NameHit
from eclair.schema.principal import Principal
from eclair.storage.conversations import ProjectScope
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.sharing import FILE_THERE, LIBRARIES, OWNED, describe
from eclair.storage.sql.store import first_row, snapshot
from eclair.storage.sql.stored_rows import DECODING_ERRORS, decode_list, decode_rows, row_decoder
from eclair.storage.sql.text_index import NameSource, TextIndex
from eclair.text.name_match import NameQuery


@dataclass(frozen=True, slots=True)
class _Ranked:
    """A hit with its score and its time in milliseconds. `file` is the id of a file, which is yet to be located."""

    score: int
    moment: int
    hit: NameHit
    file: str = ""


def find_names(
    db: Connection,
    index: TextIndex,
    principal: Principal,
    text: str,
    limit: int,
    note: Callable[[], None],
    project: ProjectScope | None = None,
) -> list[NameHit]:
    """Find names as `ConversationStore.search_names` says; call `note` for damaged rows, which are left out."""
    query = NameQuery.parse(text)
    if not query.words:
        return []

    place: dict[str, Any] = {} if project is None else {"project": project.id, "libraries": project.libraries}
    searcher = describe(principal, **place)
    with snapshot(db):
        found = [
            *decode_rows(index.select_names(db, _CONVERSATIONS, searcher, query), _conversation_decoder(query), note),
            *decode_rows(index.select_names(db, _LIBRARIES, searcher, query), _library_decoder(query), note),
            *decode_rows(index.select_names(db, _FILES, searcher, query), _file_decoder(query), note),
        ]
        found.sort(key=lambda each: (each.score, each.moment), reverse=True)
        return list(islice((hit for each in found if (hit := _locate(db, each, note)) is not None), limit))


_EVERYWHERE = "?1 ->> 'project' IS NULL"
_IN_PROJECT = "project_id = ?1 ->> 'project'"
_SEARCHED = "IN (SELECT value FROM json_each(?1, '$.libraries'))"
_CONVERSATIONS = NameSource(
    "SELECT updated AS moment, id, title, tags FROM conversation"
    f" WHERE {OWNED} AND shelf IN ('list', 'archive', 'pinned') AND ({_EVERYWHERE} OR {_IN_PROJECT})",
    ("title", "tags"),
)
_LIBRARIES = NameSource(
    f"SELECT created AS moment, id, name FROM library WHERE ({OWNED} OR id IN {LIBRARIES.usable})"
    f" AND NOT {LIBRARIES.hidden} AND ({_EVERYWHERE} OR id {_SEARCHED})",
    ("name",),
)
_FILES = NameSource(
    f"SELECT created AS moment, id, name, library FROM file WHERE ({OWNED} OR library IN {LIBRARIES.usable})"
    f" AND {FILE_THERE} AND ({_EVERYWHERE} OR library {_SEARCHED} OR id IN (SELECT file FROM attached JOIN message"
    " ON message.id = attached.message JOIN conversation ON conversation.id = message.conversation"
    f" WHERE {_IN_PROJECT} AND conversation.{OWNED}))",
    ("name",),
)


def _conversation_decoder(query: NameQuery) -> Callable[[Any], _Ranked]:
    @row_decoder
    def decode(row: Any) -> _Ranked:
        moment, id, title, tags = row
        tag = max((tag for tag in decode_list(tags) if isinstance(tag, str)), key=query.score, default="")
        if query.score(title) < query.score(tag):
            return _Ranked(query.score(tag), moment, _hit(("tag", tag, id, title, None, None)))
        return _Ranked(query.score(title), moment, _hit(("title", title, id, title, None, None)))

    return decode


def _library_decoder(query: NameQuery) -> Callable[[Any], _Ranked]:
    @row_decoder
    def decode(row: Any) -> _Ranked:
        moment, id, name = row
        return _Ranked(query.score(name), moment, _hit(("library", name, None, "", None, id)))

    return decode


def _file_decoder(query: NameQuery) -> Callable[[Any], _Ranked]:
    @row_decoder
    def decode(row: Any) -> _Ranked:
        moment, id, name, library = row
        return _Ranked(query.score(name), moment, _hit(("file", name, None, "", None, library)), id)

    return decode


@row_decoder
def _hit(values: Any) -> NameHit:
    return NameHit(*values)


def _locate(db: Connection, ranked: _Ranked, note: Callable[[], None]) -> NameHit | None:
    """Complete the hit of a file: the library that has it, or the latest message; None where neither does.

    Calls `note` for a damaged one, which is left out.
    """
    hit = ranked.hit
    if not ranked.file:
        return hit
    try:
        return _located_file(db, ranked)
    except DECODING_ERRORS:
        note()
        return None


def _located_file(db: Connection, ranked: _Ranked) -> NameHit | None:
    hit = ranked.hit
    if hit.library is not None:
        row = first_row(db, "SELECT name FROM library WHERE id = ?", (hit.library,))
        return None if row is None else _hit(("file", hit.name, None, row[0], None, hit.library))
    row = first_row(
        db,
        "SELECT conversation.id, conversation.title, message.id FROM attached"
        " JOIN message ON message.id = attached.message"
        " JOIN conversation ON conversation.id = message.conversation"
        " WHERE attached.file = ? AND deleted IS NULL ORDER BY attached.number DESC LIMIT 1",
        (ranked.file,),
    )
    return None if row is None else _hit(("file", hit.name, *row, None))
