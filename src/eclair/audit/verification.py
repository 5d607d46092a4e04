"""Verification of the audit log: finds the first row that was changed, moved, added or taken out.

A tail that was cut off together with its checkpoints is found only by a checkpoint that had left the machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from eclair.audit.checkpoint_notes import read_note
from eclair.schema.audit import AuditCheckpoint
from eclair.storage.audit import AuditContents, ChainedRow
from eclair.storage.audit_chain import EMPTY_CHAIN, ErasureDigest, MerkleTree, value_hash


@dataclass(frozen=True, slots=True)
class AuditFault:
    """The first fault: the number of its row, and what is wrong with it in a sentence."""

    number: int
    message: str


@dataclass(frozen=True, slots=True)
class AuditVerification:
    """The result: how many acts and checkpoints were checked, and the first fault, if any.

    `outside` counts the checkpoints from elsewhere, `unsealed` the acts after the last checkpoint.
    """

    acts: int
    checkpoints: int
    outside: int
    unsealed: int
    erased: int
    fault: AuditFault | None


class _Faulty(Exception):
    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.fault = AuditFault(number, message)


def verify(contents: AuditContents, outside: Sequence[AuditCheckpoint] = ()) -> AuditVerification:
    """Check everything that the log holds, and the checkpoints that come from outside."""
    check = _Check(contents, outside)
    try:
        check.run()
        fault = None
    except _Faulty as error:
        fault = error.fault
    sizes = [checkpoint.size for checkpoint in contents.checkpoints]
    unsealed = max(check.tree.size - max(sizes, default=0), 0)
    return AuditVerification(check.tree.size, len(sizes), len(outside), unsealed, check.erased, fault)


class _Check:
    """One pass over the rows, in order."""

    def __init__(self, contents: AuditContents, outside: Sequence[AuditCheckpoint]) -> None:
        self._contents = contents
        self._checkpoints: dict[int, list[AuditCheckpoint]] = {}
        for checkpoint in (*contents.checkpoints, *outside):
            self._checkpoints.setdefault(checkpoint.size, []).append(checkpoint)
        self._keys = list[tuple[int, str]]()
        """Public keys, with the row that announced each."""
        self._erasures: dict[int, ErasureDigest] = {}
        self._announced: dict[int, tuple[Any, Any]] = {}
        self._seals = list[tuple[int, dict[str, Any]]]()
        self._calls_erased = 0
        self.tree = MerkleTree()
        self.erased = 0

    def run(self) -> None:
        """Raises _Faulty."""
        previous = EMPTY_CHAIN
        for chained in self._contents.rows:
            try:
                previous = self._check_row(chained, previous)
            except (AttributeError, KeyError, TypeError, ValueError):  # of damaged values
                number = self.tree.size + 1
                raise _Faulty(number, f"Row {number} can't be read.") from None
        missing = [size for size in self._checkpoints if size > self.tree.size]
        if missing:
            last = max(missing)
            raise _Faulty(
                self.tree.size + 1,
                f"Rows {self.tree.size + 1} to {last} are missing: a checkpoint of {last} rows exists.",
            )
        self._check_erasures()
        self._check_seals()

    def _check_row(self, chained: ChainedRow, previous: bytes) -> bytes:
        row, expected = chained.row, self.tree.size + 1
        if row.number != expected:
            raise _Faulty(expected, f"Row {expected} is missing.")
        if row.chain(previous) != chained.hash:
            raise _Faulty(row.number, f"Row {row.number} isn't the one that was written.")
        self._check_values(chained)
        self._note_details(row.number, row.action, orjson.loads(row.details))
        self.tree.add(chained.hash)
        for checkpoint in self._checkpoints.get(self.tree.size, ()):
            self._check_checkpoint(checkpoint)
        return chained.hash

    def _check_values(self, chained: ChainedRow) -> None:
        number = chained.row.number
        hashes: dict[str, str] = orjson.loads(chained.row.hashes)
        if {value.field for value in chained.values} != set(hashes):
            raise _Faulty(number, f"Row {number} has lost or gained what it says of a person.")
        for value in chained.values:
            if value.erased is not None and value.value is None:
                self._erasures.setdefault(value.erased, ErasureDigest()).add(number, value.field)
                self.erased += 1
            elif (
                value.erased is not None
                or value.salt is None
                or value.value is None
                or value_hash(value.salt, value.value) != hashes[value.field]
            ):
                raise _Faulty(number, f"Row {number} says something else of {value.field} than was written.")

    def _note_details(self, number: int, action: str, details: dict[str, Any]) -> None:
        match action:
            case "audit.key_changed":
                self._keys.append((number, str(details["public"])))
            case "audit.values_erased":
                self._announced[number] = (details["values"], details["digest"])
            case "egress.sealed":
                self._seals.append((number, details))
            case "egress.erased":
                self._calls_erased = max(self._calls_erased, int(details["through"]))
            case _:
                pass

    def _check_checkpoint(self, checkpoint: AuditCheckpoint) -> None:
        size = self.tree.size
        note = read_note(checkpoint.note)
        if note is None or note.checkpoint != checkpoint:
            raise _Faulty(size, f"The checkpoint of {size} rows isn't the one that was signed.")
        if note.checkpoint.root != self.tree.root:
            raise _Faulty(size, f"Rows up to {size} aren't those that the checkpoint of {size} rows was made of.")
        keys = self._keys[-1:] if not self._keys or self._keys[-1][0] < size else self._keys[-2:]
        if not any(note.has_signature_of(public) for _, public in keys):
            raise _Faulty(size, f"The checkpoint of {size} rows isn't signed by the log's key.")

    def _check_erasures(self) -> None:
        for number in sorted({*self._erasures, *self._announced}):
            found = self._erasures.get(number, ErasureDigest())
            if self._announced.get(number) != (found.count, found.finish()):
                raise _Faulty(number, f"What row {number} says was erased isn't what is gone.")
        if self._contents.strays:
            raise _Faulty(self.tree.size + 1, f"{self._contents.strays} values belong to rows that are missing.")

    def _check_seals(self) -> None:
        last = 0
        for number, seal in self._seals:
            if seal["after"] < last:
                raise _Faulty(number, f"Row {number} seals calls of the egress log that were sealed before.")
            last = seal["through"]
            if last <= self._calls_erased:
                continue
            if self._contents.digest_calls(seal["after"], last) != (seal["calls"], seal["digest"]):
                raise _Faulty(
                    number,
                    f"Calls {seal['after'] + 1} to {last} of the egress log aren't those that row {number} sealed.",
                )
