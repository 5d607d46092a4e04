"""Prompts for the calls of an answer that wait for the person: to be decided on, or for what their servers ask."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from eclair.cli._printer import exit_code
from eclair.cli._prompt import PipedLines
from eclair.cli._questions import ReadLine, Say, ask_question
from eclair.cli._terminal import Terminal
from eclair.errors import Conflict
from eclair.schema.elicitations import ElicitationAction, FieldValue
from eclair.schema.events import (
    CallElicited,
    Event,
    Folding,
    PartFinished,
    PartStarted,
    RunFailed,
    RunStopped,
    RunWaiting,
)
from eclair.schema.messages import Call, CallDecision
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.runs import RunRecord

if TYPE_CHECKING:
    from eclair.app import App

MAX_REPLY_BYTES = 1 << 16

DECISIONS: dict[str, CallDecision] = {
    "y": "once",
    "yes": "once",
    "c": "conversation",
    "a": "always",
    "always": "always",
    "n": "declined",
    "no": "declined",
    "never": "never",
}
"""Decisions on a call by what the person types."""

ONCE_DECISIONS: dict[str, CallDecision] = {
    word: each for word, each in DECISIONS.items() if each not in ("conversation", "always")
}
"""Decisions on a call that can only be allowed once."""


class CallReplies(Protocol):
    """Takes what the person says about the calls of one answer, unless it was said elsewhere meanwhile."""

    async def decide(self, call: str, decision: CallDecision) -> None: ...

    async def answer(
        self, call: str, number: int, action: ElicitationAction, content: Mapping[str, FieldValue]
    ) -> None: ...


class RunReplies:
    """Implements `CallReplies` for a run of this data folder."""

    def __init__(self, app: App, run: RunRecord) -> None:
        self._app = app
        self._run = run

    async def decide(self, call: str, decision: CallDecision) -> None:
        with contextlib.suppress(Conflict):
            await self._app.call_decisions.decide(LOCAL_PRINCIPAL, self._run, call, decision)

    async def answer(
        self, call: str, number: int, action: ElicitationAction, content: Mapping[str, FieldValue]
    ) -> None:
        with contextlib.suppress(Conflict):
            await self._app.call_decisions.answer(LOCAL_PRINCIPAL, self._run, call, number, action, content)


class CallPrompts:
    """Asks the person about calls. Without further input they are declined, and questions cancelled."""

    def __init__(self, read: ReadLine, say: Say) -> None:
        self._read = read
        self._say = say
        self._answered: set[tuple[str, int]] = set()
        """Questions of servers, by their calls and numbers."""

    async def settle(self, calls: Iterable[Call], replies: CallReplies) -> None:
        """Ask about all that waits in these calls."""
        open_calls = [each for each in calls if each.outcome is None]
        for each in open_calls:
            if each.needs_approval and each.decision is None:
                await replies.decide(each.call, await self._ask_decision(each))
        for each in open_calls:
            for asked in each.elicitations:
                if asked.action is not None or (each.call, asked.number) in self._answered:
                    continue
                self._answered.add((each.call, asked.number))
                action, content = await ask_question(asked, self._read, self._say)
                await replies.answer(each.call, asked.number, action, content)

    async def _ask_decision(self, call: Call) -> CallDecision:
        if call.once_only:
            self._say("Text that you didn't write may have led to this call, so it can only be allowed once.")
            decisions, offered, mistyped = ONCE_DECISIONS, "y: once, n: no, never", "Type y, n or never."
        else:
            decisions, offered = DECISIONS, "y: once, c: in this conversation, always, n: no, never"
            mistyped = "Type y, c, always, n or never."
        self._say(f"{call.summary}? {offered}")
        while (line := await self._read()) is not None:
            if (decision := decisions.get(line.strip().lower())) is not None:
                return decision
            self._say(mistyped)
        return "declined"


def terminal_reader(terminal: Terminal) -> ReadLine:
    """Return what reads lines at a terminal, from the first call on; without a terminal, it returns None."""
    lines: list[PipedLines] = []

    async def read() -> str | None:
        if not terminal.can_ask:
            return None
        if not lines:
            lines.append(PipedLines(MAX_REPLY_BYTES))
        return await lines[0].read()

    return read


async def show_asking(
    events: AsyncGenerator[Event, None], show: Callable[[Event], None], prompts: CallPrompts, replies: CallReplies
) -> int:
    """Show the events of an answer, and have the person asked where it waits; return an exit code.

    If this is cancelled, the last event shown says that it was stopped.
    """
    folding, code = Folding(), 0
    last, open_parts = 0, set[int]()
    try:
        async with aclosing(events):
            async for event in events:
                show(event)
                folding.add(event)
                last = event.seq
                match event:
                    case PartStarted(index=index):
                        open_parts.add(index)
                    case PartFinished(index=index):
                        open_parts.discard(index)
                    case RunFailed():
                        code = exit_code(event.code)
                    case RunWaiting() | CallElicited():
                        await prompts.settle(folding.message().calls, replies)
                    case _:
                        pass
    except asyncio.CancelledError:
        if last:
            for number, event in enumerate((*map(PartFinished, sorted(open_parts)), RunStopped()), last + 1):
                show(replace(event, seq=number))
        raise
    return code
