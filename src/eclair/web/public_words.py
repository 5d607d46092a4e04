"""Decides what a call to the web tells of what isn't public: nothing, if its words are the person's or public ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from eclair.schema.messages import Message, Passage
from eclair.schema.web import WebHit
from eclair.text.facts import content_stems
from eclair.text.intent.web import find_addresses


class PublicWords:
    """The words and addresses that may go to the web while one answer is made: the person's own, and those of the web.

    `private` are texts that the model is shown and nobody else may be told, such as memories. Once the model has read
    files, any word that it adds may be one of theirs.
    """

    def __init__(self, history: Sequence[Message], today: date, private: Iterable[str] = ()) -> None:
        asked = [message.text for message in history if message.role == "user"]
        self._words = {stem for text in asked for stem in content_stems(text)} | {
            str(year) for year in range(today.year - 1, today.year + 2)
        }
        self._private = {stem for text in private for stem in content_stems(text)}
        self._addresses = {url for text in asked for url in find_addresses(text)}
        self._has_files = any(message.files or message.libraries for message in history)
        for message in history:
            self.add_passages(message.passages)
            self._has_files |= any(call.access in ("read", "write") for call in message.calls)

    def add_passages(self, passages: Iterable[Passage]) -> None:
        """Add sources: those of the web are public, others are files."""
        for passage in passages:
            if passage.url is None:
                self._has_files = True
            else:
                self._addresses.add(passage.url)
                self._words.update(content_stems(f"{passage.name}\n{passage.text}"))

    def add_hits(self, hits: Iterable[WebHit]) -> None:
        """Add what a search found, whose addresses may be read."""
        for hit in hits:
            self._addresses.add(hit.url)
            self._words.update(content_stems(f"{hit.title}\n{hit.snippet}"))

    def knows_address(self, url: str) -> bool:
        """Return whether the person, a source or a search gave this address."""
        return url in self._addresses

    def find_private(self, query: str) -> str:
        """Return the words of a search that could tell what isn't public."""
        unknown = [stem for stem in content_stems(query) if stem not in self._words]
        return " ".join(unknown if self._has_files else [stem for stem in unknown if stem in self._private])
