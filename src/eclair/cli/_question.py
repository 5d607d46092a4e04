"""A question of `eclair ask`, wherever it is asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from eclair.chat.message_text import title_from
from eclair.chat.turn_options import TurnOptions

TITLE = "eclair ask"
"""The title of a conversation that is there for one answer; without one, a model would be asked for it."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its options, files and libraries, in a `project` and with MCP `servers`, which are names.

    `accepted` is the time it was asked, by `time.perf_counter`. Several `models` answer it side by side; the model of
    the options is then None.
    """

    text: str
    options: TurnOptions
    accepted: float
    files: tuple[Path, ...] = ()
    libraries: tuple[str, ...] = ()
    project: str | None = None
    servers: tuple[str, ...] = ()
    models: tuple[str, ...] = ()

    @property
    def needs_conversation(self) -> bool:
        """True if it is answered in a conversation, also where files and libraries need none."""
        return self.project is not None or bool(self.servers or self.models)

    @property
    def title(self) -> str:
        """The title of its conversation, which is kept with one of several answers alone."""
        return title_from(self.text) if self.models else TITLE

    @property
    def turn_options(self) -> TurnOptions:
        """The options in its conversation. Outside a project, comparing answers keeps and uses no memories."""
        return replace(self.options, memory="off") if self.models and self.project is None else self.options
