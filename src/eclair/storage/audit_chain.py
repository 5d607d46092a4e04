"""Hashes of the audit log: of an act's personal values, of its row, of the chain of rows, and the tree over it.

A row's hash covers the one before, so that no row can be changed, moved, added or taken out unseen but at the end.
The root of the tree (RFC 6962) says in 32 bytes which rows there are, for a checkpoint. All hashes are SHA-256.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import orjson

EMPTY_CHAIN = bytes(32)
"""The hash before the first row."""
SALT_BYTES = 16


@dataclass(frozen=True, slots=True)
class AuditRow:
    """An act as it is stored: `details` and `hashes` are JSON, the latter of the personal values by field."""

    number: int
    moment: int
    action: str
    outcome: str
    details: str
    hashes: str

    def chain(self, previous: bytes) -> bytes:
        """Return the hash of this row after the row of hash `previous`."""
        row = [self.number, self.moment, self.action, self.outcome, self.details, self.hashes]
        return hashlib.sha256(previous + orjson.dumps(row)).digest()


def value_hash(salt: bytes, value: str) -> str:
    """Return the hash of a personal value, which tells nothing once the salt is gone."""
    return hashlib.sha256(salt + value.encode()).hexdigest()


class ErasureDigest:
    """Digest of which personal values an act has erased, given in order of their rows and fields."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.count = 0

    def add(self, number: int, field: str) -> None:
        self._hash.update(f"{number} {field}\n".encode())
        self.count += 1

    def finish(self) -> str:
        return self._hash.hexdigest()


class MerkleTree:
    """A tree of RFC 6962 that only grows: it holds the roots of its complete subtrees, largest first."""

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        self.size = size
        self.peaks = list(peaks)

    def add(self, leaf: bytes) -> None:
        node, level = _hash(b"\x00", leaf), self.size
        while level & 1:
            node, level = _hash(b"\x01", self.peaks.pop() + node), level >> 1
        self.peaks.append(node)
        self.size += 1

    def extend(self, leaves: Iterable[bytes]) -> None:
        for leaf in leaves:
            self.add(leaf)

    @property
    def root(self) -> bytes:
        if not self.peaks:
            return hashlib.sha256(b"").digest()
        node = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            node = _hash(b"\x01", peak + node)
        return node

    def to_text(self) -> str:
        return " ".join(base64.b64encode(peak).decode() for peak in self.peaks)

    @classmethod
    def from_text(cls, size: int, text: str) -> MerkleTree:
        return cls(size, [base64.b64decode(peak) for peak in text.split()])


def _hash(kind: bytes, data: bytes) -> bytes:
    return hashlib.sha256(kind + data).digest()
