"""What is said to the process in which one picture is looked at, and how it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SECONDS = 60
"""Of the processor, for one picture."""

DONE, FAULT = b"D", b"F"
"""What an answer begins with: a line of JSON and bytes, or what is wrong: a sentence without its subject and its full
stop."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be made of the picture that follows: a thumbnail with the note `packet`, or a mask of that size."""

    what: Literal["thumbnail", "mask"]
    packet: str = ""
    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """The picture that was asked about: its type (RFC 6838) and its size in pixels."""

    media: str
    width: int
    height: int
