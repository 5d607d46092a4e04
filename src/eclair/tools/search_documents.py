"""`search_documents`: a model searches the files and libraries of its conversation."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence

from pydantic import BaseModel, ConfigDict, Field

from eclair.documents.document_lookup import DocumentLookup
from eclair.documents.reading_budget import reading_budget
from eclair.generation.passage_results import fit_passages, passage_result
from eclair.generation.tools import CALL_TIMEOUT_S, LocalTool, ToolContext, ToolResult, define_function
from eclair.llm.base import JSON, PromptMessage
from eclair.schema.events import Event, StepFinished, StepStarted
from eclair.schema.messages import CallAccess, Passage
from eclair.schema.models import Model

SEARCH_DOCUMENTS_TOOL_NAME = "search_documents"

_DESCRIPTION = (
    "Searches the files and libraries of this conversation, and returns the passages that fit best, each with its "
    "place. Search again with other words, or in the language of the files, if they don't answer."
)


class DocumentQuery(BaseModel):
    model_config = ConfigDict(extra="ignore")

    query: str = Field(min_length=1, max_length=1000, description="A question, or words that the passage has.")


class SearchDocumentsTool(LocalTool):
    """Implements `Tool`: searches for one question. `demands_skill` is as in `SearchWebTool`.

    A call gives as many passages as the model can use, and no more than `max_passages`.
    """

    name = SEARCH_DOCUMENTS_TOOL_NAME
    access: CallAccess = "read"
    arguments: type[BaseModel] = DocumentQuery
    timeout_s = CALL_TIMEOUT_S

    def __init__(
        self, documents: DocumentLookup, *, demands_skill: bool = True, max_passages: int | None = None
    ) -> None:
        self._documents = documents
        self._max_passages = max_passages
        self._demands_skill = demands_skill

    def definition(self, model: Model, messages: Sequence[PromptMessage], passages: Sequence[Passage]) -> JSON | None:
        """Return the tool; None for a model that isn't known to call it where it should."""
        if not (model.can_look_up if self._demands_skill else model.can_call_tools):
            return None
        return define_function(self.name, _DESCRIPTION, DocumentQuery)

    def summary(self, arguments: DocumentQuery) -> str:
        """See `Tool.summary`."""
        return f"Search the files for “{' '.join(arguments.query.split())}”"

    async def run(self, arguments: DocumentQuery, context: ToolContext) -> AsyncGenerator[Event | ToolResult, None]:
        """Search. Raises StoreError."""
        began, step = time.perf_counter(), f"{context.call}.search"
        yield StepStarted(step, "search", f"Searching {await self._documents.describe()}")
        limit, local = reading_budget(context.model).passages, context.model.location == "machine"
        limit = min(limit, self._max_passages or limit)
        found = await self._documents.find(arguments.query, limit, local=local)
        passages = fit_passages(found[: self._max_passages], context)
        took = round((time.perf_counter() - began) * 1000, 1)
        yield StepFinished(step, took, None if passages else "nothing", len(passages))
        if passages:
            yield passage_result(passages)
        else:
            yield ToolResult("Nothing was found. Try other words, or answer without it and say so.")
