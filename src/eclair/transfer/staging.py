"""Reads an export completely, in a sandbox, before storing any of it, to preview it.

Conversations wait in an unnamed file, one a line, which vanishes when closed. The bytes of files and images stay in
the export until they are stored.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import BinaryIO

import orjson
from pydantic import TypeAdapter

from eclair.errors import InvalidInput, StoreError, TooLarge
from eclair.sandbox.pool import SandboxPool
from eclair.sandbox.protocol import Rejected, SandboxError
from eclair.storage.libraries import Library
from eclair.transfer.archive import ArchiveIndex, load_record
from eclair.transfer.import_protocol import (
    PROTOCOL,
    RESULT_TIMEOUT_S,
    ImportPreview,
    MemberBytes,
    ReadConversation,
    ReadExport,
    ReadMembers,
    ReadRecord,
)
from eclair.transfer.normalize import ImportedConversation

_IMPORTED: TypeAdapter[ImportedConversation] = TypeAdapter(ImportedConversation)


class StagedImport:
    """A staged export: its preview, its conversations and its other records, while it is open.

    `source` is the export itself, kept for the bytes in it. `added_libraries` are those that its import has made, by
    their ids in the export, until a project or an assistant has one of them as its own.
    """

    def __init__(
        self, file: BinaryIO, preview: ImportPreview, index: ArchiveIndex, source: BinaryIO | None, name: str
    ) -> None:
        self._file = file
        self._source = source
        self._name = name
        self.preview = preview
        self.index = index
        self.added_libraries: dict[str, Library] = {}

    def conversations(self) -> Iterator[ImportedConversation]:
        """Yield each conversation in order. Blocks; run it in a thread."""
        self._file.seek(0)
        for line in self._file:
            yield _IMPORTED.validate_json(line)

    def conversation_ids(self) -> list[str]:
        """List the ids of the conversations. Blocks; run it in a thread."""
        return [imported.conversation.id for imported in self.conversations()]

    async def read_members(self, members: Sequence[tuple[str, int]]) -> AsyncGenerator[MemberBytes, None]:
        """Yield the bytes of members of the export, by name and size, in pieces. Raises InvalidInput."""
        if self._source is None or not members:
            return
        request = ReadMembers(f"/dev/fd/{self._source.fileno()}", self._name, tuple(members))
        sandboxes = SandboxPool(PROTOCOL)
        try:
            async with (
                sandboxes.worker() as worker,
                aclosing(worker.ask(request, result_timeout_s=RESULT_TIMEOUT_S)) as results,
            ):
                async for result in results:
                    if isinstance(result, MemberBytes):
                        yield result
        except Rejected as rejected:
            raise InvalidInput(rejected.message) from None
        except SandboxError as error:
            raise InvalidInput(f"{self._name} cannot be read; download the export again.") from error
        finally:
            await sandboxes.close()

    def close(self) -> None:
        self._file.close()
        if self._source is not None:
            self._source.close()


async def stage(
    file: BinaryIO, name: str, folder: Path, now: int, progress: Callable[[int], None] = lambda done: None
) -> StagedImport:
    """Stage an export, a file of the system's. `progress` gets the number of conversations so far.

    Cancelling ends the reading at once. Raises InvalidInput if there is nothing to import, TooLarge past a limit, and
    StoreError if the folder can't hold it.
    """
    try:
        out = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 closed by StagedImport
    except OSError as error:
        raise _no_room(name, folder, error) from error
    try:
        index = ArchiveIndex()
        preview = await _copy(file, name, out, index, now, progress)
        source = os.fdopen(os.dup(file.fileno()), "rb") if index.files or index.images or index.skills else None
        return StagedImport(out, preview, index, source, name)
    except OSError as error:
        out.close()
        raise _no_room(name, folder, error) from error
    except BaseException:
        out.close()
        raise


async def _copy(
    file: BinaryIO, name: str, out: BinaryIO, index: ArchiveIndex, now: int, progress: Callable[[int], None]
) -> ImportPreview:
    """Write conversations to `out`, records to `index`; return the preview. Raises as `stage` does, and OSError."""
    done, preview = 0, None
    await asyncio.to_thread(file.flush)
    request = ReadExport(f"/dev/fd/{file.fileno()}", name, now)
    sandboxes = SandboxPool(PROTOCOL, scratch=True)
    try:
        async with (
            sandboxes.worker() as worker,
            aclosing(worker.ask(request, result_timeout_s=RESULT_TIMEOUT_S)) as results,
        ):
            async for result in results:
                match result:
                    case ReadConversation():
                        await asyncio.to_thread(out.write, result.line.replace(b"\n", b" ") + b"\n")
                        done += 1
                        progress(done)
                    case ReadRecord():
                        record = load_record(orjson.loads(result.line))
                        if record is not None:
                            index.add(record)
                    case ImportPreview():
                        preview = result
                    case MemberBytes():
                        pass
    except Rejected as rejected:
        raise (TooLarge if rejected.kind == "too_large" else InvalidInput)(rejected.message) from None
    except SandboxError as error:
        raise InvalidInput(
            f"{name} cannot be read: it is damaged, or too large to be read here; download the export again, or send "
            "the JSON files in it one by one."
        ) from error
    finally:
        await sandboxes.close()
    if preview is None or preview.conversations != done:
        raise InvalidInput(f"{name} cannot be read; download the export again.")
    return preview


def _no_room(name: str, folder: Path, error: OSError) -> StoreError:
    return StoreError(f"{name} cannot be unpacked in {folder}: {error.strerror}.")
