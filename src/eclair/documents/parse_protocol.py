"""Requests to the sandbox that parses documents, and its results."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

from eclair.documents.limits import Limits
from eclair.sandbox.protocol import SandboxProtocol
from eclair.schema.documents import About, Opened, Page, Prepared, SoundMember, UnreadPart, Word
from eclair.util.frames import Codec, FrameError

_WORD = struct.Struct("<2i4d")


@dataclass(frozen=True, slots=True)
class ServedPage:
    """A served web page: address, media type (RFC 6838), charset if declared, and day (ISO 8601, UTC)."""

    url: str
    media: str
    charset: str | None
    day: str


@dataclass(frozen=True, slots=True)
class ReadDocument:
    """Read a file from the page behind `after`.

    `labels` is the network that labels photos; `served` is set for a web page.
    """

    path: str
    name: str
    limits: Limits
    after: int = 0
    labels: str | None = None
    served: ServedPage | None = None


@dataclass(frozen=True, slots=True)
class RenderPage:
    """Render a page as a picture `width` pixels wide."""

    path: str
    name: str
    limits: Limits
    page: int
    width: int


@dataclass(frozen=True, slots=True)
class PrepareImage:
    """Prepare a picture for a model that uses `side` pixels of its longer side."""

    path: str
    name: str
    limits: Limits
    side: int


@dataclass(frozen=True, slots=True)
class UnpackSound:
    """Unpack the recording that `member` names in an archive or e-mail."""

    path: str
    name: str
    limits: Limits
    member: str


@dataclass(frozen=True, slots=True)
class PageRead:
    """A page, with its hundreds of words packed separately."""

    page: Page
    words: bytes

    @classmethod
    def pack(cls, page: Page) -> PageRead:
        return cls(replace(page, words=()), b"".join([_WORD.pack(*word) for word in page.words]))

    def unpack(self) -> Page:
        """Return the page with its words. Raises FrameError where they are damaged."""
        if len(self.words) % _WORD.size:
            raise FrameError("a word is cut off")
        words = tuple(map(Word._make, _WORD.iter_unpack(self.words)))
        if not math.isfinite(sum(chain.from_iterable(words))):
            raise FrameError("a word stands nowhere")
        return replace(self.page, words=words)


@dataclass(frozen=True, slots=True)
class RenderedPage:
    png: bytes


@dataclass(frozen=True, slots=True)
class SoundBytes:
    """The next bytes of an unpacked recording."""

    data: bytes


ParseRequest = ReadDocument | RenderPage | PrepareImage | UnpackSound
ReadResult = Opened | PageRead | UnreadPart | SoundMember | About
ParseResult = ReadResult | RenderedPage | Prepared | SoundBytes

RESULTS: Sequence[type[ParseResult]] = (
    Opened,
    PageRead,
    UnreadPart,
    SoundMember,
    About,
    RenderedPage,
    Prepared,
    SoundBytes,
)
PROTOCOL = SandboxProtocol[ParseRequest, ParseResult](
    "eclair.documents.worker",
    Codec(ReadDocument, RenderPage, PrepareImage, UnpackSound),
    tuple(RESULTS),
    input_paths=lambda request: (request.path,),
)
