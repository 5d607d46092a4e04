"""Éclair's own tools for programs, by OpenAI's names: which of them the model of a response may call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from eclair.app import App
from eclair.chat.tree import last_question
from eclair.errors import InvalidInput
from eclair.generation.tools import Tool
from eclair.llm.base import PromptMessage
from eclair.schema.ids import new_id
from eclair.schema.messages import Message
from eclair.schema.principal import Principal
from eclair.server.openai.code_interpreter import open_interpreter
from eclair.server.openai.file_search import SearchedStores, open_stores
from eclair.server.openai.responses_schema import ResponsesRequest
from eclair.server.openai.retriever import request_history
from eclair.tools.read_page import READ_PAGE_TOOL_NAME
from eclair.tools.search_documents import SEARCH_DOCUMENTS_TOOL_NAME, SearchDocumentsTool
from eclair.tools.search_web import SEARCH_WEB_TOOL_NAME
from eclair.tools.source_tools import web_tools
from eclair.web.question import WebQuestion

SEARCH_TOOLS = {
    SEARCH_DOCUMENTS_TOOL_NAME: "file_search_call",
    SEARCH_WEB_TOOL_NAME: "web_search_call",
    READ_PAGE_TOOL_NAME: "web_search_call",
}
"""Types of the items that calls of searching tools become."""


@dataclass(frozen=True, slots=True)
class HostedTools:
    """Éclair's own tools that a request has.

    `container` is that of the code interpreter, and `images` the pictures of its calls by their id, as they come.
    `stores` and `uses_web` say what is searched for the `question`; a model that doesn't call the `tools` well is shown
    what was found before it is asked.
    """

    tools: tuple[Tool, ...] = ()
    container: str = ""
    images: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    stores: SearchedStores | None = None
    uses_web: bool = False
    question: str = ""

    @property
    def names(self) -> frozenset[str]:
        return frozenset(tool.name for tool in self.tools)

    @property
    def searched(self) -> frozenset[str]:
        """Types of the items that searches become."""
        files = {"file_search_call"} if self.stores is not None else set[str]()
        return frozenset(files | ({"web_search_call"} if self.uses_web else set()))


async def open_hosted_tools(
    app: App, principal: Principal, body: ResponsesRequest, messages: Sequence[PromptMessage]
) -> HostedTools:
    """Return the tools of a request.

    Raises InvalidInput if a function has the name of one, NotFound for libraries and files, and RightMissing.
    """
    interpreter, container = await open_interpreter(app, principal, body.code_interpreter, body.function_names)
    stores = None if body.file_search is None else await open_stores(app, principal, body.file_search)
    history = request_history(messages)
    private = [body.instructions] if body.instructions else []
    searching = _search_tools(app, principal, history, stores, private, uses_web=body.uses_web)
    tools = (*([interpreter] if interpreter is not None else []), *searching)
    for tool in searching:
        if tool.name in body.function_names:
            raise InvalidInput(f"{tool.name} is a tool of Éclair; give your function another name.", param="tools")
    images = interpreter.images if interpreter is not None else {}
    return HostedTools(tools, container, images, stores, body.uses_web, last_question(history))


def _search_tools(
    app: App,
    principal: Principal,
    history: Sequence[Message],
    stores: SearchedStores | None,
    private: Sequence[str],
    *,
    uses_web: bool,
) -> list[Tool]:
    """Return the tools that search for the last question of `history`, as far as the person may use them."""
    asked = [number for number, message in enumerate(history) if message.role == "user"]
    if not asked:
        return []
    tools: list[Tool] = []
    if stores is not None:
        searched = replace(history[asked[-1]], files=stores.files, libraries=stores.libraries)
        history = [*history[: asked[-1]], searched, *history[asked[-1] + 1 :]]
        if (lookup := app.documents.make_lookup(principal, history)) is not None:
            tools.append(SearchDocumentsTool(lookup, max_passages=stores.limit))
    if uses_web:
        question = WebQuestion.last_in(history, principal, new_id("run"), None)
        tools += web_tools(app.web, question, history, private)
    return [tool for tool in tools if app.rights.may(principal, f"tool:{tool.name}")]
