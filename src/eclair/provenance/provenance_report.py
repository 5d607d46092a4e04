"""Values of provenance: how a picture was made, and what a file says of that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import eclair
from eclair.errors import InvalidInput

OriginKind = Literal["created", "edited", "drawn"]
"""Made by a model, in full or in part, or drawn by a program that no pictures trained."""

ImageForm = Literal["png", "jpeg", "webp"]
"""Formats in which a picture can be requested with all marks."""

DEFAULT_QUALITY = 95
"""Of lossy formats: no visible difference."""

PRODUCT = "Éclair"
MAX_MODEL_NAME_CHARS = 200


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin of an image: how it was made, and by which model. Raises InvalidInput for an invalid name."""

    how: OriginKind
    model: str

    def __post_init__(self) -> None:
        if not (0 < len(self.model) <= MAX_MODEL_NAME_CHARS and self.model.isprintable()):
            raise InvalidInput(
                f"A mark names a model in {MAX_MODEL_NAME_CHARS} printable characters at most; name it so."
            )

    @property
    def digital_source_type(self) -> str:
        """Return the IPTC's term (Digital Source Type)."""
        return DIGITAL_SOURCE_TYPES[self.how]

    @property
    def tool(self) -> str:
        return f"{PRODUCT} {eclair.__version__}"


IPTC_VOCABULARY = "http://cv.iptc.org/newscodes/digitalsourcetype/"
"""The IPTC's terms for the origin of a picture (Digital Source Type)."""

DIGITAL_SOURCE_TYPES: dict[OriginKind, str] = {
    "created": f"{IPTC_VOCABULARY}trainedAlgorithmicMedia",
    "edited": f"{IPTC_VOCABULARY}compositeWithTrainedAlgorithmicMedia",
    "drawn": f"{IPTC_VOCABULARY}algorithmicMedia",
}


def origin_kind(source: str) -> OriginKind | None:
    """Return what a Digital Source Type says of AI or a program; None for others, such as a camera's."""
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
class ContentCredentials:
    """Content Credentials (C2PA): signed, so that changes show.

    `altered`: the file isn't as it was signed. `elsewhere`: they are on a server, which isn't asked. `trust`: the
    signature is this Éclair's, an unverified signer's, or was made with a certificate that has expired since.
    `problems` are C2PA's own codes.
    """

    state: Literal["found", "altered", "absent", "elsewhere", "unread"]
    how: OriginKind | None = None
    signer: str | None = None
    trust: Literal["own", "unknown", "expired"] | None = None
    product: str | None = None
    model: str | None = None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IptcMetadata:
    """IPTC metadata in XMP or in a text's own metadata, which anyone can write and remove.

    `source` is a Digital Source Type, without its vocabulary.
    """

    state: Literal["found", "absent", "unread"]
    how: OriginKind | None = None
    source: str | None = None
    tool: str | None = None


@dataclass(frozen=True, slots=True)
class WatermarkFinding:
    """Result of the watermark search; `chance` bounds the probability of a false positive."""

    state: Literal["found", "absent", "unread"]
    chance: float | None = None


@dataclass(frozen=True, slots=True)
class TextWatermarkFinding:
    """Result of the test for the watermark of texts; a score would help to remove it."""

    state: Literal["likely", "unknown", "unread"]


@dataclass(frozen=True, slots=True)
class ProvenanceReport:
    """Findings on each mark of a file. `media` is the file's type, where known."""

    media: str | None
    credentials: ContentCredentials
    metadata: IptcMetadata
    watermark: WatermarkFinding
    text_watermark: TextWatermarkFinding = TextWatermarkFinding("unread")

    @property
    def made(self) -> OriginKind | None:
        """Return the strongest statement of the marks together.

        None where no mark says that a model or a program made the file, which proves nothing.
        """
        said = {self.credentials.how, self.metadata.how}
        if "created" in said or (self.watermark.state == "found" and "edited" not in said):
            return "created"
        return "edited" if "edited" in said else "drawn" if "drawn" in said else None

    @property
    def altered(self) -> bool:
        return self.credentials.state == "altered"
