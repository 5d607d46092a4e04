"""Reads an export whole before any of it is kept: what is in it is known, and what is not understood is named.

The conversations wait in a file without a name, one a line, which is gone when it is closed.
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
from eclair.transfer.importers import READERS
from eclair.transfer.input_files import cut, members, parse
from eclair.transfer.json_fields import mapping
from eclair.transfer.normalize import Imported, Kind

MOST_TITLES = 20
MOST_PROBLEMS = 50
_TWINS = {".html", ".md", ".txt"}
"""Files beside the JSON that say the same for people to read."""
_IMPORTED: TypeAdapter[Imported] = TypeAdapter(Imported)


@dataclass(frozen=True, slots=True)
class Preview:
    """What an import will bring: `titles` are the first twenty, `problems` sentences on what it will not bring."""

    kind: Kind
    conversations: int
    messages: int
    titles: tuple[str, ...]
    problems: tuple[str, ...]


@dataclass(slots=True)
class Report:
    """Gathers what was left out, so that a thousand pictures are one sentence."""

    _counts: Counter[str] = field(default_factory=Counter[str])
    _within: Counter[str] = field(default_factory=Counter[str])
    _sentences: list[str] = field(default_factory=list[str])
    _hidden: int = 0

    def left_out(self, things: tuple[str, ...]) -> None:
        """The things that one conversation loses."""
        for thing, count in Counter(things).items():
            if thing in self._counts or len(self._counts) < MOST_PROBLEMS:
                self._counts[thing] += count
                self._within[thing] += 1
            else:
                self._hidden += 1

    def say(self, sentence: str) -> None:
        if len(self._sentences) < MOST_PROBLEMS:
            self._sentences.append(sentence)
        else:
            self._hidden += 1

    def sentences(self) -> tuple[str, ...]:
        things = [
            f"Left out: {thing} ({count:,} in {within:,} conversation{'' if within == 1 else 's'})."
            for thing, count in self._counts.most_common()
            for within in [self._within[thing]]
        ]
        more = [f"There is more that was left out, {self._hidden:,} times."] if self._hidden else []
        return (*self._sentences, *things, *more)


class Staged:
    """An export that was read: its preview, and its conversations for as long as it is open."""

    def __init__(self, file: BinaryIO, preview: Preview) -> None:
        self._file = file
        self.preview = preview

    def conversations(self) -> Iterator[Imported]:
        """Each, from the first on. Blocks; belongs in a thread."""
        self._file.seek(0)
        for line in self._file:
            yield _IMPORTED.validate_json(line)

    def close(self) -> None:
        self._file.close()


def stage(
    file: BinaryIO, name: str, folder: Path, now: int, progress: Callable[[int], None] = lambda done: None
) -> Staged:
    """Read an export. `progress` is called with the number of conversations so far and may raise to end it.

    Blocks; belongs in a thread. Raises InvalidInput where there is nothing to import, TooLarge past a limit.
    """
    out = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 closed by Staged
    try:
        return Staged(out, _Stage(out, name, folder, now, progress).read(file))
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
        self._report = Report()
        self._kinds: Counter[Kind] = Counter()
        self._messages = 0
        self._titles: list[str] = []
        self._seen: set[str] = set()
        self._twice = self._empty = self._strange = self._others = 0
        self._other = ""

    def read(self, file: BinaryIO) -> Preview:
        broken: UserError | None = None
        for member in members(file, self._name, self._folder, self._other_file):
            before = self._strange, len(self._seen)
            try:
                for data in cut(member.file, member.name):
                    self._take(data, member.name)
            except (InvalidInput, TooLarge) as error:
                broken = broken or error
                self._report.say(error.message)
            if member.file is not file and before[1] == len(self._seen) and before[0] != self._strange:
                self._strange = before[0]
                self._report.say(f"{member.name} holds no conversations and was left out.")
        if not self._kinds:
            raise broken or InvalidInput(
                f"{self._name} holds no conversations that Éclair can read; it takes the exports of ChatGPT, Claude, "
                "Open WebUI, LibreChat and Éclair."
            )
        return Preview(
            self._kinds.most_common(1)[0][0],
            self._kinds.total(),
            self._messages,
            tuple(self._titles),
            (*self._counted(), *self._report.sentences()),
        )

    def _take(self, data: bytes | TooLarge, name: str) -> None:
        if isinstance(data, TooLarge):
            self._report.say(data.message)
            return
        try:
            value = mapping(parse(data))
        except ValueError as error:
            self._report.say(f"Something in {name} is no JSON and was left out ({_reason(error)}).")
            return
        for reader in READERS:
            if reader.fits(value):
                self._keep(reader.kind, reader.read(value, self._now))
                return
        self._strange += 1

    def _keep(self, kind: Kind, imported: Imported) -> None:
        self._report.left_out(imported.left_out)
        if not imported.messages:
            self._empty += 1
            return
        if imported.conversation.id in self._seen:
            self._twice += 1
            return
        self._seen.add(imported.conversation.id)
        self._kinds[kind] += 1
        self._messages += len(imported.messages)
        if len(self._titles) < MOST_TITLES:
            self._titles.append(imported.conversation.title)
        self._out.write(orjson.dumps(imported, option=orjson.OPT_APPEND_NEWLINE))
        self._progress(self._kinds.total())

    def _other_file(self, name: str) -> None:
        if PurePosixPath(name).suffix.lower() not in _TWINS:
            self._others += 1
            self._other = self._other or name

    def _counted(self) -> Iterator[str]:
        if self._empty:
            yield f"Conversations without a message that can be read, left out: {self._empty:,}."
        if self._twice:
            yield f"Conversations that are in the file more than once, taken once: {self._twice:,}."
        if self._strange:
            yield f"Entries that are no conversations, left out: {self._strange:,}."
        if self._others:
            yield f"Other files in it, such as {self._other!r}, left out: {self._others:,}."


def _reason(error: ValueError) -> str:
    reason = str(error).partition(": line")[0]
    return "nested too deeply" if "ecursion" in reason else reason
