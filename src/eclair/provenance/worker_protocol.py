"""What is said to the process in which a file is marked or looked at, and how it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from eclair.provenance.certificates import Known
from eclair.provenance.report import QUALITY, Form

SECONDS = 60
"""Of the processor, for one file."""

PICTURE, REPORT, FAULT = b"P", b"R", b"F"
"""What an answer begins with: a picture behind a line with its type, a report as JSON, or what is wrong: a sentence
without its subject and its full stop."""


@dataclass(frozen=True, slots=True)
class Order:
    """Write the note `packet` and, if it is `watermarked`, the watermark into the picture that follows, in another
    `form` if one is named; or look at the file at `path`, knowing whose signatures are this Éclair's."""

    what: Literal["mark", "look"]
    packet: str = ""
    watermarked: bool = True
    form: Form | None = None
    quality: int = QUALITY
    path: str = ""
    known: Known = Known()  # noqa: RUF009
