"""The receipt of an erasure: what was erased of a person, as numbers. Nothing of the content is in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import ConfigDict

ERASURE_TYPE = "eclair.erasure"

_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class ErasedCount:
    """A number of things of one kind, such as `messages`; None in works-council mode."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    kind: str
    count: int | None


@dataclass(frozen=True, slots=True)
class BackupExpiry:
    """A backup that still holds what was erased, and when it goes: None where none is made any more."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    name: str
    made: str
    expires: str | None


@dataclass(frozen=True, slots=True)
class ErasureReceipt:
    """A receipt without its signature. `person` is the id that their account had; times are RFC 3339 in UTC.

    `kept` counts what stays without content, such as calls of the egress log without an address. `remaining` counts
    what could not be erased, and is empty if all went well. `logs` says that the log lines of the program, which the
    system keeps, have ids and addresses of computers, and no text of anybody.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    type: Literal["eclair.erasure"]
    version: Literal[1]
    id: str
    person: str
    asked_by: Literal["person", "administrator"]
    asked: str
    ended: str
    erased: tuple[ErasedCount, ...]
    kept: tuple[ErasedCount, ...]
    remaining: tuple[ErasedCount, ...]
    backups: tuple[BackupExpiry, ...]
    logs: Literal["ids and addresses only; they go as the system rotates its logs"]
    issuer: str
    public_key: str


@dataclass(frozen=True, slots=True)
class SignedErasureReceipt(ErasureReceipt):
    """A receipt and the signature over all of it, in base64url."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    signature: str
