"""Reads exports of other programs inside a sandbox: each conversation, then the preview of all."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import orjson

from eclair.errors import InvalidInput, TooLarge, UserError
from eclair.sandbox.descriptors import open_input
from eclair.sandbox.protocol import ProcessLimits, Rejected
from eclair.sandbox.worker import serve
from eclair.transfer.archive import INDEX_NAME, PERSONAL_FOLDER, dump_record, is_archive_member, load_record
from eclair.transfer.import_protocol import (
    CPU_LIMIT_S,
    MEMORY_LIMIT_BYTES,
    PROTOCOL,
    ImportPreview,
    MemberBytes,
    ReadConversation,
    ReadExport,
    ReadMembers,
    ReadRecord,
)
from eclair.transfer.importers import IMPORTERS, RECORD_IMPORTERS, RecordImporter
from eclair.transfer.importers.copilot import HEADER
from eclair.transfer.input_files import (
    MAX_UNPACKED_BYTES,
    ExportFile,
    open_export_files,
    parse_json,
    read_member,
    read_rows,
    split_values,
)
from eclair.transfer.json_fields import JSON, as_object
from eclair.transfer.normalize import ImportedConversation, ImportKind

MAX_PREVIEW_TITLES = 20
MAX_PREVIEW_PROBLEMS = 50
_READABLE_COPIES = {".html", ".md", ".txt"}
"""Human-readable copies beside the JSON."""


def main() -> None:
    limits = ProcessLimits(MEMORY_LIMIT_BYTES, CPU_LIMIT_S, MAX_UNPACKED_BYTES, renewed=True)
    serve(PROTOCOL, handle, lambda _: limits)


def handle(
    request: ReadExport | ReadMembers,
) -> Iterator[ReadConversation | ReadRecord | MemberBytes | ImportPreview]:
    """Yield each conversation and record, then the preview; or members. Raises Rejected with a whole sentence."""
    try:
        with open_input(Path(request.path)) as file:
            if isinstance(request, ReadMembers):
                yield from _read_members(file, request)
                return
            yield from _Export(request.name, Path(tempfile.gettempdir()), request.now).read(file)
    except TooLarge as error:
        raise Rejected(error.message, "too_large") from error
    except InvalidInput as error:
        raise Rejected(error.message) from error


def _read_members(file: BinaryIO, request: ReadMembers) -> Iterator[MemberBytes]:
    for member, size in request.members:
        left = size
        for data in read_member(file, request.name, member):
            left -= len(data)
            if left < 0:
                break
            yield MemberBytes(member, data, last=False)
        if left != 0:
            raise InvalidInput(f"{member} in {request.name} is not as long as the file says; export it again.")
        yield MemberBytes(member, b"", last=True)


@dataclass(slots=True)
class OmissionReport:
    """Collects omissions, so that a thousand images become one sentence."""

    _counts: Counter[str] = field(default_factory=Counter[str])
    _within: Counter[str] = field(default_factory=Counter[str])
    _sentences: list[str] = field(default_factory=list[str])
    _hidden: int = 0

    def add_omissions(self, things: tuple[str, ...]) -> None:
        """Count what one conversation loses."""
        for thing, count in Counter(things).items():
            if thing in self._counts or len(self._counts) < MAX_PREVIEW_PROBLEMS:
                self._counts[thing] += count
                self._within[thing] += 1
            else:
                self._hidden += 1

    def add_problem(self, sentence: str) -> None:
        if len(self._sentences) < MAX_PREVIEW_PROBLEMS:
            self._sentences.append(sentence)
        else:
            self._hidden += 1

    def sentences(self) -> tuple[str, ...]:
        things = [
            f"Left out: {thing} ({count:,} in {within:,} conversation{'' if within == 1 else 's'})."
            for thing, count in self._counts.most_common()
            for within in [self._within[thing]]
        ]
        more = [f"{self._hidden:,} more problems are not listed."] if self._hidden else []
        return (*self._sentences, *things, *more)


class _Export:
    def __init__(self, name: str, folder: Path, now: int) -> None:
        self._name = name
        self._folder = folder
        self._now = now
        self._report = OmissionReport()
        self._kinds: Counter[ImportKind] = Counter()
        self._messages = 0
        self._titles: list[str] = []
        self._seen: set[str] = set()
        self._records: list[tuple[RecordImporter, JSON]] = []
        self._twice = self._empty = self._strange = self._others = self._members = self._archived = 0
        self._other = self._member = ""

    def read(self, file: BinaryIO) -> Iterator[ReadConversation | ReadRecord | ImportPreview]:
        broken: UserError | None = None
        for member in open_export_files(file, self._name, self._folder, self._other_file):
            before = self._strange, len(self._seen)
            try:
                yield from self._read_file(member)
            except (InvalidInput, TooLarge) as error:
                broken = broken or error
                self._report.add_problem(error.message)
            yield from self._read_records()
            is_strange = member.name != INDEX_NAME and before[1] == len(self._seen)
            if member.file is not file and is_strange and before[0] != self._strange:
                self._strange = before[0]
                self._report.add_problem(f"{member.name} holds no conversations and was left out.")
        if not self._kinds and not self._archived:
            raise broken or InvalidInput(
                f"{self._name} holds no conversations that Éclair can read; it takes the exports of ChatGPT, Claude, "
                "Le Chat, Gemini (as JSON, not HTML), Copilot, Open WebUI, LibreChat and Éclair."
            )
        yield ImportPreview(
            self._kinds.most_common(1)[0][0] if self._kinds else "eclair",
            self._kinds.total(),
            self._messages,
            tuple(self._titles),
            (*self._counted(), *self._report.sentences()),
        )

    def _read_file(self, member: ExportFile) -> Iterator[ReadConversation | ReadRecord]:
        if (rows := read_rows(member.file, HEADER)) is not None:
            for row in rows:
                yield from self._read_object(row)
        elif member.name.endswith(".csv"):
            self._other_file(member.name)
        else:
            for data in split_values(member.file, member.name):
                yield from self._read_value(data, member.name)

    def _read_value(self, data: bytes | TooLarge, name: str) -> Iterator[ReadConversation | ReadRecord]:
        if isinstance(data, TooLarge):
            self._report.add_problem(data.message)
            return
        try:
            value = as_object(parse_json(data))
        except ValueError as error:
            self._report.add_problem(f"Something in {name} is not JSON and was left out ({_reason(error)}).")
            return
        yield from self._read_object(value)

    def _read_object(self, value: JSON) -> Iterator[ReadConversation | ReadRecord]:
        if "eclair_record" in value:
            record = load_record(value)
            if record is None:
                self._strange += 1
                return
            self._archived += 1
            yield ReadRecord(dump_record(record))
            return
        for reader in IMPORTERS:
            if reader.matches(value):
                yield from self._converted(reader.kind, reader.read(value, self._now))
                return
        for reader in RECORD_IMPORTERS:
            if reader.matches(value):
                self._records.append((reader, value))
                return
        self._strange += 1

    def _read_records(self) -> Iterator[ReadConversation]:
        """Convert the records of the file that was read; they are in memory, which the sandbox limits."""
        for reader in RECORD_IMPORTERS:
            records = [record for each, record in self._records if each is reader]
            for imported in reader.read(records, self._now) if records else ():
                yield from self._converted(reader.kind, imported)
        self._records.clear()

    def _converted(self, kind: ImportKind, imported: ImportedConversation) -> Iterator[ReadConversation]:
        self._report.add_omissions(imported.left_out)
        if not imported.messages:
            self._empty += 1
            return
        if imported.conversation.id in self._seen:
            self._twice += 1
            return
        self._seen.add(imported.conversation.id)
        self._kinds[kind] += 1
        self._messages += len(imported.messages)
        if len(self._titles) < MAX_PREVIEW_TITLES:
            self._titles.append(imported.conversation.title)
        yield ReadConversation(orjson.dumps(imported))

    def _other_file(self, name: str) -> None:
        if is_archive_member(name):
            self._members += 1
            self._member = self._member or name
        elif not name.startswith(PERSONAL_FOLDER) and PurePosixPath(name).suffix.lower() not in _READABLE_COPIES:
            self._others += 1
            self._other = self._other or name

    def _counted(self) -> Iterator[str]:
        if self._empty:
            yield f"Conversations without a message that can be read, left out: {self._empty:,}."
        if self._twice:
            yield f"Conversations that are in the file more than once, imported once: {self._twice:,}."
        if self._strange:
            yield f"Entries that are not conversations, left out: {self._strange:,}."
        others = self._others + (0 if self._archived else self._members)
        if others:
            yield f"Other files in it, such as {self._other or self._member!r}, left out: {others:,}."


def _reason(error: ValueError) -> str:
    reason = str(error).partition(": line")[0]
    return "nested too deeply" if "ecursion" in reason else reason
