"""Signs receipts, and checks those that somebody shows. Nothing but the receipt and a key is needed for that.

The signature covers the receipt's canonical form: its JSON without the signature, with sorted keys and no white space,
as RFC 8785 has it for texts and whole numbers.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

import orjson
from pydantic import TypeAdapter, ValidationError

from eclair.schema.receipts import RECEIPT_TYPE, Receipt, SignedReceipt
from eclair.storage.signing_key import SigningKey, decode_key, encode_key, is_signed_by, key_fingerprint

CONTEXT = "eclair.receipt.v1"
SIGNATURE_FIELD = "signature"
MAX_RECEIPT_BYTES = 4 << 20

ReceiptState = Literal["valid", "altered", "unreadable"]
"""Valid: as it was signed. Altered: not as it was signed. Unreadable: no receipt of a version that is known here."""

_READER: TypeAdapter[SignedReceipt] = TypeAdapter(SignedReceipt)


@dataclass(frozen=True, slots=True)
class ReceiptCheck:
    """The result of checking a receipt. `own` says that the key is the expected one; None where none is known.

    `fingerprint` names the key that it is signed with. Only a valid receipt is returned with it.
    """

    state: ReceiptState
    own: bool | None = None
    fingerprint: str | None = None
    receipt: SignedReceipt | None = None


class _NotCanonical(ValueError):
    """JSON that two readers could read differently."""


def canonical_form(fields: dict[str, Any]) -> bytes:
    """Return the bytes that are signed: all fields but the signature."""
    signed = {name: value for name, value in fields.items() if name != SIGNATURE_FIELD}
    return orjson.dumps(signed, option=orjson.OPT_SORT_KEYS)


def sign_receipt(receipt: Receipt, key: SigningKey) -> SignedReceipt:
    """Sign a receipt. Raises SettingsError without a usable key."""
    fields = asdict(receipt)
    signature = encode_key(key.sign(CONTEXT, canonical_form(fields)))
    return _READER.validate_python({**fields, SIGNATURE_FIELD: signature})


def write_receipt(receipt: SignedReceipt) -> bytes:
    """Write a receipt as JSON for people to keep."""
    return orjson.dumps(asdict(receipt), option=orjson.OPT_INDENT_2) + b"\n"


def is_receipt(data: bytes) -> bool:
    """Tell whether a file says that it is a receipt."""
    if len(data) > MAX_RECEIPT_BYTES or not data.lstrip().startswith(b"{"):
        return False
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        return False
    return isinstance(found, dict) and cast("dict[str, Any]", found).get("type") == RECEIPT_TYPE


def check_receipt(data: bytes, expected: bytes | None) -> ReceiptCheck:
    """Check a receipt that somebody shows; `expected` is the public key of whom it is said to be from, if known."""
    try:
        if len(data) > MAX_RECEIPT_BYTES:
            raise _NotCanonical
        fields = cast("dict[str, Any]", json.loads(data.decode(), **_READING))
        receipt = _READER.validate_python(fields, strict=False)
        message = canonical_form(fields)
        is_same = orjson.loads(message) == orjson.loads(canonical_form(asdict(receipt)))
    except (ValueError, ValidationError, TypeError, RecursionError, orjson.JSONEncodeError):
        return ReceiptCheck("unreadable")
    public = decode_key(receipt.issuer.public_key)
    own = None if expected is None else public == expected
    name = key_fingerprint(public)
    if not is_same or not is_signed_by(public, CONTEXT, message, decode_key(receipt.signature)):
        return ReceiptCheck("altered", own, name)
    return ReceiptCheck("valid", own, name, receipt)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _NotCanonical
    return found


def _refuse_number(_: str) -> Any:
    raise _NotCanonical


_READING: dict[str, Any] = {
    "object_pairs_hook": _unique,
    "parse_float": _refuse_number,
    "parse_constant": _refuse_number,
}
