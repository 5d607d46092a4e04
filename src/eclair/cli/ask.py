"""`eclair ask`: one question, one streamed answer, nothing kept. What it is answered from is `sources`' affair."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from eclair.chat.answer import Answer
from eclair.chat.language_notice import language_remark
from eclair.chat.routing import Modes
from eclair.chat.turns import Choices, check_text, prepare
from eclair.cli._arguments import load_settings, sampling
from eclair.cli._logging import log_if_debugging
from eclair.cli._printer import Printer
from eclair.cli._signals import carry_out
from eclair.cli._terminal import Terminal
from eclair.documents.vision import nothing
from eclair.errors import EclairError, InvalidInput, TooLarge
from eclair.generation.prompt import PreparedTurn
from eclair.generation.sources import Grounds, Numbering, joined
from eclair.llm.base import Engine
from eclair.llm.registry import Registry, build
from eclair.llm.servers.engines import AddedEngines
from eclair.network.audit_log import open_gate
from eclair.schema.events import Event, RunFailed, RunStarted, RunStopped, encode
from eclair.schema.ids import new_id
from eclair.schema.messages import Message, Part, Passage
from eclair.schema.models import Model
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings

if TYPE_CHECKING:
    from eclair.cli._sources import Sources
    from eclair.network.gate import OutboundGate
    from eclair.web.retriever import Searching

Show = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked and how, from which files and libraries it is to be answered, and whether from the web; `accepted`
    is when it was asked, on the clock of `time.perf_counter`."""

    text: str
    choices: Choices
    accepted: float
    files: tuple[Path, ...] = ()
    libraries: tuple[str, ...] = ()
    web: bool = False


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    text = _text(arguments.question, settings.max_message_kb)
    choices = Choices(arguments.model, arguments.mode, arguments.system, sampling(arguments))
    files, libraries = tuple(arguments.file or ()), tuple(arguments.library or ())
    question = Question(text, choices, time.perf_counter(), files, libraries, arguments.web)

    def print_json(event: Event) -> None:
        terminal.write_bytes(encode(event) + b"\n")
        if isinstance(event, RunFailed):
            terminal.complain(event.message)

    return carry_out(_ask(settings, question, print_json if arguments.json else Printer(terminal).show, terminal))


async def _ask(settings: Settings, question: Question, show: Show, terminal: Terminal) -> int:
    """Open the engines, with the model that is asked as the default one, and no store but that of a library."""
    asked = replace(settings, model=question.choices.model or settings.model)
    async with open_gate(settings) as gate:
        registry = build(asked, AddedEngines.glanced(settings, gate), gate=gate)
        try:
            async with (
                _sources(settings, registry, question, terminal) as sources,
                _searching(settings, registry, question, gate) as searching,
            ):
                started, answer = await _prepare(settings, registry, question, sources, searching)
                with sources.idle.busy() if sources is not None else nullcontext():
                    fault = await tell(started, answer, show)
        finally:
            await registry.close()
    return fault.exit_code if fault is not None else 0


def _sources(
    settings: Settings, registry: Registry, question: Question, terminal: Terminal
) -> AbstractAsyncContextManager[Sources | None]:
    """What it is to be answered from, if anything was named."""
    if not question.files and not question.libraries:
        return nullcontext()
    from eclair.cli._sources import open_sources  # much to import, and most questions do without

    return open_sources(settings, registry, question.files, question.libraries, terminal)


def _searching(
    settings: Settings, registry: Registry, question: Question, gate: OutboundGate
) -> AbstractAsyncContextManager[Searching | None]:
    """The ways to the web, if it is to be looked at."""
    if not question.web:
        return nullcontext()
    from eclair.cli._web import open_searching  # much to import, as above

    return open_searching(settings, registry, gate)


async def _prepare(
    settings: Settings,
    registry: Registry,
    question: Question,
    sources: Sources | None,
    searching: Searching | None,
) -> tuple[RunStarted, Answer]:
    chosen = await Modes(settings, registry).choose(question.choices.model, question.choices.mode, question.text)
    created = int(time.time() * 1000)
    asked = Message(
        id=new_id("msg"),
        conversation="",
        parent=None,
        role="user",
        parts=(Part("text", question.text),),
        created=created,
        files=sources.files if sources is not None else (),
        libraries=sources.libraries if sources is not None else (),
    )

    look = sources.seeing.of(LOCAL_PRINCIPAL) if sources is not None else nothing

    async def again(
        engine: Engine, model: Model, passages: Sequence[Passage] = (), notes: Sequence[str] = ()
    ) -> PreparedTurn:
        by = chosen.by(engine, model)
        turn = await prepare(settings, by, question.choices, [asked], question.accepted, "", passages, notes, look)
        remark = await language_remark([asked], model, await registry.models(), settings)
        return turn if remark is None else replace(turn, remarks=(*turn.remarks, remark))

    started = RunStarted(new_id("run"), new_id("msg"), "", None, chosen.model.id, created)
    grounds = _grounds(asked, started.run, sources, searching)
    turn = await again(chosen.engine, chosen.model)
    return started, Answer(turn, chosen.fallback, again, grounds)


def _grounds(asked: Message, run: str, sources: Sources | None, searching: Searching | None) -> Grounds | None:
    """What it can be answered from."""
    numbering = Numbering([])
    documents = sources.grounds(asked, numbering) if sources is not None else None
    if searching is None:
        return documents
    from eclair.web.retriever import Turning

    turning = Turning(LOCAL_PRINCIPAL, run, None, [asked], "on", beside=documents is not None)
    return joined(documents, searching.grounds(turning, numbering))


async def tell(started: RunStarted, answer: Answer, show: Show) -> EclairError | None:
    """Show a run that nobody keeps, numbered as `runs` would, and return what it failed of.

    However it ends, a last event says so; cancelling stops the engine.
    """
    numbers = itertools.count(1)

    def say(*events: Event) -> None:
        for event in events:
            show(replace(event, seq=next(numbers)))

    say(started)
    try:
        async with aclosing(answer.events()) as events:
            async for event in events:
                say(event)
    except asyncio.CancelledError:
        say(*answer.closing(RunStopped()))
        raise
    except BrokenPipeError:
        raise
    except EclairError as error:
        say(*answer.closing(RunFailed(error.code, error.message)))
        return error
    except Exception:
        say(*answer.closing(RunFailed("internal", "Éclair made a mistake of its own.")))
        raise
    say(*answer.closing(None))
    return None


def _text(words: list[str], max_kb: int) -> str:
    """The question: what is written after `ask`, then what is piped in. Raises UserError."""
    written = "" if words == ["-"] else " ".join(words)
    try:
        written.encode()
    except UnicodeEncodeError:
        raise InvalidInput("The question is not text in UTF-8; write it anew.") from None
    piped = "" if sys.stdin is None or (sys.stdin.isatty() and words != ["-"]) else _piped(max_kb)  # pyright: ignore[reportUnnecessaryComparison]
    text = "\n\n".join(part for part in (written, piped) if part.strip())
    if not text:
        raise InvalidInput('Nothing was asked; write `eclair ask "Why is the sky blue?"`, or pipe text in.')
    check_text(text, max_kb)
    return text


def _piped(max_kb: int) -> str:
    data = sys.stdin.buffer.read(max_kb * 1024 + 1)
    if len(data) > max_kb * 1024:
        raise TooLarge(f"What was piped in is over {max_kb:,} KiB, the limit (ECLAIR_MAX_MESSAGE_KB); send less of it.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"What was piped in is not text in UTF-8 (byte {error.start + 1:,} is 0x{data[error.start]:02x}); "
            "convert it, with iconv for instance."
        ) from None
