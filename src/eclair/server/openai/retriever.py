"""Retrieval for requests of `/v1`: from attached files and the web."""

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
from eclair.chat.tree import last_question
from eclair.citations.checker import CitationChecker
from eclair.errors import InvalidInput, NotFound
from eclair.generation.sources import NO_LEAD, ClosestQuotes, Finding, Lead, PassageNumbers, Retriever
from eclair.llm.base import JSON, Engine, PromptMessage
from eclair.schema.ids import new_id
from eclair.schema.messages import Message, Part, Passage, Web
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.server.request_body import StrictModel

FILE_NAME_PATTERN = r"^[^/\\\x00-\x1f]+$"


class FileInput(StrictModel):
    """A file, by its id or as base64 data with a name."""

    file_id: str | None = None
    file_data: str | None = None
    filename: str | None = Field(default=None, min_length=1, max_length=255, pattern=FILE_NAME_PATTERN)


class RequestRetriever:
    """Implements `Retriever` for the files of a request and the web.

    `libraries` and `searched_files` are the ids of those that are searched too, where the principal may read them.
    With `gives_way`, a model that can look up by itself searches these and the web by its own calls. Files sent inside
    the request are deleted after retrieval; `stored_files` are the ids of those that stay. Raises InvalidInput if the
    request has no question.
    """

    def __init__(
        self,
        app: App,
        principal: Principal,
        files: Sequence[FileInput],
        messages: Sequence[PromptMessage],
        *,
        web: bool,
        libraries: Sequence[str] = (),
        searched_files: Sequence[str] = (),
        numbers: PassageNumbers | None = None,
        gives_way: bool = False,
    ) -> None:
        if not any(message.role == "user" and _text(message.content).strip() for message in messages):
            raise InvalidInput("Nothing is asked about the file; send a text beside it.", param="messages")
        self._app = app
        self._principal = principal
        self._files = files
        self._libraries = libraries
        self._searched_files = searched_files
        self._numbers = numbers
        self._gives_way = gives_way
        self._history = request_history(messages)
        self._web: Web | None = "on" if web else None
        self._retriever: Retriever | None = None
        self.stored_files: frozenset[str] = frozenset()

    async def retrieve(self, engine: Engine, model: Model) -> AsyncGenerator[Finding, None]:
        """Read the files, then retrieve. Raises InvalidInput, NotFound, UnreadableFile and StoreError."""
        documents = self._app.documents
        leaves_search = self._gives_way and model.can_look_up
        async with _ingested(self._app, self._principal, self._files) as (ids, self.stored_files):
            ids = [*ids, *(() if leaves_search else self._searched_files)]
            async with aclosing(documents.wait_until_read(self._principal, ids)) as states:
                async for _ in states:
                    pass
            last = max(number for number, message in enumerate(self._history) if message.role == "user")
            libraries = () if leaves_search else self._libraries
            question = replace(
                self._history[last],
                files=await documents.get_attachments(self._principal, ids),
                libraries=await self._app.answer_requests.open_libraries(self._principal, libraries),
            )
            history, web = [*self._history[:last], question], None if leaves_search else self._web
            self._retriever = self._app.answer_requests.retriever(
                self._principal, new_id("run"), None, history, web, numbers=self._numbers
            )
            if self._retriever is not None:
                async with aclosing(self._retriever.retrieve(engine, model)) as findings:
                    async for finding in findings:
                        yield finding

    async def lead(self, model: Model) -> Lead:
        return await self._retriever.lead(model) if self._retriever is not None else NO_LEAD

    async def closest_quotes(self, model: Model) -> ClosestQuotes:
        return await self._retriever.closest_quotes(model) if self._retriever is not None else ()

    def checker(self, passages: Sequence[Passage]) -> CitationChecker:
        return self._app.documents.checker(last_question(self._history), passages)


@asynccontextmanager
async def _ingested(
    app: App, principal: Principal, files: Sequence[FileInput]
) -> AsyncGenerator[tuple[list[str], frozenset[str]]]:
    """Ingest files sent as data; yield all files' ids, and the ids of those that were stored before.

    The ingested ones are deleted on exit.
    """
    ids: list[str] = []
    sent: list[str] = []
    try:
        for file in files:
            if file.file_id is not None and file.file_data is None:
                ids.append(file.file_id)
            elif file.file_id is None and file.file_data is not None:
                sent.append(await _ingest(app, principal, file.filename or "file", file.file_data))
                ids.append(sent[-1])
            else:
                raise InvalidInput("A file has either file_id or file_data.", param="file")
        yield ids, frozenset(ids) - frozenset(sent)
    finally:
        for id in sent:
            with contextlib.suppress(NotFound):
                await app.ingestor.delete(principal, id)


async def _ingest(app: App, principal: Principal, name: str, data: str) -> str:
    """Ingest a file sent as base64 or as a `data:` URL; return its id."""
    head, comma, encoded = data.partition(",") if data.startswith("data:") else ("", "", data)
    try:
        content = await asyncio.to_thread(base64.b64decode, encoded, validate=True)
    except (binascii.Error, ValueError):
        content = b""
    if not content or (head and not (comma and head.endswith(";base64"))):
        raise InvalidInput(
            f"The file_data of {name} is empty or not base64; encode the file's bytes.", param="file_data"
        )

    async def source() -> AsyncGenerator[bytes, None]:
        yield content

    media = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return (await app.ingestor.ingest(principal, name, media, source())).file.id


def request_history(messages: Sequence[PromptMessage]) -> list[Message]:
    """Return what a request's user and assistant said, without what tools did."""
    return [_message(message) for message in messages if message.role in ("user", "assistant")]


def _message(message: PromptMessage) -> Message:
    role = "user" if message.role == "user" else "assistant"
    return Message("", "", None, role, (Part("text", _text(message.content)),), 0)


def _text(content: str | list[JSON] | None) -> str:
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if part.get("type") == "text")
    return content or ""
