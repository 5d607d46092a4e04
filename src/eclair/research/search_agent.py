"""The sub-agent for models that call no tools: the program searches once, and quotes."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from eclair.documents.reading_budget import reading_budget
from eclair.generation.route import Route
from eclair.llm.base import TokenUsage
from eclair.research.reading_notes import quote_notes
from eclair.research.sub_agents import AgentTask, AgentUpdate, ResearchSources
from eclair.schema.agents import AgentBudget, AgentEnding, ReadingNote
from eclair.schema.events import StepFinished, StepStarted
from eclair.schema.messages import Passage
from eclair.web.question import WebQuestion
from eclair.web.retriever import UNREACHABLE_TEXT
from eclair.web.session import WebSession

SEARCH_TIMEOUT_S = 20.0


class SearchAgent:
    """Implements `ResearchAgent` for models that call no tools: searches once, and quotes."""

    def __init__(self, sources: ResearchSources, route: Route, question: WebQuestion, task: AgentTask) -> None:
        self.budget = AgentBudget(1, 0, SEARCH_TIMEOUT_S)
        self._found: Sequence[Passage] = ()
        self.ending: AgentEnding = "done"
        self.fault: str | None = None
        self.pages = 0
        self._sources = sources
        self._route = route
        self._question = replace(question, text=task.question, before=())
        self._task = task
        self._began = time.monotonic()
        self._steps = set[str]()

    @property
    def passages(self) -> Sequence[Passage]:
        """See `ResearchAgent`."""
        return self._found

    @property
    def spent(self) -> AgentBudget:
        """See `ResearchAgent`."""
        return AgentBudget(1, 0, round(time.monotonic() - self._began, 1))

    @property
    def token_usage(self) -> TokenUsage | None:
        """See `ResearchAgent`."""
        return None

    async def updates(self) -> AsyncGenerator[AgentUpdate, None]:
        """Search documents and the web, and choose the passages that fit."""
        model, limit = self._route.model, reading_budget(self._route.model).passages
        found: list[Passage] = []
        if (documents := self._sources.documents) is not None:
            began, step = time.monotonic(), f"{self._task.agent}.documents"
            yield StepStarted(step, "search", f"Searching {await documents.describe()}")
            found += await documents.find(self._task.question, limit, local=model.location == "machine")
            took = round((time.monotonic() - began) * 1000, 1)
            yield StepFinished(step, took, None if found else "nothing", len(found))
        if self._sources.uses_web:
            web, half = self._sources.web, limit if not found else -(-limit // 2)
            session = WebSession(
                web.access, self._question, self._route.engine, model, self.budget.seconds, f"{self._task.agent}."
            )
            async with aclosing(session.findings()) as steps:
                async for step in steps:
                    (self._steps.add if isinstance(step, StepStarted) else self._steps.discard)(step.step)
                    yield step
            pages = await web.choose_passages(self._question, session, half)
            self.pages = len(session.pages)
            found = [*found[: limit - len(pages)], *pages]
            if not found and not session.got_reply:
                self.ending, self.fault = "failed", UNREACHABLE_TEXT
        self._found = found[:limit]

    def end_open(self) -> list[AgentUpdate]:
        """See `ResearchAgent.end_open`."""
        return [StepFinished(step, round((time.monotonic() - self._began) * 1000, 1), "late") for step in self._steps]

    async def notes(self, passages: Sequence[Passage]) -> tuple[ReadingNote, ...]:
        """See `ResearchAgent.notes`."""
        return await quote_notes(self._task.question, passages, self._sources.web.embedder)
