"""Prints the events of a run as they come.

`schema/events.py` defines their meaning.
"""

from __future__ import annotations

from typing import assert_never

from eclair.cli._agents import describe_agent_end
from eclair.cli._calls import describe_call_end, describe_result
from eclair.cli._canvas_input import CANVAS_TOOLS, CanvasInput
from eclair.cli._format import format_cost, format_energy
from eclair.cli._terminal import Terminal
from eclair.cli._waiting import WaitingLine
from eclair.errors import EclairError
from eclair.generation.prompt import describe_location
from eclair.schema.events import (
    AgentBegan,
    AgentEnded,
    AgentSpent,
    CallAnswered,
    CallAsked,
    CallBegan,
    CallDecided,
    CallElicited,
    CallEnded,
    CallProgressed,
    Cited,
    Doubted,
    Event,
    FigureComputed,
    MemoriesUsed,
    MemoryKept,
    ModelChanged,
    Notice,
    PartDelta,
    PartFinished,
    PartStarted,
    RunFailed,
    RunFinished,
    RunInterrupted,
    RunResumed,
    RunStarted,
    RunStopped,
    RunWaiting,
    SectionRead,
    SourceFound,
    StepFinished,
    StepProgressed,
    StepStarted,
    UsageCounted,
)
from eclair.schema.messages import Citation, Doubt, Passage, Usage
from eclair.util.humanize import format_duration


class Printer:
    """Prints one run: text and status lines as they come, then the sources and a line on speed."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._parts: dict[int, PartStarted] = {}
        self._waiting = WaitingLine(terminal)
        self._model = ""
        self._usage: Usage | None = None
        self._texts: dict[int, list[str]] = {}
        self._inputs: dict[int, CanvasInput] = {}
        """Arguments of the calls of canvas tools, by their parts."""
        self._passages: dict[int, Passage] = {}
        self._citations: list[Citation] = []
        self._doubts: list[Doubt] = []
        self._memories = 0
        self._agents = set[str]()
        self._calls: dict[str, str] = {}
        """Summaries of the calls, by their ids."""
        self._ended: dict[str, CallEnded] = {}

    def show(self, event: Event) -> None:
        terminal = self._terminal
        match event:
            case RunStarted(model=model) | ModelChanged(model=model):
                self._model = model
                self._waiting.begin(model)
            case StepStarted() | StepProgressed() | StepFinished():
                self._waiting.show(event)
            case SectionRead() | FigureComputed():
                pass
            case AgentBegan(agent=agent):
                self._agents.add(agent)
            case AgentSpent():
                pass
            case AgentEnded():
                (terminal.note if event.ending == "done" else terminal.warn)(describe_agent_end(event))
            case PartStarted():
                self._open(event)
            case SourceFound(passage=passage):
                self._passages[passage.number] = passage
            case Cited(citation=citation):
                self._citations.append(citation)
            case Doubted(doubt=doubt):
                self._doubts.append(doubt)
            case CallAsked(call=call, summary=summary):
                self._calls[call] = summary
                terminal.note(summary)
            case CallProgressed(call=call, progress=progress):
                share = "" if progress.share is None else f"{progress.share:.0%} "
                last_line = progress.text.rpartition("\n")[2]
                terminal.status(f"{share}{last_line}".strip() + f" · {self._calls[call]}")
            case CallEnded(call=call, outcome=outcome):
                terminal.status("")
                self._ended[call] = event
                if said := describe_call_end(self._calls[call], event):
                    (terminal.note if outcome == "done" else terminal.aside)(said)
            case CallDecided() | CallBegan() | CallElicited() | CallAnswered() | RunWaiting() | RunResumed():
                pass
            case PartDelta(index=index, text=text):
                self._texts[index].append(text)
                part = self._parts[index]
                if part.kind == "tool_call" and not self._is_agents(part):
                    input = self._inputs.get(index)
                    terminal.write_dim(text if input is None else input.read(text))
                elif part.kind != "tool_result" and not self._is_agents(part):
                    (terminal.write if part.kind == "text" else terminal.write_dim)(text)
            case PartFinished(index=index):
                terminal.end_line()
                self._show_result(index)
            case Notice(code=code, message=message):
                (terminal.note if code.startswith("routed_") else terminal.warn)(message)
            case MemoriesUsed(memories=memories):
                self._memories = len(memories)
            case MemoryKept(memory=memory):
                terminal.note(f"Remembered as {memory}; `eclair memory remove` erases it.")
            case UsageCounted(usage=usage):
                self._usage = usage
            case RunFinished(reason=reason):
                self._end("The answer reached its greatest length (--max-tokens)." if reason == "length" else None)
            case RunStopped():
                self._end("Stopped.")
            case RunInterrupted():
                self._end("Interrupted.")
            case RunFailed(message=message):
                terminal.warn(message)
                self._end(None)
            case _:
                assert_never(event)

    def close(self) -> None:
        """Stop counting the seconds of an answer whose end doesn't come."""
        self._waiting.end()

    def _open(self, event: PartStarted) -> None:
        self._waiting.end()
        self._terminal.end_line()
        self._parts[event.index] = event
        self._texts[event.index] = []
        if event.kind == "tool_call" and not self._is_agents(event):
            self._terminal.write_dim(f"{event.name} ")
            if event.name in CANVAS_TOOLS:
                self._terminal.end_line()
                self._inputs[event.index] = CanvasInput(event.name)
        if event.kind == "picture":
            self._terminal.write_dim(f"Image {event.id} by {event.name}: ")

    def _is_agents(self, part: PartStarted) -> bool:
        """Return whether a part is a call of a sub-agent, or the result of one, which the terminal doesn't show."""
        return part.kind in ("tool_call", "tool_result") and (part.id or "").partition(".")[0] in self._agents

    def _show_result(self, index: int) -> None:
        part = self._parts[index]
        if part.kind != "tool_result" or self._is_agents(part):
            return
        ended = self._ended.get(part.id or "")
        if said := describe_result(part.name or "", "".join(self._texts[index]), ended):
            self._terminal.aside(said)

    def _end(self, note: str | None) -> None:
        self._waiting.end()
        self._terminal.end_line()
        if note:
            self._terminal.note(note)
        self._show_sources()
        if self._memories:
            used = "Used 1 memory." if self._memories == 1 else f"Used {self._memories:,} memories."
            self._terminal.note(used)
        if self._usage is not None:
            self._terminal.note(format_speed(self._usage, self._model))

    def _show_sources(self) -> None:
        """Print each cited passage with its quote, and each unsupported sentence."""
        quoted = {citation.quote: citation for citation in self._citations}
        for citation in sorted(quoted.values(), key=lambda citation: (citation.passage, citation.quote_start)):
            passage = self._passages[citation.passage]
            location = describe_location(passage, citation.quote_start)
            computed = f" (computed: {citation.computation})" if citation.computation else ""
            self._terminal.aside(f"[{passage.number}] {location}: “{' '.join(citation.quote.split())}”{computed}")
        for doubt in self._doubts:
            sentence = "".join(self._texts[doubt.index])[doubt.start : doubt.end]
            why = f" ({doubt.about})" if doubt.about else ""
            self._terminal.aside(f"[?] No passage says so{why}: “{' '.join(sentence.split())}”")


def format_speed(usage: Usage, model: str) -> str:
    """Summarize a run in a line: latency, words, speed, drafted tokens, energy, cost and model."""
    facts = [
        f"{format_duration(usage.first_word_ms)} to the first word" if usage.first_word_ms is not None else None,
        f"{usage.words:,} word{'' if usage.words == 1 else 's'}",
        f"{usage.words_per_second:,.0f} words/s" if usage.words_per_second is not None else None,
        f"{usage.accepted_tokens:,} of {usage.drafted_tokens:,} drafted tokens kept" if usage.drafted_tokens else None,
        f"{usage.watermarked_tokens:,} tokens with a watermark" if usage.watermarked_tokens else None,
        format_energy(usage.energy.joules, estimated=usage.energy.kind == "estimated")
        if usage.energy is not None
        else None,
        format_cost(usage.cost) if usage.cost is not None else None,
        model,
    ]
    return " · ".join(fact for fact in facts if fact)


def exit_code(code: str) -> int:
    """Return the exit code for the error code of a failed run."""
    kinds: list[type[EclairError]] = [EclairError]
    for kind in kinds:
        if kind.code == code:
            return kind.exit_code
        kinds.extend(kind.__subclasses__())
    return EclairError.exit_code
