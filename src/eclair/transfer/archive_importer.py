"""Imports what Éclair's own archive holds besides conversations. What is here already stays as it is."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import urlsplit

from eclair.chat.preferences import Preferences, PreferenceService, parse_preferences
from eclair.documents.ingest import Ingestor
from eclair.errors import Conflict, EclairError, InvalidInput, NotFound
from eclair.images.gallery import Gallery
from eclair.llm.servers.service import ServerChange, ServerService
from eclair.schema.assistants import Assistant
from eclair.schema.ids import new_id
from eclair.schema.memories import Memory
from eclair.schema.principal import Principal
from eclair.schema.skills import MAX_SKILL_ZIP_BYTES
from eclair.skills.packaged_skills import list_packaged
from eclair.skills.service import TOO_LARGE, SkillService
from eclair.storage.base import Storage
from eclair.storage.feeds import StoredFeed
from eclair.storage.libraries import Library
from eclair.storage.prompts import SavedPrompt
from eclair.transfer.archive import (
    ArchivedAssistant,
    ArchivedCanvas,
    ArchivedFeed,
    ArchivedFile,
    ArchivedImage,
    ArchivedLibrary,
    ArchivedMemory,
    ArchivedPrompt,
    ArchivedServer,
    ArchivedSkill,
    ArchivedSkillSwitches,
)
from eclair.transfer.import_protocol import MemberBytes
from eclair.transfer.project_import import import_project
from eclair.transfer.staging import StagedImport
from eclair.web.feeds.service import check_feed_url

ItemKind = Literal[
    "conversations",
    "canvases",
    "libraries",
    "files",
    "images",
    "prompts",
    "settings",
    "feeds",
    "servers",
    "memories",
    "assistants",
    "skills",
]
MEMBERS_PER_READING = 200
MAX_IMAGE_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class ImportChoices:
    """Choices of the person who imports an archive.

    Its settings go in place of those here, and the skills that were on are switched on. A skill is foreign text unless
    the archive is the person's own, which nothing in it proves.
    """

    replace_settings: bool = False
    switch_skills_on: bool = False


@dataclass(frozen=True, slots=True)
class ImportItems:
    """Things of one kind in an export: how many, and how many of them are here already."""

    kind: ItemKind
    count: int
    here: int


@dataclass(frozen=True, slots=True)
class ImportStep:
    """One thing that was looked at: `added`, or here already, with the problem if it could be neither."""

    kind: ItemKind
    added: bool
    problem: str | None = None


class ArchiveImporter:
    """Compares an archive with what is here, and stores the rest."""

    def __init__(
        self,
        storage: Storage,
        ingestor: Ingestor,
        gallery: Gallery,
        preferences: PreferenceService,
        servers: ServerService,
        skills: SkillService,
    ) -> None:
        self._storage = storage
        self._ingestor = ingestor
        self._gallery = gallery
        self._preferences = preferences
        self._servers = servers
        self._skills = skills

    async def compare(self, principal: Principal, staged: StagedImport) -> tuple[ImportItems, ...]:
        """Count what an archive holds besides conversations, and what of it is here; kinds without any are left out."""
        index = staged.index
        libraries = await self._own_libraries(principal)
        names = {library.name for library in libraries.values()}
        files = [await self._has_file(principal, file.id) for file in index.files]
        images = [await self._has_image(principal, each.image.id) for each in index.images]
        feeds = {listed.feed.url for listed in await self._storage.feeds.list_feeds(principal)}
        servers = {server.name for server in await self._servers.all()}
        memories = {memory.text for memory in await self._storage.memories.list_memories(principal)}
        own, archived = await self._preferences.read(principal), self._archived_preferences(staged)
        prompts = await self._prompt_names(principal)
        assistants = await self._assistant_names(principal)
        skills = {each.name for each in await self._storage.skills.list_skills(principal)}
        switches = index.skill_switches
        own_switches = await self._storage.skills.list_switches(principal)
        switched = {skill.name for skill in list_packaged() if skill.id in own_switches}
        canvases = {canvas.id for canvas in await self._storage.canvases.list_canvases(principal)}
        found = (
            ImportItems("canvases", len(index.canvases), sum(each.canvas.id in canvases for each in index.canvases)),
            ImportItems(
                "libraries", len(index.libraries), sum(e.id in libraries or e.name in names for e in index.libraries)
            ),
            ImportItems("files", len(files), sum(files)),
            ImportItems("images", len(images), sum(images)),
            ImportItems("prompts", len(index.prompts), sum(each.name.casefold() in prompts for each in index.prompts)),
            ImportItems(
                "assistants", len(index.assistants), sum(e.profile.name in assistants for e in index.assistants)
            ),
            ImportItems("skills", len(index.skills), sum(each.name in skills for each in index.skills)),
            ImportItems(
                "settings",
                int(archived is not None) + int(switches is not None),
                int(archived is not None and own.version > 0)
                + int(switches is not None and not switched.isdisjoint(switches.switches)),
            ),
            ImportItems("feeds", len(index.feeds), sum(feed.url in feeds for feed in index.feeds)),
            ImportItems("memories", len(index.memories), sum(each.text in memories for each in index.memories)),
            ImportItems("servers", len(index.servers), sum(server.name in servers for server in index.servers)),
        )
        return tuple(items for items in found if items.count)

    async def store_files(
        self, principal: Principal, staged: StagedImport, attachments: Mapping[str, Sequence[str]]
    ) -> AsyncGenerator[ImportStep, None]:
        """Store libraries and files. Each file is attached at once to its messages, as what is on none is swept."""
        places: dict[str, str] = {}
        for library in staged.index.libraries:
            yield await self._add_library(principal, staged, library, places)
        new: list[ArchivedFile] = []
        for file in staged.index.files:
            if await self._has_file(principal, file.id):
                await self._attach(principal, file.id, attachments)
                yield ImportStep("files", added=False)
            else:
                new.append(file)
        by_member: dict[str, list[ArchivedFile]] = {}
        for file in new:
            by_member.setdefault(file.member, []).append(file)
        members = [(name, files[0].size) for name, files in by_member.items()]
        async with aclosing(stream_members(staged, members)) as read:
            async for name, pieces in read:
                first, *copies = by_member[name]
                step = await self._add_file(principal, first, places, pieces)
                if step.added:
                    await self._attach(principal, first.id, attachments)
                yield step
                for copy in copies:
                    if step.added:
                        yield await self._add_copy(principal, copy, places)
                        await self._attach(principal, copy.id, attachments)
                    else:
                        yield replace(step, problem=None)

    async def _attach(self, principal: Principal, file: str, attachments: Mapping[str, Sequence[str]]) -> None:
        for message in attachments.get(file, ()):
            with contextlib.suppress(NotFound):  # the message was erased here
                await self._storage.files.attach_files(principal, message, [file])

    async def store_rest(
        self, principal: Principal, staged: StagedImport, places: dict[str, tuple[str, str]], choices: ImportChoices
    ) -> AsyncGenerator[ImportStep, None]:
        """Store images, which `places` maps to conversation and message, then prompts, settings and the rest.

        Projects take the imported conversations that are in none.
        """
        projects: dict[str, str] = {}
        for project in staged.index.projects:
            projects[project.id] = await import_project(self._storage, principal, project, staged.added_libraries)
        for canvas in staged.index.canvases:
            yield await self._add_canvas(principal, canvas)
        new = [each for each in staged.index.images if not await self._has_image(principal, each.image.id)]
        for _ in range(len(staged.index.images) - len(new)):
            yield ImportStep("images", added=False)
        for each in new:
            yield await self._add_image(principal, staged, each, places.get(each.image.id))
        for prompt in staged.index.prompts:
            yield await self._add_prompt(principal, prompt)
        archived = self._archived_preferences(staged)
        if archived is not None:
            yield await self._take_preferences(principal, archived, replace_settings=choices.replace_settings)
        switches = staged.index.skill_switches
        if switches is not None:
            yield await self._take_switches(principal, switches, replace_settings=choices.replace_settings)
        for feed in staged.index.feeds:
            yield await self._add_feed(principal, feed)
        for server in staged.index.servers:
            yield await self._add_server(server)
        for memory in staged.index.memories:
            yield await self._add_memory(principal, memory, projects.get(memory.project or ""))
        for assistant in staged.index.assistants:
            yield await self._add_assistant(principal, staged, assistant)
        for skill in staged.index.skills:
            yield await self._add_skill(principal, staged, skill, switch_on=choices.switch_skills_on)

    async def _add_library(
        self, principal: Principal, staged: StagedImport, library: ArchivedLibrary, places: dict[str, str]
    ) -> ImportStep:
        known = await self._own_libraries(principal)
        same = known.get(library.id) or next((each for each in known.values() if each.name == library.name), None)
        if same is not None:
            places[library.id] = same.id
            return ImportStep("libraries", added=False)
        new = Library(library.id, principal.id, library.name, library.created)
        try:
            await self._storage.libraries.add_library(principal, new)
        except Conflict:  # the id is another person's
            new = await self._ingestor.add_library(principal, library.name)
        places[library.id] = new.id
        staged.added_libraries[library.id] = new
        return ImportStep("libraries", added=True)

    async def _add_canvas(self, principal: Principal, archived: ArchivedCanvas) -> ImportStep:
        canvas = archived.canvas
        try:
            await self._storage.canvases.get_canvas(principal, canvas.id)
        except NotFound:
            pass
        else:
            return ImportStep("canvases", added=False)
        try:
            await self._storage.canvases.add_canvas(principal, canvas, archived.versions)
        except Conflict:  # the id is another person's
            canvas = replace(canvas, id=new_id("canv", time.time))
            await self._storage.canvases.add_canvas(principal, canvas, archived.versions)
        except NotFound:
            problem = f"The canvas {canvas.title!r} was left out: its conversation is not here."
            return ImportStep("canvases", added=False, problem=problem)
        return ImportStep("canvases", added=True)

    async def _add_file(
        self, principal: Principal, file: ArchivedFile, places: dict[str, str], pieces: AsyncIterator[bytes]
    ) -> ImportStep:
        library = places.get(file.library or "")
        try:
            state = await self._ingestor.ingest(
                principal, file.name, file.media, pieces, library=library, id=file.id, created=file.created
            )
        except (Conflict, InvalidInput, NotFound) as error:
            return ImportStep("files", added=False, problem=f"{file.name!r} was left out: {error.message}")
        if state.file.sha256 != file.sha256:
            await self._ingestor.delete(principal, file.id)
            return ImportStep("files", added=False, problem=f"{file.name!r} is damaged in the export and was left out.")
        return ImportStep("files", added=True)

    async def _add_copy(self, principal: Principal, file: ArchivedFile, places: dict[str, str]) -> ImportStep:
        """Add a file with the same bytes as one that was just added."""
        return await self._add_file(principal, file, places, self._ingestor.read_bytes(file.sha256))

    async def _add_image(
        self, principal: Principal, staged: StagedImport, each: ArchivedImage, place: tuple[str, str] | None
    ) -> ImportStep:
        if each.image.size > MAX_IMAGE_BYTES or each.thumbnail_size > MAX_IMAGE_BYTES:
            return ImportStep("images", added=False, problem=f"The image {each.image.id} is too large.")
        conversation, message = place or (await self._conversation(principal, each.image.conversation), None)
        try:
            found = {each.member: b"", each.thumbnail: b""}
            members = [(each.member, each.image.size), (each.thumbnail, each.thumbnail_size)]
            async for piece in staged.read_members(members):
                found[piece.member] += piece.data
            image = replace(each.image, owner=principal.id, conversation=conversation)
            await self._gallery.add(principal, image, found[each.member], found[each.thumbnail], message)
        except (Conflict, InvalidInput, NotFound) as error:
            return ImportStep("images", added=False, problem=f"The image {each.image.id} was left out: {error.message}")
        return ImportStep("images", added=True)

    async def _add_prompt(self, principal: Principal, prompt: ArchivedPrompt) -> ImportStep:
        if prompt.name.casefold() in await self._prompt_names(principal):
            return ImportStep("prompts", added=False)
        created = prompt.created or int(time.time() * 1000)
        new = SavedPrompt(prompt.id, principal.id, prompt.name, prompt.text, created)
        try:
            await self._storage.prompts.add_prompt(principal, new)
        except Conflict:  # the id is another person's, or there are too many
            try:
                await self._storage.prompts.add_prompt(principal, replace(new, id=new_id("prompt")))
            except Conflict as error:
                return ImportStep("prompts", added=False, problem=f"{prompt.name!r} was left out: {error.message}")
        return ImportStep("prompts", added=True)

    async def _take_preferences(
        self, principal: Principal, archived: Preferences, *, replace_settings: bool
    ) -> ImportStep:
        """Take the settings where there are none here, or where they are to be replaced."""
        own = await self._preferences.read(principal)
        takes = own.version == 0 or replace_settings
        if takes:
            await self._preferences.replace(principal, replace(archived, version=own.version))
        return ImportStep("settings", added=takes)

    async def _take_switches(
        self, principal: Principal, archived: ArchivedSkillSwitches, *, replace_settings: bool
    ) -> ImportStep:
        """Switch skills of the package as they were, those that were not switched here or are to be replaced."""
        own = await self._storage.skills.list_switches(principal)
        taken = False
        for skill in list_packaged():
            is_on = archived.switches.get(skill.name)
            if is_on is not None and own.get(skill.id) != is_on and (replace_settings or skill.id not in own):
                await self._skills.switch(principal, skill.id, is_on=is_on, changed=skill.changed)
                taken = True
        return ImportStep("settings", added=taken)

    async def _add_feed(self, principal: Principal, feed: ArchivedFeed) -> ImportStep:
        try:
            url, now = check_feed_url(feed.url), int(time.time() * 1000)
            new = StoredFeed(
                id=new_id("feed", time.time),
                owner=principal.id,
                url=url,
                host=urlsplit(url).hostname or "",
                title=feed.title,
                site=feed.site,
                language=feed.language,
                active=feed.active,
                created=now,
                due=now,
            )
            return ImportStep("feeds", added=bool(await self._storage.feeds.add_feeds(principal, [new])))
        except InvalidInput as error:
            return ImportStep("feeds", added=False, problem=error.message)

    async def _add_server(self, server: ArchivedServer) -> ImportStep:
        if server.name in {known.name for known in await self._servers.all()}:
            return ImportStep("servers", added=False)
        change = ServerChange(
            url=server.url,
            models=server.models,
            context=server.context,
            country=server.country,
            api=server.api,
            endpoints=server.endpoints,
        )
        try:
            await self._servers.add(server.name, change)
        except EclairError as error:
            return ImportStep("servers", added=False, problem=f"The server {server.name!r}: {error.message}")
        return ImportStep("servers", added=True)

    async def _add_memory(self, principal: Principal, memory: ArchivedMemory, project: str | None) -> ImportStep:
        new = Memory(
            id=memory.id,
            owner=principal.id,
            text=memory.text,
            maker=memory.maker,
            created=memory.created,
            changed=memory.changed,
            conversation=await self._conversation(principal, memory.conversation),
            message=memory.message,
            project_id=project,
        )
        known = {each.text for each in await self._storage.memories.list_memories(principal)}
        try:
            try:
                await self._storage.memories.add_memory(principal, new)
            except Conflict:  # the id is another person's
                await self._storage.memories.add_memory(principal, replace(new, id=new_id("mem", time.time)))
        except Conflict as conflict:
            return ImportStep("memories", added=False, problem=conflict.message)
        return ImportStep("memories", added=memory.text not in known)

    async def _add_assistant(
        self, principal: Principal, staged: StagedImport, archived: ArchivedAssistant
    ) -> ImportStep:
        """Add an assistant with those of its libraries that are here, under whatever id.

        Its own files become its own again where this import has added their library. One that was here before, and may
        be anything, is searched, but stays apart: what is an assistant's own is shared and deleted with it.
        """
        if archived.profile.name in await self._assistant_names(principal):
            return ImportStep("assistants", added=False)
        here = await self._libraries(principal)
        names = {library.id: library.name for library in staged.index.libraries}
        ids = {each.name: each.id for each in sorted(here.values(), key=lambda each: each.access == "own")}
        own = staged.added_libraries.get(archived.library or "")
        wanted = (
            *archived.profile.libraries,
            *([] if own is not None or archived.library is None else [archived.library]),
        )
        found = [id if id in here else ids.get(names.get(id, "")) for id in wanted]
        new = Assistant(
            id=archived.id,
            owner=principal.id,
            profile=replace(archived.profile, libraries=tuple(dict.fromkeys(id for id in found if id is not None))),
            created=archived.created,
            changed=archived.changed,
        )
        try:
            try:
                await self._storage.assistants.add_assistant(principal, new)
            except Conflict:  # the id is another person's, or there are too many
                new = replace(new, id=new_id("asst"))
                await self._storage.assistants.add_assistant(principal, new)
        except Conflict as conflict:
            return ImportStep("assistants", added=False, problem=f"{new.name!r} was left out: {conflict.message}")
        if own is not None and archived.library is not None:
            await self._storage.assistants.open_library(principal, new.id, own)
            del staged.added_libraries[archived.library]
        return ImportStep("assistants", added=True)

    async def _add_skill(
        self, principal: Principal, staged: StagedImport, archived: ArchivedSkill, *, switch_on: bool
    ) -> ImportStep:
        """Add a skill, switched off as every one from outside is, unless it was on and is to be `switch_on` again."""
        if archived.name in {each.name for each in await self._storage.skills.list_skills(principal)}:
            return ImportStep("skills", added=False)
        try:
            if archived.size > MAX_SKILL_ZIP_BYTES:
                raise InvalidInput(TOO_LARGE)
            pieces = [piece.data async for piece in staged.read_members([(archived.member, archived.size)])]
            skill = await self._skills.import_skill(principal, b"".join(pieces), replaces=False)
        except (Conflict, InvalidInput) as error:
            problem = f"The skill {archived.name!r} was left out: {error.message}"
            return ImportStep("skills", added=False, problem=problem)
        if archived.is_on and switch_on:
            with contextlib.suppress(NotFound, Conflict):  # the person deleted or replaced it meanwhile
                await self._skills.switch(principal, skill.id, is_on=True, changed=skill.changed)
        return ImportStep("skills", added=True)

    async def _assistant_names(self, principal: Principal) -> set[str]:
        found = await self._storage.assistants.list_assistants(principal)
        return {each.name for each in found if each.access == "own"}

    async def _libraries(self, principal: Principal) -> dict[str, Library]:
        return {each.library.id: each.library for each in await self._storage.libraries.list_libraries(principal)}

    async def _own_libraries(self, principal: Principal) -> dict[str, Library]:
        return {id: each for id, each in (await self._libraries(principal)).items() if each.access == "own"}

    async def _prompt_names(self, principal: Principal) -> set[str]:
        prompts = await self._storage.prompts.list_prompts(principal)
        return {each.name.casefold() for each in prompts if each.access == "own"}

    async def _conversation(self, principal: Principal, id: str | None) -> str | None:
        """Return the id of a conversation that is here; None for any other."""
        try:
            return None if id is None else (await self._storage.conversations.get_conversation(principal, id)).id
        except NotFound:
            return None

    async def _has_file(self, principal: Principal, id: str) -> bool:
        try:
            await self._storage.files.get_file(principal, id)
        except NotFound:
            return False
        return True

    async def _has_image(self, principal: Principal, id: str) -> bool:
        try:
            await self._gallery.get_image(principal, id)
        except NotFound:
            return False
        return True

    def _archived_preferences(self, staged: StagedImport) -> Preferences | None:
        found = staged.index.preferences
        return None if found is None else parse_preferences(found.values)


async def stream_members(
    staged: StagedImport, members: Sequence[tuple[str, int]]
) -> AsyncGenerator[tuple[str, AsyncIterator[bytes]], None]:
    """Yield members with their bytes, which are read before the next one is asked for. After a damaged one, go on."""
    at = 0
    while at < len(members):
        some = members[at : at + MEMBERS_PER_READING]
        damaged: list[str] = []
        async with aclosing(staged.read_members(some)) as read:
            for name, _ in some:
                at += 1
                yield name, _pieces(read, name, damaged)
                if damaged:
                    break


async def _pieces(read: AsyncIterator[MemberBytes], name: str, damaged: list[str]) -> AsyncGenerator[bytes, None]:
    """Yield the bytes of one member, past what is left of those before it."""
    try:
        async for piece in read:
            if piece.member != name:
                continue
            yield piece.data
            if piece.last:
                return
    except InvalidInput:
        damaged.append(name)
        raise
