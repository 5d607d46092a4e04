"""The sub-agents of one research: several at once, each cut short by its budget or a person, their events in a row."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import ExitStack, aclosing
from dataclasses import dataclass

from eclair.documents.readings import Readings
from eclair.errors import EclairError
from eclair.generation.answer_request import AnswerRequest
from eclair.generation.meter import Meter
from eclair.generation.parts import Parts
from eclair.generation.pipeline import AnswerPipeline
from eclair.generation.sources import PassageNumbers
from eclair.llm.base import LimitedEngine
from eclair.research.earlier_research import EarlierResearch
from eclair.research.search_agent import SearchAgent
from eclair.research.sub_agents import (
    GRACE_S,
    AgentPart,
    AgentTask,
    AgentUpdate,
    LoopAgent,
    ResearchAgent,
    ResearchSources,
)
from eclair.schema.agents import AgentEnding, SubAgent
from eclair.schema.events import (
    AgentBegan,
    AgentEnded,
    AgentSpent,
    CallAsked,
    CallEnded,
    Event,
    PartDelta,
    SourceFound,
    StepFinished,
    StepStarted,
    unfold_call,
)
from eclair.schema.messages import Call, Part, Passage, StepOutcome
from eclair.util.tasks import cancel_and_wait
from eclair.web.question import WebQuestion

MAX_CONCURRENT_AGENTS = 3

AgentPassages = tuple[Passage, ...]


@dataclass(slots=True)
class _Look:
    """A sub-agent at work on a task, which may be followed by another for the same."""

    task: AgentTask
    agent: ResearchAgent
    has_begun: bool = False


class AgentPool:
    """Runs the sub-agents of one run. `ended` holds those that have ended, and `found` their passages, by name."""

    def __init__(
        self,
        sources: ResearchSources,
        pipeline: AnswerPipeline,
        request: AnswerRequest,
        question: WebQuestion,
        numbers: PassageNumbers,
        readings: Readings,
        meter: Meter,
        parts: Parts,
        earlier: EarlierResearch | None,
    ) -> None:
        self.ended: dict[str, SubAgent] = {}
        self.found: dict[str, AgentPassages] = {}
        self._sources = sources
        self._pipeline = pipeline
        self._request = request
        self._question = question
        self._numbers = numbers
        self._readings = readings
        self._meter = meter
        self._parts = parts
        self._earlier = earlier
        engine = request.route.engine
        parallel = engine.parallel if isinstance(engine, LimitedEngine) else None
        self._slots = asyncio.Semaphore(min(MAX_CONCURRENT_AGENTS, parallel or MAX_CONCURRENT_AGENTS))
        self._queue: asyncio.Queue[AgentUpdate] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._enough = asyncio.Event()
        self._shown = set[int]()
        self._errors: dict[str, EclairError] = {}
        self._open_calls = dict[str, None]()
        self._results: dict[str, tuple[SubAgent, AgentPassages]] = {}
        self._stack = ExitStack()

    @property
    def has_enough(self) -> bool:
        """Return whether a person wants the report from what there is."""
        return self._enough.is_set()

    def enter(self, stack: ExitStack) -> None:
        """Let a person cut the research short until `stack` is closed."""
        self._stack = stack
        self._enough = stack.enter_context(self._readings.under_way(self._question.run))

    def begin(self, tasks: Sequence[AgentTask]) -> list[Event]:
        """Begin to look into questions; return the events, those of an earlier research among them."""
        events: list[Event] = [StepStarted(task.agent, "search", task.question) for task in tasks]
        if self._earlier is not None and not self._tasks:
            events += self._recall(self._earlier)
        for task in tasks:
            if task.agent not in self.ended:
                stopped = self._stack.enter_context(self._readings.under_way(self._question.run, task.agent))
                self._tasks.append(asyncio.create_task(self._look_into(task, stopped), name=f"agent {task.agent}"))
        return events

    async def next_events(self) -> list[Event]:
        """Wait for the next events of any sub-agent. Raises the exception of one that broke."""
        waited = asyncio.ensure_future(self._queue.get())
        try:
            while not waited.done():
                for task in self._tasks:
                    if task.done():
                        task.result()
                going = [task for task in self._tasks if not task.done()]
                await asyncio.wait([waited, *going], return_when=asyncio.FIRST_COMPLETED)
            return self._apply(waited.result())
        finally:
            await cancel_and_wait(waited)

    def arrived_events(self) -> list[Event]:
        """Return the events that have arrived meanwhile."""
        events: list[Event] = []
        while not self._queue.empty():
            events += self._apply(self._queue.get_nowait())
        return events

    def raise_if_all_failed(self) -> None:
        """Raise the first error if no sub-agent found anything, since all failed."""
        has_failed = all(agent.ending == "failed" for agent in self.ended.values())
        if self._errors and has_failed and not any(self.found.values()):
            raise next(iter(self._errors.values()))

    def open_call_ends(self) -> list[Event]:
        """Return the events that end the calls under way when the run ends."""
        return [CallEnded(call, "stopped", 0.0) for call in self._open_calls]

    async def close(self) -> None:
        """Stop all sub-agents."""
        for task in self._tasks:
            await cancel_and_wait(task)

    def _recall(self, earlier: EarlierResearch) -> list[Event]:
        """Take up what was done before."""
        passages = {passage.number: passage for passage in earlier.message.passages}
        self._numbers.keep(earlier.message.passages)
        events = earlier.step_events()
        for passage in passages.values():
            events += self._apply(SourceFound(passage))
        for call, parts in earlier.finished_calls():
            events += self._replay_call(call, parts)
        events += earlier.agent_events()
        for name, agent in earlier.finished.items():
            self.ended[name] = agent
            self.found[name] = tuple(passages[number] for number in agent.passages if number in passages)
            if (step := earlier.step(name)) is not None:
                events.append(StepFinished(name, step.milliseconds or 0.0, step.outcome, step.count))
        return events

    def _replay_call(self, call: Call, parts: Sequence[Part]) -> list[Event]:
        events: list[Event] = []
        for part in parts:
            events += self._apply(AgentPart(part)) if part.kind == "tool_call" else []
        events += unfold_call(call)
        for part in parts:
            events += self._apply(AgentPart(part)) if part.kind == "tool_result" else []
        return events

    def _make_agent(self, task: AgentTask) -> ResearchAgent:
        route = self._request.route
        if not route.model.can_look_up:
            return SearchAgent(self._sources, route, self._question, task)
        earlier = None if self._earlier is None else self._earlier.loop(task.agent)
        agent = LoopAgent(
            self._sources, self._pipeline, self._request, self._question.text, task, self._numbers, earlier
        )
        agent.meter.energy = self._meter.energy
        return agent

    async def _look_into(self, task: AgentTask, stopped: asyncio.Event) -> None:
        """Have a sub-agent look into a question until it has ended, or is cut short; put its events in the queue."""
        began = time.monotonic()
        look = _Look(task, self._make_agent(task))
        work = asyncio.create_task(self._work(look))
        cuts = [asyncio.create_task(each.wait()) for each in (stopped, self._enough)]
        ending, fault = None, None
        try:
            await asyncio.wait([work, *cuts], return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
                ending, fault = look.agent.ending, look.agent.fault
            else:
                ending = "stopped" if stopped.is_set() else "enough"
        except TimeoutError:
            ending = "time"
        except EclairError as error:
            ending, fault = "failed", error.message
            self._errors[task.agent] = error
        finally:
            for each in (work, *cuts):
                await cancel_and_wait(each)
        agent = look.agent
        if not look.has_begun:
            self._queue.put_nowait(AgentBegan(task.agent, agent.budget, task.is_further))
        for update in agent.end_open():
            self._queue.put_nowait(update)
        await self._conclude(look, ending, fault, began)

    async def _work(self, look: _Look) -> None:
        """Let the sub-agent work in its turn and its time. Raises TimeoutError."""
        async with self._slots:
            look.has_begun = True
            task = look.task
            self._queue.put_nowait(AgentBegan(task.agent, look.agent.budget, task.is_further))
            await self._follow(look.agent)
            if isinstance(look.agent, LoopAgent) and not look.agent.has_called:
                self._count(look.agent)  # a model that looks nothing up: the program does
                look.agent = SearchAgent(self._sources, self._request.route, self._question, task)
                await self._follow(look.agent)

    async def _follow(self, agent: ResearchAgent) -> None:
        async with asyncio.timeout(agent.budget.seconds + GRACE_S), aclosing(agent.updates()) as updates:
            async for update in updates:
                self._queue.put_nowait(update)

    async def _conclude(self, look: _Look, ending: AgentEnding, fault: str | None, began: float) -> None:
        """Number the passages, have the notes, and end the sub-agent."""
        agent, name = look.agent, look.task.agent
        passages = self._numbers.assign(agent.passages)
        notes = await agent.notes(passages) if passages else ()
        noted = list(dict.fromkeys(number for note in notes for number in note.passages))
        ranks = {number: rank for rank, number in enumerate(noted)}
        passages.sort(key=lambda passage: ranks.get(passage.number, len(ranks)))
        self._count(agent)
        outcome: StepOutcome = "done" if passages else "failed" if ending == "failed" else "nothing"
        numbers, spent = tuple(passage.number for passage in passages), agent.spent
        ended = SubAgent(name, agent.budget, look.task.is_further, spent, ending, notes, numbers, fault)
        self._results[name] = (ended, tuple(passages))
        took = round((time.monotonic() - began) * 1000, 1)
        for event in (
            *(SourceFound(passage) for passage in passages),
            StepFinished(name, took, outcome, agent.pages),
            AgentSpent(name, spent),
            AgentEnded(name, ending, notes, numbers, fault),
        ):
            self._queue.put_nowait(event)

    def _count(self, agent: ResearchAgent) -> None:
        """Add the tokens of a sub-agent to those of the report."""
        if agent.token_usage is not None:
            self._meter.add_token_usage(agent.token_usage)
        if isinstance(agent, LoopAgent):
            self._meter.rates = agent.meter.rates

    def _apply(self, update: AgentUpdate) -> list[Event]:
        """Return the events of an update: parts get their numbers in the run, sources come once."""
        match update:
            case AgentPart(part=part):
                before, self._parts.round = self._parts.round, part.round
                started = self._parts.start(part.kind, part.id, part.name)
                self._parts.round = before
                return [*started, PartDelta(self._parts.current, part.text), *self._parts.finish()]
            case SourceFound(passage=passage):
                is_new = passage.number not in self._shown
                self._shown.add(passage.number)
                return [update] if is_new else []
            case CallAsked(call=call):
                self._open_calls[call] = None
            case CallEnded(call=call):
                self._open_calls.pop(call, None)
            case AgentEnded(agent=agent):
                self.ended[agent], self.found[agent] = self._results[agent]
            case _:
                pass
        return [update]
