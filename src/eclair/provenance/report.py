"""What marks say, as values: how a picture was made, and what a file tells of how it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import eclair
from eclair.errors import InvalidInput

How = Literal["created", "edited", "drawn"]
"""By a model altogether, or in part; or put together from drawings by a program that no pictures taught."""

Form = Literal["png", "jpeg", "webp"]
"""A form that a picture can be written in with all marks."""

QUALITY = 95
"""Of what is written with a loss, so that nobody sees a difference."""

PRODUCT = "Éclair"
LONGEST_MODEL = 200


@dataclass(frozen=True, slots=True)
class Made:
    """How a picture came to be, and by which model. Raises InvalidInput for a model that could not be named."""

    how: How
    model: str

    def __post_init__(self) -> None:
        if not (0 < len(self.model) <= LONGEST_MODEL and self.model.isprintable()):
            raise InvalidInput(f"A mark names a model in {LONGEST_MODEL} printable characters at most; name it so.")

    @property
    def source(self) -> str:
        """The IPTC's word for it."""
        return SOURCES[self.how]

    @property
    def tool(self) -> str:
        return f"{PRODUCT} {eclair.__version__}"


VOCABULARY = "http://cv.iptc.org/newscodes/digitalsourcetype/"
"""The IPTC's words for what a picture comes from (Digital Source Type)."""

SOURCES: dict[How, str] = {
    "created": f"{VOCABULARY}trainedAlgorithmicMedia",
    "edited": f"{VOCABULARY}compositeWithTrainedAlgorithmicMedia",
    "drawn": f"{VOCABULARY}algorithmicMedia",
}


def how_of(source: str) -> How | None:
    """What a Digital Source Type says of AI, or of a program without; None for one that speaks of neither, such as a
    camera's."""
    match source.rstrip("/").rpartition("/")[2]:
        case "trainedAlgorithmicMedia":
            return "created"
        case "compositeWithTrainedAlgorithmicMedia" | "compositeSynthetic":
            return "edited"
        case "algorithmicMedia":
            return "drawn"
        case _:
            return None


@dataclass(frozen=True, slots=True)
class Credentials:
    """Content Credentials (C2PA): signed, so that a change shows.

    `altered`: the file is not as it was signed; `elsewhere`: they are kept on a server, which is not asked. `trust`
    says whether the signature is this Éclair's, another's whom nobody here has checked, or one whose certificate has
    expired since. `problems` are C2PA's own codes.
    """

    state: Literal["found", "altered", "absent", "elsewhere", "unread"]
    how: How | None = None
    signer: str | None = None
    trust: Literal["own", "unknown", "expired"] | None = None
    product: str | None = None
    model: str | None = None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Metadata:
    """The note beside the picture (IPTC, in XMP), which whoever likes can write and remove. `source` is a word of the
    IPTC's vocabulary."""

    state: Literal["found", "absent", "unread"]
    how: How | None = None
    source: str | None = None
    tool: str | None = None


@dataclass(frozen=True, slots=True)
class Watermark:
    """The pattern under the picture. Where it is found, `chance` is the probability, at most, that it is none."""

    state: Literal["found", "absent", "unread"]
    chance: float | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What is told by the marks of a file, each by itself. `media` is its type where that is known."""

    media: str | None
    credentials: Credentials
    metadata: Metadata
    watermark: Watermark

    @property
    def made(self) -> How | None:
        """What the marks say together, the most that any says of AI; None where none says that a model or a program
        made it, which proves nothing."""
        said = {self.credentials.how, self.metadata.how}
        if "created" in said or (self.watermark.state == "found" and "edited" not in said):
            return "created"
        return "edited" if "edited" in said else "drawn" if "drawn" in said else None

    @property
    def altered(self) -> bool:
        return self.credentials.state == "altered"
