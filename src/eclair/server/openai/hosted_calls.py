"""Shows what Éclair's own tools do for a response: items of calls and searches, with the events that OpenAI names."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from eclair.llm.base import JSON
from eclair.schema.events import CallEnded, PartStarted
from eclair.schema.ids import new_id
from eclair.schema.messages import Passage, StepKind
from eclair.server.openai.code_interpreter import call_outputs
from eclair.server.openai.hosted_tools import SEARCH_TOOLS, HostedTools
from eclair.server.openai.output_items import OutputItem, ResponseOutput
from eclair.server.openai.response_input import ID_PREFIXES
from eclair.tools.read_page import READ_PAGE_TOOL_NAME, PageToRead
from eclair.tools.search_documents import DocumentQuery

FILE_SEARCH_RESULTS = "file_search_call.results"
WEB_SEARCH_SOURCES = "web_search_call.action.sources"
INCLUDABLE = frozenset({FILE_SEARCH_RESULTS, WEB_SEARCH_SOURCES})

STEP_TYPES: dict[StepKind, str] = {
    "read": "file_search_call",
    "search": "file_search_call",
    "ask": "web_search_call",
    "fetch": "web_search_call",
}
"""Types of the items of searches that are made before the model is asked, by the steps that they begin with."""


class HostedCalls:
    """The items of calls and searches in one response. `included` names what they show besides their queries."""

    def __init__(self, output: ResponseOutput, hosted: HostedTools, included: frozenset[str]) -> None:
        self._output = output
        self._hosted = hosted
        self._included = included
        self._places: dict[str, int] = {}
        """Places of items by the id of their call, or the type of a search before the first call."""
        self._tools: dict[int, str] = {}
        """Names of the tools that are called, by the places of their items."""
        self._results: dict[int, str] = {}
        """Calls by the index of the part that has their result."""

    def owns(self, name: str | None) -> bool:
        """Return whether a tool of this name is one of Éclair's own here."""
        return name in self._hosted.names

    def is_item(self, place: int) -> bool:
        """Return whether the item there is one of these."""
        return place in self._places.values()

    def start(self, part: PartStarted) -> tuple[int, list[JSON]]:
        """Begin the item of a call; one of a search is shown once its query is known."""
        type = SEARCH_TOOLS.get(part.name or "", "code_interpreter_call")
        head: JSON = {"id": new_id(ID_PREFIXES[type]), "type": type, "status": "in_progress"}
        if type == "code_interpreter_call":
            head |= {"container_id": self._hosted.container, "outputs": None}
        place = self._output.add(OutputItem("tool_call", head))
        self._places[part.id or ""], self._tools[place] = place, part.name or ""
        if type != "code_interpreter_call":
            return place, []
        return place, [self._output.added(place), self._event(place, "in_progress")]

    def finish(self, place: int, *, is_made: bool) -> list[JSON]:
        """Show a call, whose arguments are complete; unless it `is_made`, it broke off."""
        item = self._output.items[place]
        if item.type != "code_interpreter_call":
            return self._finish_search(place, is_made=is_made)
        code, name = item.to_output()["code"], "response.code_interpreter_call_code"
        shown = [
            self._output.item_event(place, f"{name}.delta", delta=code),
            self._output.item_event(place, f"{name}.done", code=code),
        ]
        if not is_made:
            item.head["status"] = "incomplete"
            return [*shown, self._output.done(place)]
        item.head["status"] = "interpreting"
        return [*shown, self._event(place, "interpreting")]

    def _finish_search(self, place: int, *, is_made: bool) -> list[JSON]:
        item = self._output.items[place]
        item.head |= _describe_search(self._tools[place], item.text)
        shown = [self._output.added(place), self._event(place, "in_progress")]
        if not is_made:
            item.head["status"] = "incomplete"
            return [*shown, self._output.done(place)]
        item.head["status"] = "searching"
        return [*shown, self._event(place, "searching")]

    def has_call(self, call: str | None) -> bool:
        """Return whether an item is that of this call."""
        return call in self._places

    def end_search(self, ended: CallEnded, found: Sequence[Passage]) -> list[JSON]:
        """End the item of a call that searched; one that ran code ends with its result."""
        place = self._places[ended.call]
        if self._output.items[place].type == "code_interpreter_call":
            return []
        return self._end_search(place, found, has_failed=ended.outcome != "done")

    def expect_result(self, part: PartStarted) -> None:
        """Take the part that has the result of a call."""
        self._results[part.index] = part.id or ""

    def is_result(self, index: int) -> bool:
        return index in self._results

    def add_result(self, index: int, text: str) -> list[JSON]:
        """End a call that ran code by its result."""
        call = self._results[index]
        place = self._places[call]
        item = self._output.items[place]
        if item.type != "code_interpreter_call":
            return []
        item.head |= {"status": "completed", "outputs": call_outputs(text, self._hosted.images.get(call, ()))}
        return [self._event(place, "completed"), self._output.done(place)]

    def begins_search(self, kind: StepKind) -> str | None:
        """Return the type of the item that a step before the first call begins; None if it begins none."""
        type = STEP_TYPES.get(kind)
        return type if type in self._hosted.searched and type not in self._places else None

    def begin_search(self, type: str) -> list[JSON]:
        """Begin the item of a search that is made before the model is asked."""
        tool = next(name for name, shown in SEARCH_TOOLS.items() if shown == type)
        head: JSON = {"id": new_id(ID_PREFIXES[type]), "type": type, "status": "in_progress"}
        head |= _search_fields(tool, self._hosted.question)
        place = self._places[type] = self._output.add(OutputItem("tool_call", head))
        shown = [self._output.added(place), self._event(place, "in_progress")]
        head["status"] = "searching"
        return [*shown, self._event(place, "searching")]

    def end_searches(self, found: Sequence[Passage]) -> list[JSON]:
        """End the items of searches before the model was asked, with what they found."""
        events: list[JSON] = []
        for type in sorted(set(self._places) & set(STEP_TYPES.values()), key=self._places.__getitem__):
            if self._output.items[self._places[type]].head["status"] == "searching":
                is_web = type == "web_search_call"
                passages = [passage for passage in found if (passage.url is not None) == is_web]
                events += self._end_search(self._places[type], passages, has_failed=False)
        return events

    def break_off(self) -> list[JSON]:
        """End calls that got no result, since the answer ended before."""
        events: list[JSON] = []
        for place in self._places.values():
            head = self._output.items[place].head
            if head["status"] in ("interpreting", "searching"):
                head["status"] = "incomplete"
                events.append(self._output.done(place))
        return events

    def _end_search(self, place: int, found: Sequence[Passage], *, has_failed: bool) -> list[JSON]:
        head = self._output.items[place].head
        head["status"] = "failed" if has_failed else "completed"
        if head["type"] == "file_search_call" and FILE_SEARCH_RESULTS in self._included:
            head["results"] = [_result(rank, passage) for rank, passage in enumerate(found, 1)]
        if head["type"] == "web_search_call" and WEB_SEARCH_SOURCES in self._included:
            urls = dict.fromkeys(passage.url for passage in found)
            if head["action"]["type"] == "search":
                head["action"] = {**head["action"], "sources": [{"type": "url", "url": url} for url in urls]}
        return [*([] if has_failed else [self._event(place, "completed")]), self._output.done(place)]

    def _event(self, place: int, state: str) -> JSON:
        return self._output.item_event(place, f"response.{self._output.items[place].type}.{state}")


def _describe_search(tool: str, arguments: str) -> JSON:
    """Return the fields that say what a call searches for, given its arguments as the model wrote them."""
    try:
        if tool == READ_PAGE_TOOL_NAME:
            return _search_fields(tool, PageToRead.model_validate_json(arguments).url)
        return _search_fields(tool, DocumentQuery.model_validate_json(arguments).query)
    except ValidationError:
        return _search_fields(tool, "")


def _search_fields(tool: str, query: str) -> JSON:
    if tool == READ_PAGE_TOOL_NAME:
        return {"action": {"type": "open_page", "url": query}}
    if SEARCH_TOOLS[tool] == "web_search_call":
        return {"action": {"type": "search", "query": query, "queries": [query]}}
    return {"queries": [query], "results": None}


def _result(rank: int, passage: Passage) -> JSON:
    """Render a passage that a search of files found; its score is the reciprocal of its rank."""
    return {
        "file_id": passage.file,
        "filename": passage.name,
        "score": round(1 / rank, 4),
        "text": passage.text,
        "attributes": {},
    }
