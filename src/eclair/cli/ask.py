"""`eclair ask`: one question, answered by one model or several; nothing is stored but an answer that is kept."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
import time
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from dataclasses import replace
from datetime import date
from functools import partial
from typing import TYPE_CHECKING

from eclair.chat.answer_memory import AnswerMemory
from eclair.chat.answer_requests import AnswerRequests
from eclair.chat.answer_tools import AnswerTools
from eclair.chat.chat_question import ChatQuestion
from eclair.chat.comparisons import MAX_MODELS
from eclair.chat.message_text import check_message
from eclair.chat.routing import ModelRouter
from eclair.chat.turn_options import TurnOptions
from eclair.cli._answer_view import AnswerView, Show
from eclair.cli._arguments import load_settings, sampling_options
from eclair.cli._ledger import open_ledger
from eclair.cli._logging import log_if_debugging
from eclair.cli._logins import ServerLogin, find_login
from eclair.cli._printer import Printer
from eclair.cli._question import Question
from eclair.cli._remote_ask import ask_there
from eclair.cli._signals import run_async
from eclair.cli._terminal import Terminal
from eclair.errors import INTERNAL_ERROR, EclairError, InvalidInput, TooLarge
from eclair.generation.answer_request import AnswerRequest
from eclair.generation.pipeline import AnswerPipeline, AnswerStream
from eclair.generation.usage import UsageLedger
from eclair.live_settings import LiveSettings
from eclair.llm.registry import Registry, build_registry
from eclair.llm.servers.engines import UserEngines
from eclair.models.catalog import CatalogEntry
from eclair.models.default_model import is_declined, recommended_download
from eclair.models.install import lock_file, try_lock
from eclair.models.offers import list_offers
from eclair.network.egress_log import open_gate
from eclair.schema.events import Event, Notice, RunFailed, RunStarted, RunStopped, encode
from eclair.schema.ids import new_id
from eclair.schema.messages import Message, Part
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.util.humanize import format_size
from eclair.web.web_settings import with_web_settings

if TYPE_CHECKING:
    from eclair.cli._loudspeaker import AnswerReader
    from eclair.cli._sources import QuestionSources
    from eclair.network.gate import OutboundGate
    from eclair.web.retriever import WebService


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = with_web_settings(load_settings(arguments).settings)
    log_if_debugging(settings)
    models = _compared_models(arguments)
    readers = _open_readers(arguments, settings, terminal, len(models) or 1)
    text = _text(arguments.question, settings.max_message_kb, _spoken(arguments, settings, terminal))
    options = read_options(arguments)
    question = Question(
        text,
        replace(options, model=None) if models else options,
        time.perf_counter(),
        tuple(arguments.file or ()),
        tuple(arguments.library or ()),
        arguments.project,
        tuple(arguments.mcp or ()),
        models,
    )
    printing = partial(_printing_json if arguments.json else _printing, terminal)
    view = AnswerView(terminal, printing, models, readers, is_json=arguments.json)
    return run_async(_answer(settings, find_login(arguments), question, view, terminal))


def _compared_models(arguments: argparse.Namespace) -> tuple[str, ...]:
    """Return the models that answer side by side, none for one. Raises InvalidInput for too many."""
    models = tuple(dict.fromkeys(getattr(arguments, "models", ())))
    if len(models) > MAX_MODELS:
        raise InvalidInput(f"{len(models)} models are too many; name {MAX_MODELS} at most with --model.")
    return models if len(models) > 1 else ()


async def _answer(
    settings: Settings, login: ServerLogin | None, question: Question, view: AnswerView, terminal: Terminal
) -> int:
    """Have the question answered here, or where somebody signed in; return an exit code."""
    if login is not None:
        await ask_there(settings, login, question, view, terminal)
    elif question.needs_conversation:
        from eclair.cli._ask_in_conversation import ask_in_conversation  # slow to import, and most do without

        await ask_in_conversation(settings, question, view, terminal)
    else:
        await _ask(settings, question, view, terminal)
    return view.code


def _spoken(arguments: argparse.Namespace, settings: Settings, terminal: Terminal) -> str:
    """Return what is asked by voice; empty without `--voice`. Raises SetupError and InvalidInput."""
    if not arguments.voice:
        if arguments.language is not None:
            raise InvalidInput("`--language` is the language that you speak; add `--voice`, or leave it out.")
        return ""
    from eclair.cli._microphone import hear_question  # slow to import, and most questions do without

    said: list[str] = []

    async def hear() -> int:
        said.append(await hear_question(settings, arguments.language, terminal))
        return 0

    code = run_async(hear())
    if not said:
        raise SystemExit(code)
    return said[0]


def _open_readers(
    arguments: argparse.Namespace, settings: Settings, terminal: Terminal, answers: int
) -> list[AnswerReader]:
    """Open what reads each answer aloud; empty without `--speak`. Raises InvalidInput, ModelMissing and SetupError."""
    if not arguments.speak:
        if arguments.speak_voice is not None or arguments.speak_speed is not None:
            raise InvalidInput("`--speak-voice` and `--speak-speed` say how an answer is read aloud; add `--speak`.")
        return []
    from eclair.cli._loudspeaker import AnswerReader  # slow to import, as above

    speed = 1.0 if arguments.speak_speed is None else arguments.speak_speed
    return [AnswerReader(settings, terminal, arguments.speak_voice, speed) for _ in range(answers)]


def read_options(arguments: argparse.Namespace) -> TurnOptions:
    return TurnOptions(
        arguments.model,
        arguments.mode,
        arguments.system,
        sampling_options(arguments),
        "on" if arguments.web else None,
        thorough=arguments.thorough,
        spoken=arguments.voice and arguments.speak,
    )


def _printing(terminal: Terminal) -> Show:
    printer = Printer(terminal)

    def show(event: Event) -> None:
        printer.show(event)
        if isinstance(event, Notice) and event.code == "skimmed":
            terminal.note("`--thorough` reads all of it")

    return show


def _printing_json(terminal: Terminal) -> Show:
    def show(event: Event) -> None:
        terminal.write_bytes(encode(event) + b"\n")
        if isinstance(event, RunFailed):
            terminal.warn(event.message)

    return show


async def _ask(settings: Settings, question: Question, view: AnswerView, terminal: Terminal) -> None:
    """Open the engines, with the question's model as the default, and answer."""
    chosen = replace(settings, model=question.options.model or settings.model)
    async with open_gate(settings) as gate:
        registry = build_registry(chosen, UserEngines.read_once(settings, gate), gate=gate)
        try:
            async with (
                open_ledger(settings) as ledger,
                _sources(settings, registry, question, terminal, ledger) as sources,
                _web(settings, registry, question, gate, ledger) as web,
            ):
                pipeline = AnswerPipeline(ledger, sources.idle if sources is not None else None)
                started, request = await _prepare(settings, registry, question, sources, web)
                await view.present(partial(_show_run, started, pipeline.run(request)))
        finally:
            await registry.close()
    if view.code == 0 and terminal.is_interactive and registry.local is not None:
        _mention_recommended(registry.local.default, chosen, terminal)
    if view.code == 0:
        _mention_web(question, settings, terminal)


def _mention_web(question: Question, settings: Settings, terminal: Terminal) -> None:
    """Say of a question that depends on the day that nothing was looked up for it."""
    from eclair.text.intent.web import detect_web_need  # takes a while, as below

    if question.options.web == "on" or question.files or question.libraries:
        return
    if detect_web_need(question.text, date.today()) is not None:
        remedy = "" if settings.egress == "offline" else "; `--web` looks it up"
        terminal.aside(f"Web search is off, so what the model knows may be out of date{remedy}.")


def _mention_recommended(default: CatalogEntry, settings: Settings, terminal: Terminal) -> None:
    """Say that a better model is on its way, or can be downloaded."""
    entry = recommended_download(default, settings)
    if entry is None:
        return
    with try_lock(lock_file(settings.data_dir, entry.id)) as is_free:
        offer = next(offer for offer in list_offers(settings) if offer.entry.id == entry.id)
    if not is_free and offer.size:
        terminal.note(f"{entry.name}, which answers better, is on its way: {offer.downloaded_bytes / offer.size:.0%}")
    elif not is_declined(settings.data_dir):
        size = f" ({format_size(offer.size)})" if offer.size else ""
        terminal.note(f"`eclair pull {entry.id}` downloads a model that answers better{size}")


def _sources(
    settings: Settings, registry: Registry, question: Question, terminal: Terminal, ledger: UsageLedger | None
) -> AbstractAsyncContextManager[QuestionSources | None]:
    """Open the question's files and libraries, if it has any."""
    if not question.files and not question.libraries:
        return nullcontext()
    from eclair.cli._sources import open_sources  # slow to import, and most questions do without

    return open_sources(settings, registry, question.files, question.libraries, terminal, ledger)


def _web(
    settings: Settings, registry: Registry, question: Question, gate: OutboundGate, ledger: UsageLedger | None
) -> AbstractAsyncContextManager[WebService | None]:
    """Open access to the web if the question asks for it."""
    if question.options.web != "on":
        return nullcontext()
    from eclair.cli._web import open_web_access  # slow to import, as above

    return open_web_access(settings, registry, gate, ledger)


async def _prepare(
    settings: Settings, registry: Registry, question: Question, sources: QuestionSources | None, web: WebService | None
) -> tuple[RunStarted, AnswerRequest]:
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
    documents = sources.documents if sources is not None else None
    photos = sources.vision if sources is not None else None
    live_settings = LiveSettings(settings)
    router = ModelRouter(live_settings, registry)
    memory = AnswerMemory()
    tools = AnswerTools(live_settings, registry, memory, documents=documents, vision=photos, web=web)
    requests = AnswerRequests(
        live_settings, registry, router, tools, memory, documents=documents, vision=photos, web=web
    )
    run = new_id("run")
    request = await requests.make(ChatQuestion(LOCAL_PRINCIPAL, run, [asked], question.options, question.accepted))
    started = RunStarted(run, new_id("msg"), "", None, request.route.model.id, created)
    return started, request


async def _show_run(started: RunStarted, answer: AnswerStream, show: Show) -> int:
    """Show a run that is not stored, its events numbered as in a stored one; return an exit code.

    However it ends, a last event says so. Cancelling stops the engine.
    """
    numbers = itertools.count(1)

    def emit(*events: Event) -> None:
        for event in events:
            show(replace(event, seq=next(numbers)))

    emit(started)
    try:
        async with aclosing(answer.events()) as events:
            async for event in events:
                emit(event)
    except asyncio.CancelledError:
        emit(*answer.closing_events(RunStopped()))
        raise
    except BrokenPipeError:
        raise
    except EclairError as error:
        emit(*answer.closing_events(RunFailed(error.code, error.message)))
        return error.exit_code
    except Exception:
        emit(*answer.closing_events(RunFailed("internal", INTERNAL_ERROR)))
        raise
    emit(*answer.closing_events())
    return 0


def _text(words: list[str], max_kb: int, spoken: str) -> str:
    """Return the question: the arguments, what was spoken, then piped text. Raises UserError."""
    written = "" if words == ["-"] else " ".join(words)
    try:
        written.encode()
    except UnicodeEncodeError:
        raise InvalidInput("The question is not text in UTF-8; write it again.") from None
    piped = "" if sys.stdin is None or (sys.stdin.isatty() and words != ["-"]) else _piped(max_kb)  # pyright: ignore[reportUnnecessaryComparison]
    text = "\n\n".join(part for part in (written, spoken, piped) if part.strip())
    if not text:
        raise InvalidInput('Nothing was asked; write `eclair ask "Why is the sky blue?"`, or pipe text in.')
    check_message(text, max_kb)
    return text


def _piped(max_kb: int) -> str:
    data = sys.stdin.buffer.read(max_kb * 1024 + 1)
    if len(data) > max_kb * 1024:
        raise TooLarge(f"The piped text is over {max_kb:,} KiB, the limit (ECLAIR_MAX_MESSAGE_KB); send less of it.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"The piped text is not UTF-8 (byte {error.start + 1:,} is 0x{data[error.start]:02x}); "
            "convert it, with iconv for instance."
        ) from None
