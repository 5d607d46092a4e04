"""Checkpoints as signed notes: the log's name, its size, its root and the moment, then a signature of these lines.

They have the form of transparency logs' checkpoints (C2SP tlog-checkpoint), signed by the installation's key.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from eclair.schema.audit import AuditCheckpoint
from eclair.storage.signing_key import SigningKey, decode_key, is_signed_by

ORIGIN = "eclair-audit-log"
KEY_ID_BYTES = 4

_NOTE = re.compile(
    r"eclair-audit-log\n(\d{1,18})\n([A-Za-z0-9+/]{43}=)\nmoment (\d{1,18})\n"
    r"\n\u2014 eclair-audit-log ([A-Za-z0-9+/=]{1,200})\n"
)


@dataclass(frozen=True, slots=True)
class SignedNote:
    """A note that was read: its checkpoint, the text that is signed, and the signature with the id of its key."""

    checkpoint: AuditCheckpoint
    signed: bytes
    key_id: bytes
    signature: bytes

    def has_signature_of(self, public: str) -> bool:
        """Tell whether the note is signed by a key, given as text."""
        key = decode_key(public)
        return self.key_id == key_id(key) and is_signed_by(key, ORIGIN, self.signed, self.signature)


def key_id(public: bytes) -> bytes:
    """Return the id of a key that its notes carry."""
    return hashlib.sha256(ORIGIN.encode() + b"\n" + public).digest()[:KEY_ID_BYTES]


def write_note(key: SigningKey, size: int, root: bytes, moment: int) -> str:
    """Return a note that `key` has signed. Raises SettingsError without a usable key."""
    text = f"{ORIGIN}\n{size}\n{base64.b64encode(root).decode()}\nmoment {moment}\n"
    signature = base64.b64encode(key_id(key.public()) + key.sign(ORIGIN, text.encode())).decode()
    return f"{text}\n\u2014 {ORIGIN} {signature}\n"


def read_note(text: str) -> SignedNote | None:
    """Read a note; None for any other text. Its signature isn't checked."""
    found = _NOTE.fullmatch(text)
    if found is None:
        return None
    try:
        signature = base64.b64decode(found[4], validate=True)
    except ValueError:
        return None
    checkpoint = AuditCheckpoint(int(found[1]), base64.b64decode(found[2]), int(found[3]), text)
    signed = text[: text.index("\n\n") + 1].encode()
    return SignedNote(checkpoint, signed, signature[:KEY_ID_BYTES], signature[KEY_ID_BYTES:])


def checkpoint_line(checkpoint: AuditCheckpoint) -> str:
    """Return a checkpoint as one line of JSON, for files and logs of other machines."""
    moment = datetime.fromtimestamp(checkpoint.moment / 1000, UTC).isoformat(timespec="seconds")
    return orjson.dumps({"checkpoint": checkpoint.size, "time": moment, "note": checkpoint.note}).decode()


def read_notes(text: str) -> list[AuditCheckpoint]:
    """Read the checkpoints in a file: one note, or lines that hold one as JSON, whatever stands before it.

    Other lines are left out.
    """
    whole = read_note(text)
    if whole is not None:
        return [whole.checkpoint]
    found = list[AuditCheckpoint]()
    for line in text.splitlines():
        start = line.find('{"checkpoint":')
        if start < 0:
            continue
        try:
            note = read_note(str(orjson.loads(line[start:])["note"]))
        except (orjson.JSONDecodeError, KeyError, TypeError):
            continue
        if note is not None:
            found.append(note.checkpoint)
    return found
