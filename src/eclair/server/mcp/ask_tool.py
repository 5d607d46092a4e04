"""The tool by which MCP clients ask Éclair a question: a whole, checked answer. Nothing is stored."""

from __future__ import annotations

import time
from contextlib import aclosing
from typing import Annotated

from mcp.types import ResourceLink
from pydantic import BaseModel, Field

from eclair.app import App
from eclair.chat.turn_options import TurnOptions
from eclair.errors import UpstreamError
from eclair.generation.prompt import describe_location
from eclair.schema.events import Event, PartDelta, PartStarted, StepStarted, decode, fold
from eclair.schema.messages import Message, Mode, Passage, Web
from eclair.schema.principal import Principal
from eclair.server.mcp.document_tools import DocumentNames
from eclair.server.mcp.tool import CallReply, ServedTool, TellProgress, ToolArguments
from eclair.server.mcp.uris import file_uri, parse_file_uri

WORDS_PER_REPORT = 40
"""While an answer is written, its client hears of it each time so many words have come."""


class AskArguments(ToolArguments):
    question: Annotated[str, Field(min_length=1, description="The question, or the task.")]
    libraries: Annotated[
        DocumentNames,
        Field(default_factory=list, description="Names or ids of the person's libraries to answer from."),
    ]
    files: Annotated[
        DocumentNames, Field(default_factory=list, description="Ids or addresses of files to answer from.")
    ]
    web: Annotated[Web | None, Field(description="Search the web; by default as the person has it.")] = None
    model: Annotated[str | None, Field(max_length=200, description="The model; by default Éclair chooses.")] = None
    mode: Annotated[Mode | None, Field(description="Answer fast, or think first.")] = None
    thorough: Annotated[bool, Field(description="Read long documents in full, however long it takes.")] = False


class AnswerSource(BaseModel):
    """A passage that the answer could rest on; `uri` is the address of its file or web page."""

    number: int
    uri: str
    title: str
    text: str
    published: str | None


class CheckedCitation(BaseModel):
    """Characters `start` to `end` of the answer rest on a quote from a source; `support` is from 0 to 1."""

    start: int
    end: int
    source: int
    quote: str
    support: float
    page: int | None
    computation: str | None


class UnsupportedClaim(BaseModel):
    """No source says what characters `start` to `end` of the answer do; `about` is what differs, if known."""

    start: int
    end: int
    about: str


class CheckedAnswer(BaseModel):
    """An answer by a model, each sentence of which was held against the sources."""

    answer: str
    model: str | None
    sources: list[AnswerSource]
    citations: list[CheckedCitation]
    unsupported: list[UnsupportedClaim]
    notices: list[str]
    is_complete: bool


class AskTool:
    """Answers questions of MCP clients, over the services of `app`."""

    def __init__(self, app: App) -> None:
        self._app = app

    def tool(self) -> ServedTool:
        return ServedTool(
            "ask",
            "Ask Éclair",
            "Has Éclair answer a question with the person's model: from their libraries or files, from the web, or "
            "from what the model knows. Each sentence is checked against the sources; cited ones come with their "
            "quotes, and those that no source supports are named.",
            AskArguments,
            CheckedAnswer,
            self._ask,
            is_outbound=True,
            is_repeatable=False,
        )

    async def _ask(self, principal: Principal, arguments: AskArguments, report: TellProgress) -> CallReply:
        options = TurnOptions(
            model=arguments.model, mode=arguments.mode, web=arguments.web, draws=False, thorough=arguments.thorough
        )
        batches = await self._app.turns.ask_temporary(
            principal,
            [("user", arguments.question)],
            options,
            time.perf_counter(),
            files=[parse_file_uri(each)[0] for each in arguments.files],
            libraries=arguments.libraries,
        )
        events: list[Event] = []
        progress = _AnswerProgress(report)
        async with aclosing(batches):
            async for batch in batches:
                for line in batch.lines:
                    events.append(decode(line))
                    await progress.show(events[-1])
        message = fold(events)
        if message.fault is not None:
            raise UpstreamError(message.fault.message)
        answer = _checked_answer(message)
        return CallReply(answer, _as_text(answer), _links(answer, message.passages))


class _AnswerProgress:
    """Tells a client which step an answer has come to, and how many words are written."""

    def __init__(self, report: TellProgress) -> None:
        self._report = report
        self._texts: set[int] = set()
        self._words = self._told = 0

    async def show(self, event: Event) -> None:
        match event:
            case StepStarted(kind="ask", title=title):
                await self._report(f"Asking {title}")
            case StepStarted(kind="fetch", title=title):
                await self._report(f"Reading {title}")
            case StepStarted(title=title):
                await self._report(title)
            case PartStarted(kind="text", index=index):
                self._texts.add(index)
            case PartDelta(index=index, text=text) if index in self._texts:
                self._words += len(text.split())
                if self._words >= self._told + WORDS_PER_REPORT:
                    self._told = self._words
                    await self._report(f"Writing the answer, {self._words:,} words so far")
            case _:
                pass


def _checked_answer(message: Message) -> CheckedAnswer:
    starts = _text_starts(message)
    return CheckedAnswer(
        answer=message.text,
        model=message.model,
        sources=[
            AnswerSource(
                number=each.number,
                uri=_address(each),
                title=describe_location(each),
                text=each.text,
                published=each.published,
            )
            for each in message.passages
        ],
        citations=[
            CheckedCitation(
                start=starts[each.index] + each.start,
                end=starts[each.index] + each.end,
                source=each.passage,
                quote=each.quote,
                support=round(each.support, 4),
                page=each.page,
                computation=each.computation,
            )
            for each in message.citations
            if each.index in starts
        ],
        unsupported=[
            UnsupportedClaim(start=starts[each.index] + each.start, end=starts[each.index] + each.end, about=each.about)
            for each in message.doubts
            if each.index in starts
        ],
        notices=[each.message for each in message.remarks],
        is_complete=message.finish_reason == "stop",
    )


def _text_starts(message: Message) -> dict[int, int]:
    """Return where each text part begins in the text of the message, which has a paragraph for each round."""
    starts: dict[int, int] = {}
    length, previous = 0, None
    for index, part in enumerate(message.parts):
        if part.kind != "text" or not part.text:
            continue
        length += 2 if previous is not None and part.round != previous else 0
        starts[index], previous = length, part.round
        length += len(part.text)
    return starts


def _as_text(answer: CheckedAnswer) -> str:
    """Write the answer with the numbers of its sources after what they support, and the quotes below."""
    text = answer.answer
    marks = {(each.end, f"[{each.source}]") for each in answer.citations}
    marks |= {(each.end, "[unsupported]") for each in answer.unsupported}
    for end, mark in sorted(marks, reverse=True):
        text = f"{text[:end]} {mark}{text[end:]}"
    titles = {each.number: each.title for each in answer.sources}
    quotes = dict.fromkeys((each.source, " ".join(each.quote.split())) for each in answer.citations)
    lines = [f"[{number}] {titles.get(number, '')}: “{quote}”" for number, quote in sorted(quotes)]
    return "\n\n".join(filter(None, [text, "\n".join(lines), "\n".join(answer.notices)]))


def _links(answer: CheckedAnswer, passages: tuple[Passage, ...]) -> tuple[ResourceLink, ...]:
    """Link to the files and web pages that the answer cites, each once."""
    cited = {each.source for each in answer.citations}
    found = {_address(each): each for each in passages if each.number in cited}
    return tuple(ResourceLink(uri=uri, name=each.name, title=each.name) for uri, each in found.items())


def _address(passage: Passage) -> str:
    return passage.url if passage.url is not None else file_uri(passage.file)
