"""The event union: a run's log, the wire format, and the input of the UI.

Every event carries `seq`, its number in the run, from 1 without a gap. A part is started, grows by deltas
and is finished, all under one index. A call of a tool is asked for, decided on if it needs that, begun and ended.
A sub-agent begins, spends and ends.
The last event of a run is one of the four in `END`.
`encode` and `decode` are the JSON form; `fold` turns the events of a run into its message.
`ui/src/api/events.ts` is generated from this module, and `ui/src/api/fold.ts` folds as `fold` does:
`tests/streams/` holds both to the same result.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from io import StringIO
from typing import Annotated, Literal, assert_never

import orjson
from pydantic import ConfigDict, Field, TypeAdapter

from eclair.errors import INTERNAL_ERROR
from eclair.schema.agents import NOTHING_SPENT, AgentBudget, AgentEnding, ReadingNote, SubAgent
from eclair.schema.elicitations import Elicitation, ElicitationAction
from eclair.schema.messages import (
    AnswerNotice,
    Call,
    CallAccess,
    CallDecision,
    CallOutcome,
    CallProgress,
    Citation,
    ComputedFigure,
    Doubt,
    Fault,
    FinishReason,
    Message,
    NoticeCode,
    Part,
    PartKind,
    Passage,
    Step,
    StepKind,
    StepOutcome,
    Usage,
)


@dataclass(frozen=True, slots=True)
class RunStarted:
    """Opens a run. `message` is the answer's id, `parent` the message that it answers."""

    run: str
    message: str
    conversation: str
    parent: str | None
    model: str
    created: int
    continues: str | None = None
    seq: int = 0
    type: Literal["run.started"] = "run.started"


@dataclass(frozen=True, slots=True)
class ModelChanged:
    """Another model answers instead of the one asked; comes before its first word."""

    model: str
    seq: int = 0
    type: Literal["model.changed"] = "model.changed"


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A step has begun, such as loading a model. `title` is for people."""

    step: str
    kind: StepKind
    title: str
    seq: int = 0
    type: Literal["step.started"] = "step.started"


@dataclass(frozen=True, slots=True)
class StepProgressed:
    """A step has `done` of its `of` pieces, and takes about `seconds_left` more, if known.

    `preview` counts the previews of an image in progress; None if the backend has none.
    """

    step: str
    done: int
    of: int
    preview: int | None = None
    seconds_left: float | None = None
    seq: int = 0
    type: Literal["step.progressed"] = "step.progressed"


@dataclass(frozen=True, slots=True)
class StepFinished:
    """See `Step`."""

    step: str
    milliseconds: float
    outcome: StepOutcome | None = None
    count: int | None = None
    seq: int = 0
    type: Literal["step.finished"] = "step.finished"


@dataclass(frozen=True, slots=True)
class SectionNote:
    """A sentence noted on a section.

    It rests on characters `start` to `end` of the document `file`, in the passage that starts at `passage_start`.
    """

    text: str
    file: str
    passage_start: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class SectionRead:
    """The model has noted `notes` on a section of a long document; `key` names what it was shown.

    Whoever resumes the answer takes them from here. `section_chars` and `digest_chars` say how the document was split:
    the length of a section, and that of the key sentences of all; None if all of the text is read.
    """

    key: str
    notes: tuple[SectionNote, ...]
    section_chars: int
    digest_chars: int | None = None
    seq: int = 0
    type: Literal["section.read"] = "section.read"


@dataclass(frozen=True, slots=True)
class SourceFound:
    """A passage that the answer can cite; comes before its first word."""

    passage: Passage
    seq: int = 0
    type: Literal["source.found"] = "source.found"


@dataclass(frozen=True, slots=True)
class Cited:
    """A sentence of the answer rests on a passage; comes once the sentence is finished."""

    citation: Citation
    seq: int = 0
    type: Literal["citation"] = "citation"


@dataclass(frozen=True, slots=True)
class Doubted:
    """A sentence of the answer is supported by nothing at hand."""

    doubt: Doubt
    seq: int = 0
    type: Literal["doubt"] = "doubt"


@dataclass(frozen=True, slots=True)
class FigureComputed:
    """The figures of a sentence are those that a calculation of the same answer gave."""

    figure: ComputedFigure
    seq: int = 0
    type: Literal["figure.computed"] = "figure.computed"


@dataclass(frozen=True, slots=True)
class PartStarted:
    """Opens part `index`; a tool call's `id` and `name` are known from here on. `round` is None in the first."""

    index: int
    kind: PartKind
    id: str | None = None
    name: str | None = None
    round: int | None = None
    seq: int = 0
    type: Literal["part.started"] = "part.started"


@dataclass(frozen=True, slots=True)
class PartDelta:
    index: int
    text: str
    seq: int = 0
    type: Literal["part.delta"] = "part.delta"


@dataclass(frozen=True, slots=True)
class PartFinished:
    index: int
    seq: int = 0
    type: Literal["part.finished"] = "part.finished"


@dataclass(frozen=True, slots=True)
class CallAsked:
    """A model has called one of our tools; see `Call`. Its arguments are the part of the same id."""

    call: str
    tool: str
    access: CallAccess
    summary: str
    needs_approval: bool = False
    scope: str = ""
    agent: str | None = None
    once_only: bool = False
    seq: int = 0
    type: Literal["call.asked"] = "call.asked"


@dataclass(frozen=True, slots=True)
class CallDecided:
    """A person allowed or declined a call; `by` is their id, None for nobody in time."""

    call: str
    decision: CallDecision
    by: str | None
    seq: int = 0
    type: Literal["call.decided"] = "call.decided"


@dataclass(frozen=True, slots=True)
class CallBegan:
    """A call is about to be made; stored before it has any effect."""

    call: str
    seq: int = 0
    type: Literal["call.began"] = "call.began"


@dataclass(frozen=True, slots=True)
class CallProgressed:
    """The server of a call tells how far it is, or code what it has printed; the last of these counts."""

    call: str
    progress: CallProgress
    seq: int = 0
    type: Literal["call.progressed"] = "call.progressed"


@dataclass(frozen=True, slots=True)
class CallElicited:
    """The server of a call asks the person something, in the middle of it."""

    call: str
    elicitation: Elicitation
    seq: int = 0
    type: Literal["call.elicited"] = "call.elicited"


@dataclass(frozen=True, slots=True)
class CallAnswered:
    """The server of a call got the person's answer to question `number`, which the log doesn't have."""

    call: str
    number: int
    action: ElicitationAction
    seq: int = 0
    type: Literal["call.answered"] = "call.answered"


@dataclass(frozen=True, slots=True)
class CallEnded:
    """A call has ended, or will not be made; see `Call`."""

    call: str
    outcome: CallOutcome
    milliseconds: float
    sent_bytes: int = 0
    passages: tuple[int, ...] = ()
    fault: Fault | None = None
    seq: int = 0
    type: Literal["call.ended"] = "call.ended"


@dataclass(frozen=True, slots=True)
class AgentBegan:
    """A sub-agent looks into the question of the step of the same name; see `SubAgent`."""

    agent: str
    budget: AgentBudget
    is_further: bool = False
    seq: int = 0
    type: Literal["agent.began"] = "agent.began"


@dataclass(frozen=True, slots=True)
class AgentSpent:
    """A sub-agent has spent so much of its budget by now."""

    agent: str
    spent: AgentBudget
    seq: int = 0
    type: Literal["agent.spent"] = "agent.spent"


@dataclass(frozen=True, slots=True)
class AgentEnded:
    """A sub-agent has ended, with its notes; the passages came before."""

    agent: str
    ending: AgentEnding
    notes: tuple[ReadingNote, ...] = ()
    passages: tuple[int, ...] = ()
    fault: str | None = None
    seq: int = 0
    type: Literal["agent.ended"] = "agent.ended"


@dataclass(frozen=True, slots=True)
class RunWaiting:
    """The run waits for a person's decision on its calls, and no process works on it."""

    seq: int = 0
    type: Literal["run.waiting"] = "run.waiting"


@dataclass(frozen=True, slots=True)
class RunResumed:
    """A process works on the run again."""

    seq: int = 0
    type: Literal["run.resumed"] = "run.resumed"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the person should know about this answer; see `AnswerNotice`.

    `saved` takes back `not_saved`, and so does the end of the run, which comes once it is stored.
    """

    code: NoticeCode
    message: str
    language: str | None = None
    seq: int = 0
    type: Literal["remark"] = "remark"


@dataclass(frozen=True, slots=True)
class MemoriesUsed:
    """The model is shown these memories; comes before the first word, and not at all without any."""

    memories: tuple[str, ...]
    seq: int = 0
    type: Literal["memories.used"] = "memories.used"


@dataclass(frozen=True, slots=True)
class MemoryKept:
    """A memory was kept. Its text isn't in the log, so that erasing it leaves nothing of it."""

    memory: str
    seq: int = 0
    type: Literal["memory.kept"] = "memory.kept"


@dataclass(frozen=True, slots=True)
class UsageCounted:
    """The cost and the speed of the answer; see `Usage`."""

    usage: Usage
    seq: int = 0
    type: Literal["usage"] = "usage"


@dataclass(frozen=True, slots=True)
class RunFinished:
    reason: FinishReason
    seq: int = 0
    type: Literal["run.finished"] = "run.finished"


@dataclass(frozen=True, slots=True)
class RunStopped:
    """The person stopped it."""

    seq: int = 0
    type: Literal["run.stopped"] = "run.stopped"


@dataclass(frozen=True, slots=True)
class RunInterrupted:
    """The process that wrote the answer died; its text up to there is kept."""

    seq: int = 0
    type: Literal["run.interrupted"] = "run.interrupted"


@dataclass(frozen=True, slots=True)
class RunFailed:
    code: str
    message: str
    seq: int = 0
    type: Literal["run.failed"] = "run.failed"


Event = (
    RunStarted
    | ModelChanged
    | StepStarted
    | StepProgressed
    | StepFinished
    | SectionRead
    | SourceFound
    | PartStarted
    | PartDelta
    | PartFinished
    | Cited
    | Doubted
    | FigureComputed
    | CallAsked
    | CallDecided
    | CallBegan
    | CallProgressed
    | CallElicited
    | CallAnswered
    | CallEnded
    | AgentBegan
    | AgentSpent
    | AgentEnded
    | Notice
    | MemoriesUsed
    | MemoryKept
    | UsageCounted
    | RunWaiting
    | RunResumed
    | RunFinished
    | RunStopped
    | RunInterrupted
    | RunFailed
)
End = RunFinished | RunStopped | RunInterrupted | RunFailed
END = (RunFinished, RunStopped, RunInterrupted, RunFailed)

EVENT: TypeAdapter[Event] = TypeAdapter(
    Annotated[Event, Field(discriminator="type")], config=ConfigDict(defer_build=True)
)


def encode(event: Event) -> bytes:
    """Encode an event as one line of JSON, without the newline.

    Left out are the round of a part in the first, and of a call its agent and its fault, unless it has one, and
    `once_only` unless it is true.
    """
    match event:
        case PartStarted(round=None):
            return orjson.dumps(_without_empty(event, "round"))
        case CallAsked():
            return orjson.dumps(_without_empty(event, "agent", "once_only"))
        case CallEnded(fault=None):
            return orjson.dumps(_without_empty(event, "fault"))
        case _:
            return orjson.dumps(event)


def _without_empty(event: PartStarted | CallAsked | CallEnded, *names: str) -> dict[str, object]:
    """Return the fields of an event, without those of the `names` that are None or false."""
    values = {each.name: getattr(event, each.name) for each in fields(event)}
    return {name: value for name, value in values.items() if value or name not in names}


def decode(line: bytes | str) -> Event:
    """Decode an event from one line of JSON. Raises pydantic.ValidationError."""
    return EVENT.validate_json(line)


class FoldedParts:
    """The parts that a run's events have made so far."""

    def __init__(self) -> None:
        self._parts: list[Part] = []
        self._texts: list[StringIO] = []

    def add(self, event: Event) -> None:
        """Add an event; those that concern no part change nothing."""
        match event:
            case PartDelta():
                self._texts[event.index].write(event.text)
            case PartStarted():
                self._parts.append(Part(event.kind, "", event.id, event.name, event.round or 0))
                self._texts.append(StringIO(newline=""))
            case _:
                pass

    def parts(self) -> tuple[Part, ...]:
        """Return the parts with their texts so far."""
        return tuple(replace(part, text=text.getvalue()) for part, text in zip(self._parts, self._texts, strict=True))


class Folding:
    """Folds a run's events, one by one, into the message they have made so far."""

    def __init__(self) -> None:
        self._message: Message | None = None
        self._parts = FoldedParts()

    def add(self, event: Event) -> None:
        """Add an event. Raises ValueError unless the first is RunStarted."""
        match event:
            case RunStarted():
                self._message = Message(
                    id=event.message,
                    conversation=event.conversation,
                    parent=event.parent,
                    role="assistant",
                    parts=(),
                    created=event.created,
                    status="running",
                    run=event.run,
                    model=event.model,
                )
            case PartStarted() | PartDelta():
                self._parts.add(event)
            case PartFinished() | SectionRead():
                pass
            case _:
                self._message = _after(self._begun(), event)

    def message(self, end: End | RunWaiting | None = None) -> Message:
        """Return the message so far, or as `end` would leave it. Raises ValueError before RunStarted."""
        message = replace(self._begun(), parts=self._parts.parts())
        return message if end is None else _after(message, end)

    def _begun(self) -> Message:
        if self._message is None:
            raise ValueError("a run's events begin with run.started")
        return self._message


def fold(events: Iterable[Event]) -> Message:
    """Fold a run's events, complete or not, into its message. Raises ValueError without RunStarted."""
    folding = Folding()
    for event in events:
        folding.add(event)
    return folding.message()


def unfold(message: Message) -> list[Event]:
    """Return the events of a run that fold into its ended message, its text in one piece; `continues` is lost.

    Raises ValueError for a message that is no run's, or whose run is under way.
    """
    if message.run is None or message.is_open:
        raise ValueError("only the message of a run that has ended can be unfolded")
    events = [*replay(message), _unfolded_end(message)]
    return [replace(event, seq=number) for number, event in enumerate(events, 1)]


def replay(message: Message) -> list[Event]:
    """Return events that fold into a run's message, without its end, its numbers and `continues`."""
    if message.run is None:
        raise ValueError("only the message of a run can be replayed")
    events: list[Event] = [
        RunStarted(message.run, message.id, message.conversation, message.parent, message.model or "", message.created)
    ]
    events += [MemoriesUsed(message.used_memories)] if message.used_memories else []
    events += [MemoryKept(memory) for memory in message.kept_memories]
    for step in message.steps:
        events += unfold_step(step)
    events += [SourceFound(passage) for passage in message.passages]
    for index, part in enumerate(message.parts):
        delta = [PartDelta(index, part.text)] if part.text else []
        events += [PartStarted(index, part.kind, part.id, part.name, part.round or None), *delta, PartFinished(index)]
    for call in message.calls:
        events += unfold_call(call)
    for agent in message.agents:
        events += unfold_agent(agent)
    events += [Cited(citation) for citation in message.citations]
    events += [Doubted(doubt) for doubt in message.doubts]
    events += [FigureComputed(figure) for figure in message.computed_figures]
    events += [Notice(notice.code, notice.message, notice.language) for notice in message.remarks]
    events += [UsageCounted(message.usage)] if message.usage is not None else []
    return events


def unfold_step(step: Step) -> list[Event]:
    """Return the events that fold into a step."""
    events: list[Event] = [StepStarted(step.step, step.kind, step.title)]
    if step.done is not None and step.of is not None:
        events.append(StepProgressed(step.step, step.done, step.of, step.preview, step.seconds_left))
    if step.milliseconds is not None:
        events.append(StepFinished(step.step, step.milliseconds, step.outcome, step.count))
    return events


def unfold_agent(agent: SubAgent) -> list[Event]:
    """Return the events that fold into a sub-agent."""
    events: list[Event] = [AgentBegan(agent.agent, agent.budget, agent.is_further)]
    events += [AgentSpent(agent.agent, agent.spent)] if agent.spent != NOTHING_SPENT else []
    if agent.ending is not None:
        events.append(AgentEnded(agent.agent, agent.ending, agent.notes, agent.passages, agent.fault))
    return events


def unfold_call(call: Call) -> list[Event]:
    """Return the events that fold into a call."""
    events: list[Event] = [
        CallAsked(
            call.call,
            call.tool,
            call.access,
            call.summary,
            call.needs_approval,
            call.scope,
            call.agent,
            once_only=call.once_only,
        )
    ]
    if call.decision is not None:
        events.append(CallDecided(call.call, call.decision, call.decided_by))
    if call.has_begun:
        events.append(CallBegan(call.call))
    if call.progress is not None:
        events.append(CallProgressed(call.call, call.progress))
    for each in call.elicitations:
        events.append(CallElicited(call.call, replace(each, action=None)))
        if each.action is not None:
            events.append(CallAnswered(call.call, each.number, each.action))
    if call.outcome is not None:
        took = call.milliseconds or 0.0
        events.append(CallEnded(call.call, call.outcome, took, call.sent_bytes, call.passages, call.fault))
    return events


def _unfolded_end(message: Message) -> End:
    match message.status:
        case "failed":
            fault = message.fault or Fault("internal", INTERNAL_ERROR)
            return RunFailed(fault.code, fault.message)
        case "stopped":
            return RunStopped()
        case "interrupted":
            return RunInterrupted()
        case _:
            return RunFinished(message.finish_reason or "stop")


_CallAdvance = CallDecided | CallBegan | CallProgressed | CallElicited | CallAnswered | CallEnded
_CallEvent = CallAsked | _CallAdvance
_AgentEvent = AgentBegan | AgentSpent | AgentEnded
_Other = (
    ModelChanged
    | StepStarted
    | StepProgressed
    | StepFinished
    | SourceFound
    | Cited
    | Doubted
    | FigureComputed
    | _CallEvent
    | _AgentEvent
    | Notice
    | MemoriesUsed
    | MemoryKept
    | UsageCounted
    | RunWaiting
    | RunResumed
)


def _after(message: Message, event: _Other | End) -> Message:
    """Apply an event that adds no text."""
    match event:
        case ModelChanged():
            return replace(message, model=event.model)
        case StepStarted():
            return replace(message, steps=(*message.steps, Step(event.step, event.kind, event.title)))
        case StepProgressed():
            return replace(message, steps=tuple(_progressed(step, event) for step in message.steps))
        case StepFinished():
            return replace(message, steps=tuple(_finished(step, event) for step in message.steps))
        case SourceFound():
            return replace(message, passages=(*message.passages, event.passage))
        case Cited():
            return replace(message, citations=(*message.citations, event.citation))
        case Doubted():
            return replace(message, doubts=(*message.doubts, event.doubt))
        case FigureComputed():
            return replace(message, computed_figures=(*message.computed_figures, event.figure))
        case CallAsked():
            call = Call(event.call, event.tool, event.access, event.summary, event.needs_approval, event.scope)
            call = replace(call, agent=event.agent, once_only=event.once_only)
            return replace(message, calls=(*message.calls, call))
        case CallDecided() | CallBegan() | CallProgressed() | CallElicited() | CallAnswered() | CallEnded():
            return replace(message, calls=tuple(_advanced(call, event) for call in message.calls))
        case AgentBegan():
            return replace(message, agents=(*message.agents, SubAgent(event.agent, event.budget, event.is_further)))
        case AgentSpent() | AgentEnded():
            return replace(message, agents=tuple(_followed(agent, event) for agent in message.agents))
        case RunWaiting():
            return replace(message, status="waiting")
        case RunResumed():
            return replace(message, status="running")
        case Notice(code="saved"):
            return _as_saved(message)
        case Notice():
            return replace(message, remarks=(*message.remarks, AnswerNotice(event.code, event.message, event.language)))
        case MemoriesUsed():
            return replace(message, used_memories=event.memories)
        case MemoryKept():
            return replace(message, kept_memories=(*message.kept_memories, event.memory))
        case UsageCounted():
            return replace(message, usage=event.usage)
        case RunFinished():
            return replace(_as_saved(message), status="finished", finish_reason=event.reason)
        case RunStopped():
            return replace(_as_saved(message), status="stopped")
        case RunInterrupted():
            return replace(_as_saved(message), status="interrupted")
        case RunFailed():
            return replace(_as_saved(message), status="failed", fault=Fault(event.code, event.message))
        case _:
            assert_never(event)


def _as_saved(message: Message) -> Message:
    """Drop the notice that it is not saved yet."""
    return replace(message, remarks=tuple(notice for notice in message.remarks if notice.code != "not_saved"))


def _finished(step: Step, event: StepFinished) -> Step:
    if step.step != event.step or step.milliseconds is not None:
        return step
    return replace(step, milliseconds=event.milliseconds, outcome=event.outcome, count=event.count)


def _advanced(call: Call, event: _CallAdvance) -> Call:
    if call.call != event.call:
        return call
    match event:
        case CallDecided():
            return replace(call, decision=event.decision, decided_by=event.by)
        case CallBegan():
            return replace(call, has_begun=True)
        case CallProgressed():
            return replace(call, progress=event.progress)
        case CallElicited():
            return replace(call, elicitations=(*call.elicitations, event.elicitation))
        case CallAnswered():
            answered = (
                replace(each, action=event.action) if each.number == event.number else each
                for each in call.elicitations
            )
            return replace(call, elicitations=tuple(answered))
        case CallEnded():
            return replace(
                call,
                outcome=event.outcome,
                milliseconds=event.milliseconds,
                sent_bytes=event.sent_bytes,
                passages=event.passages,
                progress=None,
                fault=event.fault,
            )


def _followed(agent: SubAgent, event: AgentSpent | AgentEnded) -> SubAgent:
    if agent.agent != event.agent:
        return agent
    match event:
        case AgentSpent():
            return replace(agent, spent=event.spent)
        case AgentEnded():
            return replace(agent, ending=event.ending, notes=event.notes, passages=event.passages, fault=event.fault)


def _progressed(step: Step, event: StepProgressed) -> Step:
    if step.step != event.step or step.milliseconds is not None:
        return step
    return replace(step, done=event.done, of=event.of, preview=event.preview, seconds_left=event.seconds_left)
