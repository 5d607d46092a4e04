"""Assistants: what a person sets up once, and begins conversations with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from eclair.schema.messages import Web

MAX_ASSISTANTS = 500
"""Of one person."""
MAX_ASSISTANT_NAME_CHARS = 60
MAX_ASSISTANT_DESCRIPTION_CHARS = 300
MAX_ASSISTANT_INSTRUCTIONS_CHARS = 20_000
MAX_EMOJI_CHARS = 16
"""An emoji with its skin tones and joiners."""
MAX_STARTERS = 8
MAX_STARTER_CHARS = 300
MAX_ASSISTANT_TOOLS = 1000
MAX_ASSISTANT_LIBRARIES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class AssistantProfile:
    """The parts of an assistant, as its owner and its editors write them.

    `model` and `web` are those of its conversations; None leaves them to whoever begins one. `tools` are the names of
    those that it may call, None for all. `libraries` are the ids of those that every question searches, and `starters`
    are questions to begin with.
    """

    name: str
    description: str = ""
    emoji: str = ""
    instructions: str = ""
    model: str | None = None
    web: Web | None = None
    tools: tuple[str, ...] | None = None
    libraries: tuple[str, ...] = ()
    starters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Assistant:
    """A stored assistant. Times are in milliseconds; `access` is that of the principal for whom it was read.

    `library` is the id of the library with its own files, which exists once there are some.
    """

    id: str
    owner: str
    profile: AssistantProfile
    created: int
    changed: int
    library: str | None = None
    access: Literal["own", "edit", "view"] = "own"

    @property
    def name(self) -> str:
        """Its name, which is unique for its owner, whatever its case."""
        return self.profile.name

    @property
    def libraries(self) -> tuple[str, ...]:
        """The ids of all libraries that its questions search, that of its own files first."""
        own = () if self.library is None else (self.library,)
        return tuple(dict.fromkeys((*own, *self.profile.libraries)))
