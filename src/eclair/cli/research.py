"""`eclair research`: plans questions, then writes a report from the web."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from eclair.app import App, open_app
from eclair.chat.tree import NewMessage
from eclair.chat.turn_options import TurnOptions
from eclair.cli._arguments import load_settings, sampling_options
from eclair.cli._logging import log_if_debugging
from eclair.cli._printer import Printer, exit_code
from eclair.cli._signals import run_async
from eclair.cli._terminal import Terminal
from eclair.errors import InvalidInput
from eclair.research.plan import MAX_QUESTION_CHARS, MAX_QUESTIONS
from eclair.schema.events import RunFailed, decode
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    request = " ".join(arguments.question).strip()
    if not request:
        raise InvalidInput("There is no subject; write it after `eclair research`.")
    given = _check_questions(arguments.into or ())
    web = "off" if arguments.no_web else None
    options = TurnOptions(arguments.model, arguments.mode, arguments.system, sampling_options(arguments), web)
    return run_async(_research(settings, request, given, options, arguments, terminal))


async def _research(
    settings: Settings,
    request: str,
    given: Sequence[str],
    options: TurnOptions,
    arguments: argparse.Namespace,
    terminal: Terminal,
) -> int:
    libraries = tuple(arguments.library or ())
    async with open_app(replace(settings, model=options.model or settings.model)) as app:
        if not libraries:
            app.web.require_open(LOCAL_PRINCIPAL)
        questions = given or await _plan(app, request, options, terminal)
        for number, question in enumerate(questions, 1):
            terminal.line(f"{number}. {question}")
        if arguments.plan:
            return 0
        if not arguments.yes and not given and not await asyncio.to_thread(_confirm, terminal):
            terminal.note("Nothing was researched; name other questions with --into.")
            return 0
        message = NewMessage(request, libraries=libraries, research=tuple(questions))
        return await _write_report(app, message, options, arguments.output, terminal)


async def _plan(app: App, request: str, options: TurnOptions, terminal: Terminal) -> Sequence[str]:
    terminal.status("Making a plan…")
    planned = await app.turns.plan(LOCAL_PRINCIPAL, request, options)
    terminal.status("")
    return planned.questions


async def _write_report(
    app: App, message: NewMessage, options: TurnOptions, output: Path | None, terminal: Terminal
) -> int:
    """Ask for the report, print it as it comes, and write it to `output`."""
    begun = app.turns.new_conversation(LOCAL_PRINCIPAL, choices=options)
    asked = await app.turns.ask(LOCAL_PRINCIPAL, begun, message, options, time.perf_counter())
    printer, failed = Printer(terminal), 0
    try:
        async for batch in app.runs.follow(asked.run, 0):
            for event in map(decode, batch.lines):
                printer.show(event)
                if isinstance(event, RunFailed):
                    failed = exit_code(event.code)
    except asyncio.CancelledError:
        await app.runs.stop(asked.run)
        raise
    finally:
        printer.close()
    if output is not None and not failed:
        _, messages = await app.storage.conversations.get_tree(LOCAL_PRINCIPAL, asked.run.conversation)
        report = next(message.text for message in messages if message.id == asked.run.message)
        await asyncio.to_thread(output.write_text, report, "utf-8")
        terminal.note(f"Written to {output}.")
    return failed


def _check_questions(questions: Sequence[str]) -> tuple[str, ...]:
    if len(questions) > MAX_QUESTIONS:
        raise InvalidInput(f"A plan has {MAX_QUESTIONS} questions at most; leave some out.")
    for question in questions:
        if not question.strip() or len(question) > MAX_QUESTION_CHARS:
            raise InvalidInput(f"A question of a plan has 1 to {MAX_QUESTION_CHARS} characters; shorten it.")
    return tuple(question.strip() for question in questions)


def _confirm(terminal: Terminal) -> bool:
    return terminal.confirm(
        "Research these?",
        "There is no terminal to confirm the plan; add --yes, or name questions with --into.",
        default=True,
    )
