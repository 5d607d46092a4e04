"""Writes the archive of everything a person has, as a stream: a zip that never is in memory as a whole."""

from __future__ import annotations

import asyncio
import contextlib
import io
import zipfile
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson

from eclair.chat.runs import Runs
from eclair.errors import DataDamaged, NotFound, StoreError
from eclair.images.gallery import Gallery
from eclair.network.policy import strip_login
from eclair.schema.images import GeneratedImage
from eclair.schema.principal import Principal
from eclair.skills.packaged_skills import list_packaged
from eclair.skills.service import pack_skill
from eclair.storage.base import Storage
from eclair.storage.blobs import Blobs
from eclair.storage.conversations import ConversationCursor
from eclair.storage.files import iterate_files
from eclair.storage.servers import StoredServer
from eclair.transfer.archive import (
    INDEX_NAME,
    PERSONAL_FOLDER,
    ArchivedAssistant,
    ArchivedCanvas,
    ArchivedFeed,
    ArchivedFile,
    ArchivedImage,
    ArchivedLibrary,
    ArchivedMemory,
    ArchivedPreferences,
    ArchivedProject,
    ArchivedPrompt,
    ArchivedServer,
    ArchivedSkill,
    ArchivedSkillSwitches,
    ArchiveRecord,
    dump_record,
    without_place,
)
from eclair.transfer.export_service import load_conversation
from eclair.transfer.export_view import ExportedConversation
from eclair.transfer.exporters import EXPORTERS, ExportFormat

PAGE_ITEMS = 100
ROWS_PER_MEMBER = 1000
READ_CHUNK_BYTES = 1 << 20

IN_ARCHIVE: tuple[ExportFormat, ...] = ("json", "markdown")


@dataclass(frozen=True, slots=True)
class ArchiveSize:
    """Contents of an archive; `bytes` is the size of files, images and skills, without the text of conversations."""

    conversations: int
    files: int
    images: int
    bytes: int

    @property
    def items(self) -> int:
        return self.conversations + self.files + self.images


def archive_name() -> str:
    return f"eclair-{datetime.now(UTC):%Y-%m-%d}.zip"


class ArchiveWriter:
    """Writes archives; `files` are the bytes of files in libraries and messages."""

    def __init__(self, storage: Storage, runs: Runs, gallery: Gallery, files: Blobs) -> None:
        self._storage = storage
        self._runs = runs
        self._gallery = gallery
        self._files = files

    async def measure(self, principal: Principal) -> ArchiveSize:
        """Count what an archive would hold now."""
        files, sizes = 0, dict[str, int]()
        async for state in iterate_files(self._storage.files, principal):
            file = state.file
            files += 1
            sizes[file.sha256] = file.size
        images, image_bytes = 0, 0
        async for image in self._list_images(principal):
            images += 1
            image_bytes += image.size
        skills = await self._storage.skills.list_skills(principal)
        skill_bytes = sum(file.size for skill in skills for file in skill.files)
        conversations = await self._storage.conversations.count_conversations(principal)
        return ArchiveSize(conversations, files, images, sum(sizes.values()) + image_bytes + skill_bytes)

    async def write(
        self, principal: Principal, progress: Callable[[int, int], None] = lambda done, of: None
    ) -> AsyncGenerator[bytes, None]:
        """Yield the archive. What is deleted meanwhile is left out, and what is damaged, which `damaged.txt` lists."""
        size = await self.measure(principal)
        out = ZipPipe()
        damaged: list[str] = []
        records: list[ArchiveRecord] = []
        done = 0
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for id in await self._storage.conversations.list_conversation_ids(principal):
                try:
                    exported = await load_conversation(self._storage, self._runs, principal, id)
                    await asyncio.to_thread(_add_conversation, archive, exported)
                except NotFound:
                    pass
                except DataDamaged as error:
                    damaged.append(f"{id}: {error.message}")
                done += 1
                progress(done, size.items)
                if chunk := out.drain():
                    yield chunk
            async for step in self._add_bytes(principal, archive, records, damaged):
                done += step
                progress(min(done, size.items), size.items)
                if chunk := out.drain():
                    yield chunk
            async for skill in self._add_skills(principal, archive, damaged):
                records.append(skill)
                if chunk := out.drain():
                    yield chunk
            async for name, lines in self._list_rows(principal):
                await asyncio.to_thread(archive.writestr, name, lines)
                if chunk := out.drain():
                    yield chunk
            records += await self._other_records(principal)
            records += [record async for record in self._canvases(principal, damaged)]
            await asyncio.to_thread(add_index, archive, records)
            if damaged:
                archive.writestr("damaged.txt", "\n".join([*damaged, ""]))
        yield out.drain()

    async def write_conversations(self, principal: Principal, ids: Sequence[str]) -> AsyncGenerator[bytes, None]:
        """Yield a zip of these conversations alone; one that is gone or damaged is left out."""
        out = ZipPipe()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for id in ids:
                with contextlib.suppress(NotFound, DataDamaged):
                    exported = await load_conversation(self._storage, self._runs, principal, id)
                    await asyncio.to_thread(_add_conversation, archive, exported)
                if chunk := out.drain():
                    yield chunk
        yield out.drain()

    async def _add_bytes(
        self, principal: Principal, archive: zipfile.ZipFile, records: list[ArchiveRecord], damaged: list[str]
    ) -> AsyncGenerator[int, None]:
        """Add files and images; yield 0 after each piece, and 1 after each of them."""
        added = set[str]()
        async for state in iterate_files(self._storage.files, principal):
            file = state.file
            record = ArchivedFile(file.id, file.name, file.size, file.sha256, file.media, file.created, file.library)
            try:
                if file.sha256 not in added:
                    async with self._files.open_path(file.sha256) as path:
                        async for _ in add_file(archive, record.member, path, file.created):
                            yield 0
                    added.add(file.sha256)
                records.append(record)
            except NotFound:
                pass
            except (StoreError, OSError) as error:
                damaged.append(f"{file.name}: {error}")
            yield 1
        async for image in self._list_images(principal):
            try:
                data = await self._gallery.read_bytes(image)
                thumbnail = await self._gallery.read_thumbnail(image)
                record = ArchivedImage(without_place(image), len(thumbnail))
                for name, content in ((record.member, data), (record.thumbnail, thumbnail)):
                    archive.writestr(zipfile.ZipInfo(name, _zip_time(image.created)), content)
                records.append(record)
            except NotFound:
                pass
            except (StoreError, OSError) as error:
                damaged.append(f"{image.id}: {error}")
            yield 1

    async def _add_skills(
        self, principal: Principal, archive: zipfile.ZipFile, damaged: list[str]
    ) -> AsyncGenerator[ArchivedSkill, None]:
        """Add the folder of each skill as a zip, and yield its record."""
        for skill in await self._storage.skills.list_skills(principal):
            try:
                files = await self._storage.skills.read_skill_files(principal, skill.id)
            except NotFound:
                continue
            except StoreError as error:
                damaged.append(f"{skill.name}: {error.message}")
                continue
            packed = await asyncio.to_thread(pack_skill, skill.name, files)
            record = ArchivedSkill(skill.id, skill.name, len(packed), skill.is_on)
            archive.writestr(zipfile.ZipInfo(record.member, _zip_time(skill.changed)), packed)
            yield record

    async def _list_rows(self, principal: Principal) -> AsyncGenerator[tuple[str, bytes], None]:
        """Yield the files with what else there is of a person, one line of JSON for each row, and not for importing."""
        lines: list[bytes] = []
        kind, part = "", 0
        async for each, row in self._storage.personal_data.list_rows(principal):
            if lines and (each != kind or len(lines) >= ROWS_PER_MEMBER):
                yield _member_of_rows(kind, part), b"".join(lines)
                part = 0 if each != kind else part + 1
                lines = []
            kind = each
            lines.append(orjson.dumps(dict(row), default=repr) + b"\n")
        if lines:
            yield _member_of_rows(kind, part), b"".join(lines)

    async def _other_records(self, principal: Principal) -> list[ArchiveRecord]:
        libraries = [each.library for each in await self._storage.libraries.list_libraries(principal)]
        prompts = await self._storage.prompts.list_prompts(principal)
        assistants = await self._storage.assistants.list_assistants(principal)
        feeds = [listed.feed for listed in await self._storage.feeds.list_feeds(principal)]
        servers = await self._storage.servers.list_servers()
        version, body = await self._storage.preferences.get_preferences(principal)
        switched = await self._storage.skills.list_switches(principal)
        packaged = {skill.name: switched[skill.id] for skill in list_packaged() if skill.id in switched}
        return [
            *(ArchivedLibrary(each.id, each.name, each.created) for each in libraries if each.access == "own"),
            *([ArchivedPreferences(orjson.loads(body))] if version else []),
            *([ArchivedSkillSwitches(packaged)] if packaged else []),
            *(ArchivedPrompt(each.id, each.name, each.text, each.created) for each in prompts if each.access == "own"),
            *(
                ArchivedAssistant(each.id, each.created, each.changed, each.profile, each.library)
                for each in assistants
                if each.access == "own"
            ),
            *(ArchivedFeed(feed.url, feed.title, feed.site, feed.language, feed.active) for feed in feeds),
            *map(_archived_server, servers),
            *[
                ArchivedProject(
                    each.project.id,
                    each.project.name,
                    each.project.created,
                    tuple([id async for id in self._list_in_project(principal, each.project.id)]),
                    each.project.instructions,
                    each.project.model,
                    each.project.web,
                    each.project.tools,
                    each.project.library,
                    each.project.libraries,
                    each.project.memory,
                )
                for each in await self._storage.projects.list_projects(principal)
                if each.project.access == "own"
            ],
            *(
                ArchivedMemory(
                    each.id,
                    each.text,
                    each.maker,
                    each.created,
                    each.changed,
                    each.conversation,
                    each.message,
                    each.project_id,
                )
                for each in await self._storage.memories.list_memories(principal)
            ),
        ]

    async def _canvases(self, principal: Principal, damaged: list[str]) -> AsyncGenerator[ArchivedCanvas, None]:
        store = self._storage.canvases
        for canvas in await store.list_canvases(principal):
            try:
                listed = await store.list_versions(principal, canvas.id)
                texts = [await store.get_version(principal, canvas.id, version.number) for version in listed]
            except NotFound:
                continue
            except StoreError as error:
                damaged.append(f"{canvas.title}: {error.message}")
                continue
            yield ArchivedCanvas(canvas, tuple(texts))

    async def _list_in_project(self, principal: Principal, project: str) -> AsyncGenerator[str, None]:
        for archived in (False, True):
            before: ConversationCursor | None = None
            while True:
                page = await self._storage.conversations.list_conversations(
                    principal, PAGE_ITEMS, archived=archived, project_id=project, before=before
                )
                for conversation in page.conversations:
                    yield conversation.id
                if (before := page.next) is None:
                    break

    async def _list_images(self, principal: Principal) -> AsyncGenerator[GeneratedImage, None]:
        before: str | None = None
        while True:
            page = await self._gallery.list_images(principal, PAGE_ITEMS, before=before)
            for image in page.pictures:
                yield image
            if (before := page.next) is None:
                return


def _member_of_rows(kind: str, part: int) -> str:
    return f"{PERSONAL_FOLDER}{kind.replace(' ', '-')}{f'-{part + 1}' if part else ''}.jsonl"


def _add_conversation(archive: zipfile.ZipFile, exported: ExportedConversation) -> None:
    for format in IN_ARCHIVE:
        renderer = EXPORTERS[format]
        name = f"{format}/{exported.name}-{exported.conversation.id[-8:]}.{renderer.suffix}"
        info = zipfile.ZipInfo(name, _zip_time(exported.conversation.updated))
        info.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(info, renderer.render(exported))


async def add_file(archive: zipfile.ZipFile, name: str, path: Path, created: int) -> AsyncGenerator[None, None]:
    """Add a file piece by piece, uncompressed: most are compressed already."""
    info = zipfile.ZipInfo(name, _zip_time(created))
    with await asyncio.to_thread(path.open, "rb") as file, archive.open(info, "w", force_zip64=True) as member:
        while piece := await asyncio.to_thread(file.read, READ_CHUNK_BYTES):
            member.write(piece)
            yield


def add_index(archive: zipfile.ZipFile, records: list[ArchiveRecord]) -> None:
    with archive.open(INDEX_NAME, "w") as file:
        file.write(b"[\n")
        for number, record in enumerate(records):
            file.write((b",\n" if number else b"") + dump_record(record))
        file.write(b"\n]\n")


def _zip_time(milliseconds: int) -> tuple[int, int, int, int, int, int]:
    """Convert a time to a zip timestamp; zip time starts in 1980."""
    moment = datetime.fromtimestamp(max(milliseconds / 1000, 315_532_800), UTC)
    return (min(moment.year, 2107), moment.month, moment.day, moment.hour, moment.minute, moment.second)


class ZipPipe(io.RawIOBase):
    """Write-only file whose content is drained as it grows."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        chunk = bytes(data)  # pyright: ignore[reportArgumentType]
        self._chunks.append(chunk)
        return len(chunk)

    def drain(self) -> bytes:
        drained = b"".join(self._chunks)
        self._chunks.clear()
        return drained


def _archived_server(server: StoredServer) -> ArchivedServer:
    return ArchivedServer(
        name=server.name,
        url=strip_login(server.url),
        models=server.models,
        context=server.context,
        country=server.country,
        api=server.api,
        endpoints=server.endpoints,
    )
