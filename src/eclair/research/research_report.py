"""Reports: sub-agents look into each question and take notes, from which a section on each is written.

A capable model writes each section as an answer from that question's notes and passages. A tiny one writes nothing:
the report then quotes the sources. A `ResearchReport` is the work of one run.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import ExitStack, aclosing
from dataclasses import replace
from urllib.parse import quote, urlsplit

from eclair.documents.quotes import choose_quotes
from eclair.documents.reading_budget import reading_budget
from eclair.documents.readings import Readings
from eclair.generation.answer_request import AnswerRequest
from eclair.generation.meter import Meter
from eclair.generation.pipeline import AnswerPipeline
from eclair.generation.prompt import describe_location
from eclair.generation.sources import PassageNumbers
from eclair.generation.usage import AskModel
from eclair.research.agent_pool import AgentPassages, AgentPool
from eclair.research.earlier_research import EarlierResearch
from eclair.research.further_questions import ask_further
from eclair.research.plan import MAX_QUESTIONS
from eclair.research.reading_notes import MAX_QUOTED_NOTES
from eclair.research.report_sections import EmbeddedSection, GivenPassages, ReportText, SectionPrompt
from eclair.research.sub_agents import AgentTask, ResearchSources
from eclair.schema.agents import SubAgent
from eclair.schema.events import Cited, Event, Notice, RunFinished, UsageCounted
from eclair.schema.messages import Message, Passage
from eclair.text.language import identify_language
from eclair.text.lexicon.loader import ReportWords, load_lexicon
from eclair.util.slug import heading_anchor
from eclair.web.contradictions import difference_notices, find_differences
from eclair.web.question import WebQuestion
from eclair.web.retriever import UNREACHABLE_TEXT, failure_reply


class ResearchReport:
    """Implements `EventProducer`: looks into the questions of a plan and writes the report.

    `request` is the report's own answer request: its route, prompt and start time. With `earlier` it goes on with a
    research that was stopped or cut off, whose questions are the plan.
    """

    def __init__(
        self,
        sources: ResearchSources,
        pipeline: AnswerPipeline,
        request: AnswerRequest,
        question: WebQuestion,
        plan: Sequence[str],
        history: Sequence[Message],
        readings: Readings,
        ask: AskModel,
        earlier: EarlierResearch | None = None,
    ) -> None:
        self._sources = sources
        self._pipeline = pipeline
        self._request = request
        self._question = question
        self._earlier = earlier
        planned = [AgentTask(f"{number}", each) for number, each in enumerate(plan, 1)]
        self._tasks = planned if earlier is None else list(earlier.tasks)
        language = identify_language(question.text) or identify_language(" ".join(plan))
        self._words = report_words(language)
        self._unread_reply = failure_reply("unread", language)
        self._route = request.route
        self._ask = ask
        self._meter = Meter(request.accepted)
        self._text = ReportText()
        self._numbers = PassageNumbers(history)
        self._pool = AgentPool(
            sources, pipeline, request, question, self._numbers, readings, self._meter, self._text.parts, earlier
        )
        self._told = set[tuple[str, str]]()
        self._cited: dict[int, Passage] = {}
        self._is_done = False

    async def events(self) -> AsyncGenerator[Event, None]:
        """Look into all questions, and write each section in its turn, as soon as its notes are there."""
        with ExitStack() as stack:
            self._pool.enter(stack)
            try:
                async with aclosing(self._write()) as events:
                    async for event in events:
                        if self._is_new(event):
                            yield event
            finally:
                await self._pool.close()

    def closing_events(self, end: Event | None = None) -> list[Event]:
        """End what the sub-agents had begun, close the open part, report the usage, end the run."""
        usage = self._meter.usage()
        return [
            *self._text.parts.finish(),
            *self._pool.open_call_ends(),
            *([UsageCounted(usage)] if usage is not None else []),
            end or RunFinished("stop" if self._is_done else "length"),
        ]

    async def _write(self) -> AsyncGenerator[Event, None]:
        for event in self._pool.begin(self._tasks):
            yield event
        if self._route.model.can_look_up:
            async with aclosing(self._finish_plan()) as events:
                async for event in events:
                    yield event
        done, kept = self._keep_sections()
        for event in kept or self._text.append(self._opening()):
            yield event
        for number, task in enumerate(self._tasks[done:], done):
            while task.agent not in self._pool.ended:
                for event in await self._pool.next_events():
                    yield event
            async with aclosing(self._section(number, task)) as events:
                async for event in events:
                    yield event
        for event in self._text.append(self._closing()):
            yield event
        self._is_done = True

    async def _finish_plan(self) -> AsyncGenerator[Event, None]:
        """Wait for all notes; the model may then ask further questions, once."""
        async with aclosing(self._wait_for_all()) as events:
            async for event in events:
                yield event
        self._pool.raise_if_all_failed()
        room = MAX_QUESTIONS - len(self._tasks)
        was_written = self._earlier is not None and self._earlier.written(self._headings())[1].text
        if room <= 0 or self._pool.has_enough or was_written or any(task.is_further for task in self._tasks):
            return
        noted = [(task.question, self._pool.ended[task.agent].notes) for task in self._tasks]
        principal, today = self._request.principal, self._sources.web.access.today()
        questions = await ask_further(
            principal, self._question.text, noted, self._route.engine, self._route.model, self._ask, today
        )
        first = len(self._tasks) + 1
        further = [AgentTask(f"{number}", each, is_further=True) for number, each in enumerate(questions[:room], first)]
        self._tasks += further
        for event in self._pool.begin(further):
            yield event
        async with aclosing(self._wait_for_all()) as events:
            async for event in events:
                yield event

    async def _wait_for_all(self) -> AsyncGenerator[Event, None]:
        while any(task.agent not in self._pool.ended for task in self._tasks):
            for event in await self._pool.next_events():
                yield event

    def _is_new(self, event: Event) -> bool:
        """Return whether an event is to be told: notices come once."""
        if not isinstance(event, Notice):
            return True
        key = (event.code, event.message)
        is_new = key not in self._told
        self._told.add(key)
        return is_new

    def _keep_sections(self) -> tuple[int, list[Event]]:
        """Return how many sections were written before, and their events."""
        if self._earlier is None:
            return 0, []
        done, written = self._earlier.written(self._headings())
        if not written.text:
            return 0, []
        events = self._text.append(written.text)
        marks = written.events(self._text.place[0])
        known = {passage.number: passage for passage in self._earlier.message.passages}
        self._cited = {each.citation.passage: known[each.citation.passage] for each in marks if isinstance(each, Cited)}
        notices = [Notice(each.code, each.message, each.language) for each in self._earlier.message.remarks]
        return done, [*events, *marks, *(each for each in notices if each.code in ("contradicted", "superseded"))]

    async def _section(self, number: int, task: AgentTask) -> AsyncGenerator[Event, None]:
        """Write the section on one question."""
        agent, found = self._pool.ended[task.agent], self._pool.found[task.agent]
        for notice in difference_notices(await find_differences(task.question, found), found):
            yield notice
        for event in self._text.append(f"{self._heading(number, task)}\n\n"):
            yield event
        if not found:
            if agent.fault == UNREACHABLE_TEXT:
                yield Notice("web_unreachable", UNREACHABLE_TEXT)
            nothing = self._unread_reply if agent.ending == "failed" else self._words.nothing
            for event in self._text.append(f"*{nothing}*\n\n"):
                yield event
            return
        writing = self._digest if self._route.model.only_quotes else self._write_section
        async with aclosing(writing(task, agent, found)) as events:
            async for event in events:
                if isinstance(event, Cited):
                    cited = event.citation.passage
                    self._cited[cited] = next(each for each in found if each.number == cited)
                yield event

    async def _digest(self, task: AgentTask, agent: SubAgent, found: AgentPassages) -> AsyncGenerator[Event, None]:
        """Quote the sentences that answer best, each below its source."""
        for chosen in await choose_quotes(task.question, found, self._sources.web.embedder, MAX_QUOTED_NOTES):
            passage = next(each for each in found if each.number == chosen.citation.passage)
            for event in self._text.append(f"**{_one_line(describe_location(replace(passage, heading=())))}**\n\n"):
                yield event
            self._meter.count_quote()
            part, start = self._text.place
            for event in self._text.append(chosen.text):
                yield event
            at = chosen.citation
            yield Cited(replace(at, index=part, start=at.start + start, end=at.end + start))

    async def _write_section(
        self, task: AgentTask, agent: SubAgent, found: AgentPassages
    ) -> AsyncGenerator[Event, None]:
        """Have the model write the section, as an answer embedded in the report's text."""
        day = self._sources.web.access.today().isoformat()
        question = _one_line(task.question)
        shown = found[: max(reading_budget(self._route.model).passages, 1)]
        request = AnswerRequest(
            self._route,
            SectionPrompt(self._request.prompt, _one_line(self._question.text), question, day, agent.notes),
            self._request.accepted,
            self._request.principal,
            GivenPassages(shown, self._sources.web.embedder, question),
            is_carried=True,
            allows_lead=False,
            shows_steps=False,
            meter=self._meter,
        )
        answer = self._pipeline.run(request)
        section = EmbeddedSection(self._text)
        async with aclosing(answer.events()) as events:
            async for event in events:
                for each in (*section.embed(event), *self._pool.arrived_events()):
                    yield each
        if answer.turn is not None:  # a fallback that answered this section writes the others too
            self._route = replace(self._route, engine=answer.turn.engine, model=answer.turn.model)
        for event in self._text.append("\n\n"):
            yield event

    def _headings(self) -> list[str]:
        return [f"{self._heading(number, task)}\n" for number, task in enumerate(self._tasks)]

    def _heading(self, number: int, task: AgentTask) -> str:
        return f"## {number + 1}. {_one_line(task.question)}"

    def _opening(self) -> str:
        questions = [_one_line(task.question) for task in self._tasks]
        contents = "".join(
            f"{number}. [{_table_cell(question)}](#{heading_anchor(f'{number}. {question}')})\n"
            for number, question in enumerate(questions, 1)
        )
        return f"# {_one_line(self._question.text)}\n\n**{self._words.contents}**\n\n{contents}\n"

    def _closing(self) -> str:
        """Return the table of cited sources, a row per page or file."""
        if not self._cited:
            return ""
        pages: dict[str, list[Passage]] = {}
        for _, passage in sorted(self._cited.items()):
            pages.setdefault(passage.file, []).append(passage)
        rows = [
            f"| {', '.join(str(each.number) for each in cited)} "
            f"| {_source_link(cited[0])} "
            f"| {_table_cell(urlsplit(cited[0].url or '').hostname or '')} | {cited[0].published or ''} |\n"
            for cited in pages.values()
        ]
        words = self._words
        head = f"| # | {words.title} | {words.site} | {words.date} |\n|---|---|---|---|\n"
        return f"## {words.sources}\n\n{head}{''.join(rows)}"


def report_words(language: str | None) -> ReportWords:
    """Return the report's headings in a language, or in English if there are none in it."""
    lexicons = (load_lexicon(code) for code in (language, "en") if code is not None)
    return next(lexicon.report for lexicon in lexicons if lexicon is not None and lexicon.report is not None)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _table_cell(text: str) -> str:
    """Escape text for a link or a table cell in Markdown."""
    return re.sub(r"([\\|\[\]<>*_`])", r"\\\1", _one_line(text))


def _source_link(passage: Passage) -> str:
    """Return the name of a source, which leads to a page of the web."""
    name = _table_cell(passage.name)
    url = quote(passage.url or "", safe=":/?#@!$&'*+,;=%~-._")
    return f"[{name}]({url})" if url else name
