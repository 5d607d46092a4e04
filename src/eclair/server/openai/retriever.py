"""Retrieves from the files that go along with a request of `/v1`, and from the web, as a conversation does."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import mimetypes
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace

from pydantic import Field

from eclair.app import App
from eclair.citations.checker import CitationChecker
from eclair.errors import InvalidInput, NotFound
from eclair.generation.sources import NO_LEAD, Finding, Lead, Retriever
from eclair.llm.base import JSON, Engine, PromptMessage
from eclair.schema.ids import new_id
from eclair.schema.messages import Message, Part, Passage, Web
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.server.request_body import Fields

NAMED = r"^[^/\\\x00-\x1f]+$"


class GivenFile(Fields):
    """A file by its id, or its bytes in base64 with its name."""

    file_id: str | None = None
    file_data: str | None = None
    filename: str | None = Field(default=None, min_length=1, max_length=255, pattern=NAMED)


class RequestRetriever:
    """Implements `Retriever` for the files and the web that go along with a request.

    What was sent in the request itself is erased once it was retrieved from. `kept` are the files that are still there
    afterwards. Raises InvalidInput where nothing is asked of them.
    """

    def __init__(
        self, app: App, principal: Principal, files: Sequence[GivenFile], said: Sequence[PromptMessage], *, web: bool
    ) -> None:
        if not any(message.role == "user" and _text(message.content).strip() for message in said):
            raise InvalidInput("Nothing is asked about the file; send a text beside it.", param="messages")
        self._app = app
        self._principal = principal
        self._files = files
        self._said = said
        self._web: Web | None = "on" if web else None
        self._retriever: Retriever | None = None
        self.kept: frozenset[str] = frozenset()

    async def retrieve(self, engine: Engine, model: Model) -> AsyncGenerator[Finding, None]:
        """Read the files, then find what may answer. Raises InvalidInput, NotFound, UnreadableFile and StoreError."""
        documents = self._app.documents
        async with _taken(self._app, self._principal, self._files) as (ids, self.kept):
            async with aclosing(documents.wait_until_read(self._principal, ids)) as states:
                async for _ in states:
                    pass
            history = [_message(message) for message in self._said if message.role in ("user", "assistant")]
            asked = max(number for number, message in enumerate(history) if message.role == "user")
            question = replace(history[asked], files=await documents.get_attachments(self._principal, ids))
            history = [*history[:asked], question]
            self._retriever = self._app.requests.retriever(self._principal, new_id("run"), None, history, self._web)
            if self._retriever is not None:
                async with aclosing(self._retriever.retrieve(engine, model)) as findings:
                    async for finding in findings:
                        yield finding

    async def lead(self, model: Model) -> Lead:
        return await self._retriever.lead(model) if self._retriever is not None else NO_LEAD

    def checker(self, passages: Sequence[Passage]) -> CitationChecker:
        assert self._retriever is not None  # or there were no passages
        return self._retriever.checker(passages)


@asynccontextmanager
async def _taken(
    app: App, principal: Principal, files: Sequence[GivenFile]
) -> AsyncGenerator[tuple[list[str], frozenset[str]]]:
    """Yield the ids of the files, and which of them are kept; those that were sent along are there only within."""
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
                await app.ingestor.delete(principal, id)


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
    return (await app.ingestor.ingest(principal, name, media, source())).file.id


def _message(said: PromptMessage) -> Message:
    role = "user" if said.role == "user" else "assistant"
    return Message("", "", None, role, (Part("text", _text(said.content)),), 0)


def _text(content: str | list[JSON] | None) -> str:
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if part.get("type") == "text")
    return content or ""
