"""Index of words of a database: what stores ask of it, and what both databases compute from its counts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Protocol

from eclair.schema.messages import Hit
from eclair.schema.principal import Principal
from eclair.storage.chunks import ChunkHit, SearchScope
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.stored_rows import row_decoder
from eclair.text.name_match import NameQuery
from eclair.text.search_terms import SearchTerm

MAX_INDEX_HITS = 5000
"""Chunks that a search looks at, from its rarest word on, since each takes 1.5 µs. A word that is all over a large
library tells little."""

MAX_RANKED_MATCHES = 1000
"""Messages that a search compares, the newest that match. A word may be in most messages of somebody who asked much. To
compare all of them would take seconds, and who looks for such a word means something recent."""

MAX_RANKED_NAMES = 1000
"""Of more matching names of a kind, the newest are compared."""

SATURATION = 1.2
LENGTH_WEIGHT = 0.75
"""The usual parameters of BM25."""

_MIN_WEIGHT = 1e-6


@dataclass(frozen=True, slots=True)
class NameSource:
    """Rows with names: a statement whose first column is `moment` and whose one parameter describes who searches.

    A condition can be added to its end. `columns` are those of names, which are compared together.
    """

    select: str
    columns: tuple[str, ...]


class TextIndex(Protocol):
    """The words of messages, chunks, entries of feeds and images, and what finds rows by them.

    Methods named `put_` are called in the transaction that writes a row, after it; what deletes a row needs no call.
    """

    def put_message(self, db: Connection, id: str, text: str) -> None:
        """Index the words of a message that was added or changed."""
        ...

    def put_chunk(self, db: Connection, id: int, texts: Sequence[str]) -> None:
        """Index the words of a new chunk: of its headings as they are stored, its text, and their other forms."""
        ...

    def put_entry(self, db: Connection, feed: str, key: str, texts: Sequence[str]) -> None:
        """Index the words of an entry that was added or changed."""
        ...

    def put_image(self, db: Connection, id: str, prompt: str) -> None:
        """Index the words of a new image's prompt."""
        ...

    def find_messages(
        self,
        db: Connection,
        principal: Principal,
        terms: Sequence[SearchTerm],
        limit: int,
        note: Callable[[], None],
        project: str | None = None,
    ) -> list[Hit]:
        """Find the principal's messages that have all terms, best first, in a project or in all conversations.

        Calls `note` for damaged ones.
        """
        ...

    def image_condition(self, terms: Sequence[SearchTerm]) -> tuple[str, Any]:
        """Return the condition on rows of `picture` that have all terms, and the value of its one parameter."""
        ...

    def find_chunks(
        self, db: Connection, scope: SearchScope, terms: Sequence[SearchTerm], limit: int
    ) -> list[ChunkHit]:
        """Find the chunks of a scope that have some of the terms, best first."""
        ...

    def count_entries(self, db: Connection, principal: Principal, terms: Sequence[SearchTerm]) -> tuple[int, list[int]]:
        """Count the entries that weights are computed from: all of them, and those that have each term."""
        ...

    def list_entries(self, db: Connection, principal: Principal, term: SearchTerm, limit: int) -> Iterator[int]:
        """List the newest entries with a term by number; some may be of feeds of others."""
        ...

    def select_names(self, db: Connection, source: NameSource, searcher: str, query: NameQuery) -> Iterator[Any]:
        """Select the newest rows whose names match; `searcher` is the parameter of the source."""
        ...

    def erasing_many(self, db: Connection) -> AbstractContextManager[None]:
        """Let the words of what is erased within leave the index with a merge afterwards, where that is quicker."""
        ...

    def get_merge_due(self, db: Connection) -> int | None:
        """Return a number that names the erasures whose words are yet to leave the index; None if there are none."""
        ...

    def begin_merge(self, db: Connection) -> None:
        """Begin to drop the words of what was erased."""
        ...

    def go_on_merging(self, db: Connection, due: int) -> bool:
        """Go on, from `get_merge_due`; return whether there is more to do."""
        ...


def weigh_term(rows: int, count: int) -> float:
    """Return the score that BM25 gives a term in a row of average length that has it once."""
    return max(math.log((rows - count + 0.5) / (count + 0.5)), _MIN_WEIGHT)


def choose_rare(counted: Sequence[tuple[int, SearchTerm]]) -> list[tuple[int, SearchTerm]]:
    """Choose the terms to search for, from their counts: the rarest within MAX_INDEX_HITS, or the very rarest."""
    counts = sorted(counted, key=lambda each: (each[0], each[1].query))
    hits = accumulate(count for count, _ in counts)
    rare = [each for each, most in zip(counts, hits, strict=True) if most <= MAX_INDEX_HITS]
    return rare or counts[:1]


def build_numbered_hit(row: Any) -> tuple[int, Hit]:
    """Build a hit from a row that begins with the message's number. Raises MalformedRow."""
    number, *values = row
    return number, _build_hit(values)


@row_decoder
def _build_hit(values: Any) -> Hit:
    return Hit(*values)
