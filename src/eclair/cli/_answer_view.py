"""Shows the answers to a question at the command line: one, or those of several models, of which one can be kept."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from eclair.cli._call_prompts import CallPrompts, CallReplies, show_asking, terminal_reader
from eclair.cli._terminal import Terminal
from eclair.schema.events import Event

if TYPE_CHECKING:
    from eclair.cli._loudspeaker import AnswerReader

Show = Callable[[Event], None]


class AnswerView:
    """Shows one answer after the other, each of several under the name of its model.

    `printing` returns what shows the events of the next answer. `readers`, one for each answer or none, read it aloud.
    """

    def __init__(
        self,
        terminal: Terminal,
        printing: Callable[[], Show],
        models: Sequence[str] = (),
        readers: Sequence[AnswerReader] = (),
        *,
        is_json: bool = False,
    ) -> None:
        self._terminal = terminal
        self._printing = printing
        self._models = models
        self._readers = readers
        self._is_json = is_json
        self._read = terminal_reader(terminal)
        self._prompts = CallPrompts(self._read, terminal.note)
        self._codes: list[int] = []

    @property
    def code(self) -> int:
        """The exit code: that of the worst answer."""
        return max(self._codes, default=0)

    async def show(self, events: AsyncGenerator[Event, None], replies: CallReplies) -> None:
        """Show the next answer as it comes, and have the person decide on its calls."""
        await self.present(lambda show: show_asking(events, show, self._prompts, replies))

    async def present(self, answering: Callable[[Show], Coroutine[Any, Any, int]]) -> None:
        """Show the next answer by calling `answering`, which returns its exit code."""
        place = len(self._codes)
        if self._models and not self._is_json:
            self._terminal.line(f"## {self._models[place]}\n" if place == 0 else f"\n## {self._models[place]}\n")
        show = self._printing()
        reading = self._readers[place].accompany(answering, show) if self._readers else answering(show)
        self._codes.append(await reading)

    async def choose(self) -> int | None:
        """Ask a person at the terminal which of several answers to keep; return its place, None for none."""
        choices = {str(place + 1): place for place, code in enumerate(self._codes) if code == 0}
        if not self._models or not choices or self._is_json or not self._terminal.can_ask:
            return None
        named = ", ".join(f"{number}: {self._models[place]}" for number, place in choices.items())
        self._terminal.note(f"Keep an answer? {named}; Enter keeps none.")
        while (typed := await self._read()) is not None and typed.strip():
            if typed.strip() in choices:
                return choices[typed.strip()]
            self._terminal.note(f"Type {' or '.join(choices)}, or press Enter.")
        return None
