"""`eclair receipt`: shows the receipt of an answer, or verifies it offline."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import orjson

from eclair.chat.receipt_signing import MAX_RECEIPT_BYTES, ReceiptCheck, check_receipt
from eclair.cli._arguments import load_settings
from eclair.cli._logging import log_if_debugging
from eclair.cli._terminal import Terminal
from eclair.errors import InvalidInput, NotFound, TooLarge, UnreadableFile
from eclair.schema.receipts import SignedReceipt
from eclair.settings import Settings
from eclair.storage.signing_key import KEY_BYTES, SIGNING_KEY_FILE, SigningKey, decode_key
from eclair.util.humanize import format_size

BASE64_KEY_CHARS = 43
NOT_VALID_EXIT_CODE = 2


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    file: Path = arguments.file
    check = check_receipt(_read(file), _expected_key(arguments.key, settings))
    is_wanted = check.state == "valid" and (arguments.action == "show" or check.own is not False)
    is_text_right = arguments.text is None or _has_hash(_read(arguments.text), check)
    if arguments.json:
        terminal.write_bytes(orjson.dumps(asdict(check), option=orjson.OPT_INDENT_2) + b"\n")
    else:
        if check.receipt is not None and arguments.action == "show":
            for line in _describe(check.receipt):
                terminal.line(line)
        terminal.line(_verdict(check, file))
        if arguments.text is not None and check.receipt is not None:
            terminal.line(f"{arguments.text} is {'' if is_text_right else 'not '}the text of that answer.")
    return 0 if is_wanted and is_text_right else NOT_VALID_EXIT_CODE


def _has_hash(text: bytes, check: ReceiptCheck) -> bool:
    """Tell whether a text is the answer's, but for the line end that an editor adds."""
    found = {hashlib.sha256(each).hexdigest() for each in (text, text.removesuffix(b"\n"))}
    return check.receipt is not None and check.receipt.answer.text_sha256 in found


def _read(file: Path) -> bytes:
    """Read a receipt's file. Raises UserError."""
    try:
        if file.stat().st_size > MAX_RECEIPT_BYTES:
            raise TooLarge(f"{file} is larger than any receipt; choose another file.")
        return file.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"There is no file {file}; check the path.") from None
    except OSError as error:
        raise UnreadableFile(f"{file} cannot be read: {error.strerror}; check who may read it.") from error


def _expected_key(given: str | None, settings: Settings) -> bytes | None:
    """Return the key that was given, as text or in a file of keys, or else this installation's, if it has one."""
    if given is None:
        path = settings.data_dir / SIGNING_KEY_FILE
        return SigningKey(path).public() if path.exists() else None
    text = given
    if len(given) != BASE64_KEY_CHARS:
        try:
            text = str(orjson.loads(Path(given).read_bytes())["keys"][0]["public_key"])
        except (OSError, ValueError, TypeError, LookupError):
            raise InvalidInput(
                f"{given} is no key; give one of 43 characters, or the file that the issuer has at "
                "/.well-known/eclair-receipts.json."
            ) from None
    key = decode_key(text)
    if len(key) != KEY_BYTES:
        raise InvalidInput(f"{given} is no public key; copy it again from the issuer.")
    return key


def _verdict(check: ReceiptCheck, file: Path) -> str:
    match check.state, check.own:
        case "unreadable", _:
            return f"{file} is no receipt that this version can read."
        case "altered", _:
            return f"{file} is not as it was signed; don't trust it."
        case "valid", True:
            return f"Valid: signed with the expected key {check.fingerprint}, unaltered since."
        case "valid", False:
            return f"Unaltered, but signed with another key than expected: {check.fingerprint}."
        case _:
            return (
                f"Unaltered since it was signed with the key {check.fingerprint}; compare that with the issuer's, or "
                "give it with --key."
            )


def _describe(receipt: SignedReceipt) -> Iterator[str]:
    answer, model, usage = receipt.answer, receipt.model, receipt.usage
    yield f"Answer {answer.id} of {answer.created}, {answer.status}, {answer.characters:,} characters"
    yield f"  SHA-256 {answer.text_sha256}"
    by = f" by {model.maker}" if model.maker else ""
    yield f"Model {model.name or model.id}{by}, answered at: {model.country or model.place}"
    if not receipt.outside.calls:
        yield "Nothing left the machine." if receipt.outside.complete else "The log of outgoing calls was erased."
    for call in receipt.outside.calls:
        size = f"{format_size(call.sent)} out, {format_size(call.received)} in"
        yield f"Asked {call.host} ({call.country or 'country unknown'}) for {call.purpose}: {call.verdict}, {size}"
    for source in receipt.sources:
        yield f"Source {source.number}: {source.url or source.name}, cited {source.cited} times"
    yield from _usage(receipt)
    if usage.millijoules is not None:
        yield f"Energy: {usage.millijoules / 1000:,.1f} J, {usage.energy}"
    if usage.cost_micros is not None:
        yield f"Cost: {usage.cost_micros / 1_000_000:,.6f} {usage.currency}"
    yield f"Mark: {receipt.marks.digital_source_type}"
    yield f"Issued {receipt.issued} by {receipt.issuer.name} {receipt.issuer.version}"


def _usage(receipt: SignedReceipt) -> Iterator[str]:
    usage = receipt.usage
    if usage.prompt_tokens is not None and usage.completion_tokens is not None:
        yield f"Tokens: {usage.prompt_tokens:,} read, {usage.completion_tokens:,} written"
