"""The tools that look something up for one question, on the web and in its documents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from eclair.documents.service import DocumentService
from eclair.generation.tools import Tool
from eclair.schema.messages import Message
from eclair.schema.principal import Principal
from eclair.tools.read_document import ReadDocumentTool
from eclair.tools.read_page import ReadPageTool
from eclair.tools.search_documents import SearchDocumentsTool
from eclair.tools.search_web import SearchWebTool
from eclair.web.public_words import PublicWords
from eclair.web.question import WebQuestion
from eclair.web.retriever import WebService


def web_tools(
    web: WebService | None,
    question: WebQuestion,
    history: Sequence[Message],
    private: Iterable[str] = (),
    *,
    demands_skill: bool = True,
) -> tuple[Tool, ...]:
    """Return `search_web` and `read_page`; none where the person may not use the web, or nothing may leave.

    `private` texts, such as memories, are in the prompt, and nobody else may be told.
    """
    if web is None or not web.may_use(question.principal):
        return ()
    public = PublicWords(history, web.access.today(), private)
    return (
        SearchWebTool(web, question, public, demands_skill=demands_skill),
        ReadPageTool(web, question, public, demands_skill=demands_skill),
    )


def document_tools(
    documents: DocumentService | None, principal: Principal, history: Sequence[Message], *, demands_skill: bool = True
) -> tuple[Tool, ...]:
    """Return `search_documents` and `read_document`; none where there are no files or libraries to search."""
    lookup = documents.make_lookup(principal, history) if documents is not None else None
    if lookup is None:
        return ()
    return (
        SearchDocumentsTool(lookup, demands_skill=demands_skill),
        ReadDocumentTool(lookup, demands_skill=demands_skill),
    )
