"""The receipt of an answer: how it was made, as values. All numbers are whole, so that each has one form in JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import ConfigDict

RECEIPT_TYPE = "eclair.receipt"
RECEIPT_VERSION = 1

_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class ReceiptAnswer:
    """The answer that a receipt is for. `text_sha256` is the hash of its text in UTF-8; the question's likewise.

    `created` is when it was asked for, as all times of a receipt in RFC 3339 and UTC.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    id: str
    conversation: str
    run: str
    created: str
    status: str
    finish_reason: str | None
    characters: int
    text_sha256: str
    question_sha256: str | None


@dataclass(frozen=True, slots=True)
class ReceiptModel:
    """The model that answered. `maker_country` has ISO codes; what isn't known any more is None.

    `engine` ran it at `place`: this machine, this network, a country, or an unknown place. `country` is that of the
    place. `file_sha256` is the hash of its file as the catalog has it, where the file is on this machine.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    id: str
    name: str | None
    maker: str | None
    maker_country: str | None
    license: str | None
    engine: str | None
    place: Literal["machine", "network", "country", "unknown"]
    country: str | None
    file_sha256: str | None


@dataclass(frozen=True, slots=True)
class ReceiptCall:
    """One call to another machine, from the log of outgoing calls. `sent` and `received` are bytes."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    moment: str
    host: str
    country: str | None
    purpose: str
    verdict: str
    status: int | None
    sent: int
    received: int
    milliseconds: int


@dataclass(frozen=True, slots=True)
class ReceiptCalls:
    """The outgoing calls of the answer. Not `complete`: the log has erased some since, or they are too many."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    complete: bool
    calls: tuple[ReceiptCall, ...]


@dataclass(frozen=True, slots=True)
class ReceiptSource:
    """A passage that the answer could rest on, and by how many sentences it is `cited`.

    `passage_sha256` is the hash of its text, `file_sha256` that of the file's bytes, or of the page's text as it was
    read; None where the file or page has been deleted since.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    number: int
    kind: Literal["file", "web"]
    name: str
    url: str | None
    published: str | None
    page: int
    cited: int
    passage_sha256: str
    file_sha256: str | None


@dataclass(frozen=True, slots=True)
class ReceiptUsage:
    """Tokens, time, energy and money; None where it isn't known. Money is in millionths of `currency`."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    prompt_tokens: int | None
    cached_tokens: int | None
    completion_tokens: int | None
    milliseconds: int | None
    millijoules: int | None
    energy: Literal["measured", "estimated"] | None
    cost_micros: int | None
    currency: str | None


@dataclass(frozen=True, slots=True)
class ReceiptImage:
    """An image of the answer: the hash of its bytes with their marks, and how it was made."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    id: str
    model: str
    sha256: str


@dataclass(frozen=True, slots=True)
class ReceiptMarks:
    """The marks of the answer: the IPTC's term in every export and share, and the header of the replies.

    `watermarked_tokens` were written with the watermark of texts; None where none was set.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    digital_source_type: str
    header: str
    images: tuple[ReceiptImage, ...]
    watermarked_tokens: int | None


@dataclass(frozen=True, slots=True)
class ReceiptIssuer:
    """The installation that signs. `public_key` is its Ed25519 key in base64url."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    name: str
    version: str
    address: str | None
    public_key: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt without its signature."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    type: Literal["eclair.receipt"]
    version: Literal[1]
    issued: str
    issuer: ReceiptIssuer
    answer: ReceiptAnswer
    model: ReceiptModel
    outside: ReceiptCalls
    sources: tuple[ReceiptSource, ...]
    usage: ReceiptUsage
    marks: ReceiptMarks


@dataclass(frozen=True, slots=True)
class SignedReceipt(Receipt):
    """A receipt and the signature of its issuer over all of it, in base64url."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    signature: str
