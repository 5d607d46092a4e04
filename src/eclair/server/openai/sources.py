"""Files that go along with a request of `/v1`, and the web: what it is answered from, and what the answer rests on.

They are gathered from as those of a conversation are; what was sent in the request itself is erased at once.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import math
import mimetypes
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from pydantic import Field

from eclair.app import App
from eclair.errors import InvalidInput, NotFound
from eclair.generation.fallback import Choice
from eclair.generation.live_citations import Checks
from eclair.generation.prompt import with_passages
from eclair.generation.sources import Grounds, Numbering, OwnWords, Quoted, joined
from eclair.llm.base import JSON, Counted, Ended, Piece, PromptMessage, Text
from eclair.llm.base import Request as EngineRequest
from eclair.schema.events import Cited, SourceFound
from eclair.schema.ids import new_id
from eclair.schema.messages import Citation, Message, Part, Passage
from eclair.schema.principal import Principal
from eclair.server.request_body import Fields
from eclair.web.retriever import Turning

NAMED = r"^[^/\\\x00-\x1f]+$"


class GivenFile(Fields):
    """A file by its id, or its bytes in base64 with its name."""

    file_id: str | None = None
    file_data: str | None = None
    filename: str | None = Field(default=None, min_length=1, max_length=255, pattern=NAMED)


class Marked:
    """The pieces of an answer to what `sources` were found for, and at its end what of it rests on which passage."""

    def __init__(self, stream: AsyncGenerator[Piece, None], sources: Grounded) -> None:
        self._stream = stream
        self._sources = sources
        self._passages = {passage.number: passage for passage in sources.passages}
        self._citations: list[Citation] = []

    async def pieces(self) -> AsyncGenerator[Piece, None]:
        """What leads, and then what the stream has, unless that was the answer. What is cited is known with its end."""
        said, own = "", OwnWords()
        for each in self._sources.lead:
            text = each if isinstance(each, str) else each.text
            if not isinstance(each, str):
                at = each.citation
                self._citations.append(replace(at, start=at.start + len(said), end=at.end + len(said)))
            said += text
            yield Text(text)
        if self._sources.suffices:
            yield Counted(0, 0)
            yield Ended("stop")
            return
        checks = self._sources.checks()
        try:
            if checks is not None and said:
                checks.known(0, said)
            async with aclosing(self._stream) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Text) and said:
                        piece = replace(piece, text=own.of(piece.text))
                    if checks is not None and isinstance(piece, Text):
                        checks.text(0, piece.text)
                    elif checks is not None and isinstance(piece, Ended):
                        marks = await checks.rest()
                        self._citations += [mark.citation for mark in marks if isinstance(mark, Cited)]
                    yield piece
        finally:
            if checks is not None:
                await checks.close()

    def cited(self, start: int = 0, end: float = math.inf) -> list[tuple[Citation, Passage]]:
        """What is cited in characters `start` to `end` of all text of the answer, in its order."""
        within = [citation for citation in self._citations if start <= citation.start < end]
        return [(citation, self._passages[citation.passage]) for citation in within]


@dataclass(frozen=True, slots=True)
class Grounded:
    """What was found for a request. `kept` are the files that are still there once it is answered. `lead` stands before
    the words of a small model, and if it `suffices` the model is not asked."""

    passages: tuple[Passage, ...] = ()
    notes: tuple[str, ...] = ()
    kept: frozenset[str] = frozenset()
    grounds: Grounds | None = None
    lead: tuple[Quoted | str, ...] = ()
    suffices: bool = False

    def shown(self, request: EngineRequest) -> EngineRequest:
        """The request with the passages, and notes on what was too long to be shown, above its question."""
        if not self.passages:
            return request
        messages = list(request.messages)
        at = max(number for number, said in enumerate(messages) if said.role == "user")
        messages[at] = replace(messages[at], content=_with(messages[at].content, self.passages, self.notes))
        return replace(request, messages=tuple(messages))

    def checks(self) -> Checks | None:
        return Checks(self.grounds.checker(self.passages)) if self.grounds is not None and self.passages else None


NONE = Grounded()
"""What a request without files and without the web may rest on."""


async def ground(
    app: App,
    principal: Principal,
    files: Sequence[GivenFile],
    said: Sequence[PromptMessage],
    by: Choice,
    *,
    web: bool = False,
    plain: bool = True,
) -> Grounded:
    """Read the files, and look on the web where that is wanted, and find what may answer. A `plain` answer has no form
    that quotes before it would break. Raises InvalidInput, NotFound, UnreadableFile, StoreError."""
    if not any(message.role == "user" and _text(message.content).strip() for message in said):
        raise InvalidInput("Nothing is asked about the file; send a text beside it.", param="messages")
    async with _taken(app, principal, files) as (ids, kept):
        async with aclosing(app.documents.until_read(principal, ids)) as states:
            async for _ in states:
                pass
        attached = await app.documents.attachments(principal, ids)
        history = [_message(message) for message in said if message.role in ("user", "assistant")]
        asked = max(number for number, message in enumerate(history) if message.role == "user")
        history[asked] = replace(history[asked], files=attached)
        history, numbering = history[: asked + 1], Numbering(history[: asked + 1])
        documents = app.documents.grounds(principal, history, numbering)
        turning = Turning(principal, new_id("run"), None, history, "on", beside=documents is not None)
        grounds = joined(documents, app.searching.grounds(turning, numbering) if web else None)
        if grounds is None:
            return NONE
        passages: list[Passage] = []
        async with aclosing(grounds.gather(by.engine, by.model)) as findings:
            async for finding in findings:
                if isinstance(finding, SourceFound):
                    passages.append(finding.passage)
        lead = await grounds.lead(by.model) if plain else ()
        suffices = plain and grounds.suffice()
        return Grounded(tuple(passages), tuple(grounds.notes()), kept, grounds, tuple(lead), suffices)


@asynccontextmanager
async def _taken(
    app: App, principal: Principal, files: Sequence[GivenFile]
) -> AsyncGenerator[tuple[list[str], frozenset[str]]]:
    """The ids of the files, and which of them are kept; those that were sent along are there only within."""
    ids: list[str] = []
    sent: list[str] = []
    try:
        for file in files:
            if file.file_id is not None and file.file_data is None:
                ids.append(file.file_id)
            elif file.file_id is None and file.file_data is not None:
                sent.append(await _take(app, principal, file.filename or "file", file.file_data))
                ids.append(sent[-1])
            else:
                raise InvalidInput("A file has either file_id or file_data.", param="file")
        yield ids, frozenset(ids) - frozenset(sent)
    finally:
        for id in sent:
            with contextlib.suppress(NotFound):
                await app.intake.delete(principal, id)


async def _take(app: App, principal: Principal, name: str, data: str) -> str:
    """Take in what was sent as base64, or as a `data:` URL."""
    head, comma, encoded = data.partition(",") if data.startswith("data:") else ("", "", data)
    try:
        content = await asyncio.to_thread(base64.b64decode, encoded, validate=True)
    except (binascii.Error, ValueError):
        content = b""
    if not content or (head and not (comma and head.endswith(";base64"))):
        raise InvalidInput(
            f"The file_data of {name} is no base64, or empty; encode the file's bytes.", param="file_data"
        )

    async def source() -> AsyncGenerator[bytes, None]:
        yield content

    media = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return (await app.intake.take(principal, name, media, source())).file.id


def _message(said: PromptMessage) -> Message:
    role = "user" if said.role == "user" else "assistant"
    return Message("", "", None, role, (Part("text", _text(said.content)),), 0)


def _text(content: str | list[JSON] | None) -> str:
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if part.get("type") == "text")
    return content or ""


def _with(content: str | list[JSON] | None, passages: Sequence[Passage], notes: Sequence[str]) -> str | list[JSON]:
    """The content, with the passages and notes above its last text."""
    if not isinstance(content, list):
        return with_passages(content or "", passages, notes)
    parts: list[dict[str, Any]] = [*content]
    at = max(number for number, part in enumerate(parts) if part.get("type") == "text")
    parts[at] = {**parts[at], "text": with_passages(str(parts[at].get("text", "")), passages, notes)}
    return parts
