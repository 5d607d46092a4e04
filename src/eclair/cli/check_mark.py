"""`eclair check-mark`: checks files for marks that AI made them."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import orjson

from eclair.cli._arguments import load_settings
from eclair.cli._logging import log_if_debugging
from eclair.cli._signals import run_async
from eclair.cli._terminal import Terminal
from eclair.errors import InvalidInput, NotFound, TooLarge, UserError
from eclair.provenance.provenance_report import (
    ContentCredentials,
    IptcMetadata,
    ProvenanceReport,
    TextWatermarkFinding,
    WatermarkFinding,
)
from eclair.provenance.service import Provenance
from eclair.settings import Settings
from eclair.util.scratch import ScratchFolder

STANDARD_INPUT = Path("-")
VERDICTS = {
    "created": "A model made it, by its marks.",
    "edited": "A model had a part in it, by its marks.",
    "drawn": "A program drew it, without AI, by its marks.",
    None: "No mark says that a model made it. That proves nothing: not everything is marked, and marks can be removed.",
}
CLAIMS = {
    "created": "say that a model made it",
    "edited": "say that a model had a part in it",
    "drawn": "say that a program drew it",
    None: "do not speak of AI",
}


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    return run_async(_check(settings, arguments.files, terminal, as_json=arguments.json))


async def _check(settings: Settings, files: list[Path], terminal: Terminal, *, as_json: bool) -> int:
    marks = Provenance.configured(settings)
    results: list[dict[str, object]] = []
    code = 0
    for path in files:
        terminal.status(f"Looking at {path}…")
        try:
            report = await _report(marks, path, settings.max_check_mb)
        except UserError as error:
            code = error.exit_code
            results.append({"file": str(path), "error": {"code": error.code, "message": error.message}})
            if not as_json:
                terminal.warn(error.message)
            continue
        results.append({"file": str(path), "made": report.made, "altered": report.altered, **asdict(report)})
        if not as_json:
            _show(path, report, terminal)
    terminal.status("")
    if as_json:
        terminal.write_bytes(orjson.dumps(results, option=orjson.OPT_INDENT_2) + b"\n")
    return code


async def _report(marks: Provenance, path: Path, max_mb: int) -> ProvenanceReport:
    """Check a file, or what is piped in for `-`. Raises UserError."""
    if path != STANDARD_INPUT:
        return await marks.check(_checked_path(path, max_mb), str(path))
    with ScratchFolder("marks") as folder:
        piped = folder.path / "text"
        piped.write_bytes(await asyncio.to_thread(sys.stdin.buffer.read, max_mb * 1_000_000 + 1))
        _checked_path(piped, max_mb)
        return await marks.check(piped, "The text")


def _checked_path(path: Path, max_mb: int) -> Path:
    """Return the file's absolute path. Raises UserError unless it is a readable file within the limit."""
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        raise NotFound(f"There is no file {path}; check the path.") from None
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}; check who may read it.") from error
    if not path.is_file() or size == 0:
        raise InvalidInput(f"{path} is {'empty' if path.is_file() else 'not a file'}; choose another.")
    if size > max_mb * 1_000_000:
        raise TooLarge(f"{path} is larger than {max_mb:,} MB, the limit (ECLAIR_MAX_CHECK_MB).")
    return path.absolute()


def _show(path: Path, report: ProvenanceReport, terminal: Terminal) -> None:
    terminal.line(str(path))
    if report.altered:
        terminal.line("  It has been altered since it was signed.")
    terminal.line(f"  {VERDICTS[report.made]}")
    for line in (
        *_credentials(report.credentials),
        *_metadata(report.metadata),
        *_watermark(report.watermark),
        *_text_watermark(report.text_watermark),
    ):
        terminal.line(f"  {line}")


def _credentials(found: ContentCredentials) -> Iterator[str]:
    by = " · ".join(filter(None, (found.product, found.model)))
    match found.state:
        case "found":
            yield f"Content Credentials: signed by {_signer(found)}, unaltered since;"
            yield f"they {CLAIMS[found.how]}{f' ({by})' if by else ''}."
        case "altered":
            yield f"Content Credentials: broken ({', '.join(found.problems)}); they {CLAIMS[found.how]}."
        case "absent":
            yield "Content Credentials: none."
        case "elsewhere":
            yield "Content Credentials: kept on a server, which is not asked."
        case "unread":
            yield "Content Credentials: files of this kind bear none, or the file is damaged."


def _signer(found: ContentCredentials) -> str:
    match found.trust:
        case "own":
            return "this Éclair"
        case "expired":
            return f"{found.signer or 'somebody'}, whose certificate has expired since"
        case _:
            return f"{found.signer or 'somebody'}, whom nobody here has checked"


def _metadata(found: IptcMetadata) -> Iterator[str]:
    if found.state == "found":
        tool = f" by {found.tool}" if found.tool else ""
        yield f"Note in the file: {found.source}{tool}; anybody can write or remove it."
    else:
        yield "Note in the file: none."


def _watermark(found: WatermarkFinding) -> Iterator[str]:
    match found.state:
        case "found":
            yield f"Éclair's watermark: there; by chance with a probability of {found.chance:.0e} at most."
        case "absent":
            yield "Éclair's watermark: not found."
        case "unread":
            yield "Éclair's watermark: not looked for; the file is not an image, or it is damaged."


def _text_watermark(found: TextWatermarkFinding) -> Iterator[str]:
    match found.state:
        case "likely":
            yield "Watermark in the text: likely made by this Éclair."
        case "unknown":
            yield "Watermark in the text: cannot tell; short, edited or translated text and code carry none."
        case "unread":
            pass
