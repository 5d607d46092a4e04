"""`read_document`: a model reads a file of its conversation, part by part."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence

from pydantic import BaseModel, ConfigDict, Field

from eclair.documents.document_lookup import DocumentLookup
from eclair.generation.passage_results import fit_passages, passage_result
from eclair.generation.tools import CALL_TIMEOUT_S, LocalTool, ToolContext, ToolResult, define_function
from eclair.llm.base import JSON, PromptMessage
from eclair.schema.events import Event, StepFinished, StepStarted
from eclair.schema.messages import CallAccess, Passage
from eclair.schema.models import Model

READ_DOCUMENT_TOOL_NAME = "read_document"

_DESCRIPTION = (
    "Reads a file of this conversation in order, from its beginning or from a place on, and says where to go on. To "
    "find one place in a long file, search instead."
)


class DocumentToRead(BaseModel):
    model_config = ConfigDict(extra="ignore")

    file: str = Field(min_length=1, max_length=500, description="Its name.")
    page: int | None = Field(None, ge=1, le=1_000_000, description="The page to begin with, if the file has pages.")
    start: int = Field(1, ge=1, le=10_000_000, description="The passage to begin with, as an earlier result said.")


class ReadDocumentTool(LocalTool):
    """Implements `Tool`: reads files for one question. `demands_skill` is as in `SearchWebTool`."""

    name = READ_DOCUMENT_TOOL_NAME
    access: CallAccess = "read"
    arguments: type[BaseModel] = DocumentToRead
    timeout_s = CALL_TIMEOUT_S

    def __init__(self, documents: DocumentLookup, *, demands_skill: bool = True) -> None:
        self._documents = documents
        self._demands_skill = demands_skill

    def definition(self, model: Model, messages: Sequence[PromptMessage], passages: Sequence[Passage]) -> JSON | None:
        """Return the tool; None for a model that isn't known to call it where it should."""
        if not (model.can_look_up if self._demands_skill else model.can_call_tools):
            return None
        return define_function(self.name, _DESCRIPTION, DocumentToRead)

    def summary(self, arguments: DocumentToRead) -> str:
        """See `Tool.summary`."""
        return f"Read {arguments.file}{f', page {arguments.page}' if arguments.page is not None else ''}"

    async def run(self, arguments: DocumentToRead, context: ToolContext) -> AsyncGenerator[Event | ToolResult, None]:
        """Read as much as a result has room for. Raises NotFound, UnreadableFile and StoreError."""
        file = await self._documents.find_file(arguments.file)
        began, step = time.perf_counter(), f"{context.call}.read"
        yield StepStarted(step, "read", f"Reading {file.file.name}")
        local = context.model.location == "machine"
        read = await self._documents.read(file, arguments.start, arguments.page, local=local)
        passages = fit_passages([each.passage for each in read], context)
        yield StepFinished(step, round((time.perf_counter() - began) * 1000, 1), None if passages else "nothing")
        if not passages:
            yield ToolResult(f"{file.file.name} has nothing there; it has {file.document.chunks:,} passages.")
            return
        following = read[len(passages) - 1].number + 1
        total = file.document.chunks
        foot = f"This goes up to passage {following - 1:,} of {total:,}; go on with start={following}."
        yield passage_result(passages, foot if following <= total else "This is the end of the file.")
