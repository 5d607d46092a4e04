"""Read an export completely before storing any of it, to preview it.

Conversations wait in an unnamed file, one a line, which vanishes when closed.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import orjson
from pydantic import TypeAdapter

from eclair.errors import InvalidInput, TooLarge, UserError
from eclair.transfer.importers import IMPORTERS
from eclair.transfer.input_files import open_json_files, parse_json, split_values
from eclair.transfer.json_fields import as_object
from eclair.transfer.normalize import ImportedConversation, ImportKind

MAX_PREVIEW_TITLES = 20
MAX_PREVIEW_PROBLEMS = 50
_READABLE_COPIES = {".html", ".md", ".txt"}
"""Human-readable copies beside the JSON."""
_IMPORTED: TypeAdapter[ImportedConversation] = TypeAdapter(ImportedConversation)


@dataclass(frozen=True, slots=True)
class ImportPreview:
    """Preview of an import: up to twenty `titles`, and `problems` as sentences."""

    kind: ImportKind
    conversations: int
    messages: int
    titles: tuple[str, ...]
    problems: tuple[str, ...]


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


class StagedImport:
    """A staged export: its preview, and its conversations while it is open."""

    def __init__(self, file: BinaryIO, preview: ImportPreview) -> None:
        self._file = file
        self.preview = preview

    def conversations(self) -> Iterator[ImportedConversation]:
        """Yield each conversation in order. Blocks; run it in a thread."""
        self._file.seek(0)
        for line in self._file:
            yield _IMPORTED.validate_json(line)

    def close(self) -> None:
        self._file.close()


def stage(
    file: BinaryIO, name: str, folder: Path, now: int, progress: Callable[[int], None] = lambda done: None
) -> StagedImport:
    """Stage an export. `progress` gets the number of conversations so far and may raise to stop.

    Blocks; run it in a thread. Raises InvalidInput if there is nothing to import, TooLarge past a limit.
    """
    out = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 closed by StagedImport
    try:
        return StagedImport(out, _Stage(out, name, folder, now, progress).read(file))
    except BaseException:
        out.close()
        raise


class _Stage:
    def __init__(self, out: BinaryIO, name: str, folder: Path, now: int, progress: Callable[[int], None]) -> None:
        self._out = out
        self._name = name
        self._folder = folder
        self._now = now
        self._progress = progress
        self._report = OmissionReport()
        self._kinds: Counter[ImportKind] = Counter()
        self._messages = 0
        self._titles: list[str] = []
        self._seen: set[str] = set()
        self._twice = self._empty = self._strange = self._others = 0
        self._other = ""

    def read(self, file: BinaryIO) -> ImportPreview:
        broken: UserError | None = None
        for member in open_json_files(file, self._name, self._folder, self._other_file):
            before = self._strange, len(self._seen)
            try:
                for data in split_values(member.file, member.name):
                    self._read_value(data, member.name)
            except (InvalidInput, TooLarge) as error:
                broken = broken or error
                self._report.add_problem(error.message)
            if member.file is not file and before[1] == len(self._seen) and before[0] != self._strange:
                self._strange = before[0]
                self._report.add_problem(f"{member.name} holds no conversations and was left out.")
        if not self._kinds:
            raise broken or InvalidInput(
                f"{self._name} holds no conversations that Éclair can read; it takes the exports of ChatGPT, Claude, "
                "Open WebUI, LibreChat and Éclair."
            )
        return ImportPreview(
            self._kinds.most_common(1)[0][0],
            self._kinds.total(),
            self._messages,
            tuple(self._titles),
            (*self._counted(), *self._report.sentences()),
        )

    def _read_value(self, data: bytes | TooLarge, name: str) -> None:
        if isinstance(data, TooLarge):
            self._report.add_problem(data.message)
            return
        try:
            value = as_object(parse_json(data))
        except ValueError as error:
            self._report.add_problem(f"Something in {name} is not JSON and was left out ({_reason(error)}).")
            return
        for reader in IMPORTERS:
            if reader.matches(value):
                self._store(reader.kind, reader.read(value, self._now))
                return
        self._strange += 1

    def _store(self, kind: ImportKind, imported: ImportedConversation) -> None:
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
        self._out.write(orjson.dumps(imported, option=orjson.OPT_APPEND_NEWLINE))
        self._progress(self._kinds.total())

    def _other_file(self, name: str) -> None:
        if PurePosixPath(name).suffix.lower() not in _READABLE_COPIES:
            self._others += 1
            self._other = self._other or name

    def _counted(self) -> Iterator[str]:
        if self._empty:
            yield f"Conversations without a message that can be read, left out: {self._empty:,}."
        if self._twice:
            yield f"Conversations that are in the file more than once, imported once: {self._twice:,}."
        if self._strange:
            yield f"Entries that are not conversations, left out: {self._strange:,}."
        if self._others:
            yield f"Other files in it, such as {self._other!r}, left out: {self._others:,}."


def _reason(error: ValueError) -> str:
    reason = str(error).partition(": line")[0]
    return "nested too deeply" if "ecursion" in reason else reason
