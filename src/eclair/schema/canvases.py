"""A canvas: a text, program, page or diagram beside a conversation, which a person and a model edit together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

CanvasAuthor = Literal["person", "model"]
CanvasLanguage = Annotated[str, Field(pattern=r"^[a-z0-9+#.-]{0,30}$")]


@dataclass(frozen=True, slots=True)
class Canvas:
    """A canvas of a conversation. Times are in milliseconds; `current` is the number of the version that counts.

    `language` is what its text is written in, such as `markdown`, `python`, `html`, `svg`, `jsx` or `mermaid`.
    """

    id: str
    conversation: str
    title: str
    language: str
    created: int
    updated: int
    current: int = 1


@dataclass(frozen=True, slots=True)
class CanvasVersion:
    """A version of a canvas, without its text. Versions count from 1; the first has no `parent`.

    `model` is the model that wrote it; None for a person. The name is empty until somebody gives it one.
    """

    number: int
    parent: int | None
    author: CanvasAuthor
    model: str | None
    name: str
    created: int


@dataclass(frozen=True, slots=True)
class NewCanvasVersion:
    """A version to be added to the one it was made from."""

    parent: int
    text: str
    author: CanvasAuthor
    model: str | None = None
    name: str = ""
