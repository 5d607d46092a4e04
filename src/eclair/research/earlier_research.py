"""A research that was stopped or cut off, as its message has it: finished sub-agents, and written sections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from eclair.research.sub_agents import AgentTask
from eclair.schema.agents import SubAgent
from eclair.schema.events import Cited, Doubted, Event, unfold_agent, unfold_step
from eclair.schema.messages import Call, Citation, Doubt, Message, Part, Step


def is_question_step(step: Step) -> bool:
    """Return whether a step is the question of a sub-agent, whose other steps have its name before theirs."""
    return step.kind == "search" and step.step.isdecimal()


def list_tasks(message: Message) -> list[AgentTask]:
    """List the questions of a research, in their order; none for any other answer."""
    further = {agent.agent for agent in message.agents if agent.is_further}
    steps = sorted((step for step in message.steps if is_question_step(step)), key=lambda step: int(step.step))
    return [AgentTask(step.step, step.title, step.step in further) for step in steps]


@dataclass(frozen=True, slots=True)
class WrittenText:
    """The text of finished sections in one piece, with its marks."""

    text: str
    marks: tuple[Citation | Doubt, ...]

    def events(self, index: int) -> list[Event]:
        """Return the marks of the text as part `index`."""
        found: list[Event] = []
        for mark in self.marks:
            moved = replace(mark, index=index)
            found.append(Cited(moved) if isinstance(moved, Citation) else Doubted(moved))
        return found


class EarlierResearch:
    """A research that goes on where it was. Sub-agents that failed, or that had not ended, start again."""

    def __init__(self, message: Message) -> None:
        self.message = message
        self.tasks = list_tasks(message)
        self.finished = {
            agent.agent: agent for agent in message.agents if agent.ending is not None and agent.ending != "failed"
        }
        results = {part.id for part in message.parts if part.kind == "tool_result"}
        self._calls = [call for call in message.calls if call.agent is not None and call.call in results]

    def step(self, agent: str) -> Step | None:
        """Return the step of a sub-agent's question."""
        return next((step for step in self.message.steps if step.step == agent), None)

    def loop(self, agent: str) -> tuple[SubAgent, Message] | None:
        """Return a sub-agent that had not ended, and its rounds of calls that have results; None without any."""
        before = next((each for each in self.message.agents if each.agent == agent), None)
        calls = [call for call in self._calls if call.agent == agent]
        if before is None or not calls:
            return None
        ids = {call.call for call in calls}
        parts = [part for part in self.message.parts if part.id in ids]
        rounds = sorted({part.round for part in parts if part.kind == "tool_call"})
        own = [
            replace(part, id=_unnamed(part.id or "", agent), round=rounds.index(part.round))
            for number in rounds
            for kind in ("tool_call", "tool_result")
            for part in parts
            if part.round == number and part.kind == kind
        ]
        numbers = {number for call in calls for number in call.passages}
        return before, Message(
            id="",
            conversation="",
            parent=None,
            role="assistant",
            parts=tuple(own),
            created=self.message.created,
            run="",
            calls=tuple(replace(call, call=_unnamed(call.call, agent), agent=None) for call in calls),
            passages=tuple(passage for passage in self.message.passages if passage.number in numbers),
        )

    def finished_calls(self) -> list[tuple[Call, Sequence[Part]]]:
        """List the calls of finished sub-agents, with their parts."""
        return [
            (call, [part for part in self.message.parts if part.id == call.call])
            for call in self._calls
            if call.agent in self.finished
        ]

    def step_events(self) -> list[Event]:
        """Return the events of steps that sub-agents took, as far as they ended."""
        names = tuple(f"{task.agent}." for task in self.tasks)
        return [
            event
            for step in self.message.steps
            if step.step.startswith(names) and step.milliseconds is not None
            for event in unfold_step(step)
        ]

    def agent_events(self) -> list[Event]:
        """Return the events of the sub-agents that had ended."""
        return [event for agent in self.finished.values() for event in unfold_agent(agent)]

    def written(self, headings: Sequence[str]) -> tuple[int, WrittenText]:
        """Return how many sections are finished, by the headings of all, and the text up to there."""
        text, marks = "", list[Citation | Doubt]()
        offsets: dict[int, int] = {}
        for index, part in enumerate(self.message.parts):
            if part.kind == "text":
                offsets[index] = len(text)
                text += part.text
        places = [text.find(heading) for heading in headings]
        begun = next((number for number, place in enumerate(places) if place < 0), len(places))
        if begun == 0:
            return 0, WrittenText("", ())
        cut = places[begun - 1]  # the section that was written last may be unfinished
        for mark in (*self.message.citations, *self.message.doubts):
            start = offsets.get(mark.index)
            if start is not None and start + mark.end <= cut:
                marks.append(replace(mark, start=mark.start + start, end=mark.end + start))
        return begun - 1, WrittenText(text[:cut], tuple(marks))


def _unnamed(id: str, agent: str) -> str:
    return id.removeprefix(f"{agent}.")
