"""The archive of everything a person has: a zip of conversations, and records of what else there is.

`everything.json` in it lists the records; their bytes are beside it, each file once, by its hash.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import orjson
from pydantic import TypeAdapter, ValidationError

from eclair.assistants.assistant_fields import AssistantFields
from eclair.schema.assistants import AssistantProfile
from eclair.schema.canvases import Canvas, CanvasVersion
from eclair.schema.ids import derived_id
from eclair.schema.images import GeneratedImage
from eclair.schema.memories import MAX_MEMORY_CHARS, MemoryMaker
from eclair.schema.messages import Web
from eclair.schema.skills import is_skill_name
from eclair.settings import EndpointSettings, EngineApi
from eclair.storage.projects import MAX_PROJECT_INSTRUCTIONS_CHARS, MAX_PROJECT_NAME_CHARS, MemoryScope
from eclair.storage.prompts import MAX_PROMPT_CHARS, PROMPT_NAME_PATTERN

INDEX_NAME = "everything.json"
PERSONAL_FOLDER = "personal/"
"""Beneath it are rows of what else a person has, for reading alone."""
MAX_NAME_CHARS = 255
_MEMBER = re.compile(
    r"files/[0-9a-f]{64}|(?:pictures|thumbnails)/pic_[0-9a-z]{26}(?:\.[a-z]{3,4})?|skills/skill_[0-9a-z]{26}\.zip"
)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ID = re.compile(r"(?:asst|canv|file|fold|lib|mem|pic|proj|prompt|skill)_[0-9a-z]{26}")
_NAME = re.compile(r"[^/\\\x00-\x1f]+")
_IMAGE_MEDIA = {"image/png", "image/webp", "image/jpeg"}

RecordKind = Literal[
    "library",
    "file",
    "image",
    "preferences",
    "feed",
    "server",
    "project",
    "canvas",
    "prompt",
    "memory",
    "assistant",
    "skill",
    "skill_switches",
]


@dataclass(frozen=True, slots=True)
class ArchivedLibrary:
    id: str
    name: str
    created: int


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """A file whose bytes are in the archive; `library` is the id of its library, if it is in one."""

    id: str
    name: str
    size: int
    sha256: str
    media: str
    created: int
    library: str | None = None

    @property
    def member(self) -> str:
        return f"files/{self.sha256}"


@dataclass(frozen=True, slots=True)
class ArchivedImage:
    """A generated image, without its owner and the names of its bytes here; `thumbnail_size` is in bytes."""

    image: GeneratedImage
    thumbnail_size: int

    @property
    def member(self) -> str:
        return f"pictures/{self.image.id}.{self.image.media.rpartition('/')[2]}"

    @property
    def thumbnail(self) -> str:
        return f"thumbnails/{self.image.id}"


@dataclass(frozen=True, slots=True)
class ArchivedFeed:
    url: str
    title: str
    site: str | None
    language: str | None
    active: bool


@dataclass(frozen=True, slots=True)
class ArchivedServer:
    """A model server without its key."""

    name: str
    url: str
    models: tuple[str, ...]
    context: int | None
    country: str | None
    api: EngineApi | None = None
    endpoints: tuple[EndpointSettings, ...] = ()


@dataclass(frozen=True, slots=True)
class ArchivedProject:
    """A project with the ids of its owner's conversations in it, archived ones included."""

    id: str
    name: str
    created: int
    conversations: tuple[str, ...]
    instructions: str = ""
    model: str | None = None
    web: Web | None = None
    tools: tuple[str, ...] | None = None
    library: str | None = None
    libraries: tuple[str, ...] = ()
    memory: MemoryScope = "own"


@dataclass(frozen=True, slots=True)
class ArchivedPrompt:
    id: str
    name: str
    text: str
    created: int


@dataclass(frozen=True, slots=True)
class ArchivedAssistant:
    """An assistant; its libraries are those of the archive, by their ids there. `library` has its own files."""

    id: str
    created: int
    changed: int
    profile: AssistantProfile
    library: str | None = None


@dataclass(frozen=True, slots=True)
class ArchivedSkill:
    """A skill, whose folder is a zip of `size` bytes in the archive, and whether it was on."""

    id: str
    name: str
    size: int
    is_on: bool = False

    @property
    def member(self) -> str:
        return f"skills/{self.id}.zip"


@dataclass(frozen=True, slots=True)
class ArchivedSkillSwitches:
    """The skills of the package that a person has switched, by name, and whether each is on."""

    switches: Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class ArchivedMemory:
    """A memory; `conversation` and `message` say where it is from, and `project` where alone it is used."""

    id: str
    text: str
    maker: MemoryMaker
    created: int
    changed: int
    conversation: str | None = None
    message: str | None = None
    project: str | None = None


@dataclass(frozen=True, slots=True)
class ArchivedPreferences:
    """Preferences, by name."""

    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ArchivedCanvas:
    """A canvas with its versions and their texts."""

    canvas: Canvas
    versions: tuple[tuple[CanvasVersion, str], ...]


ArchiveRecord = (
    ArchivedLibrary
    | ArchivedFile
    | ArchivedImage
    | ArchivedPreferences
    | ArchivedFeed
    | ArchivedServer
    | ArchivedProject
    | ArchivedCanvas
    | ArchivedPrompt
    | ArchivedMemory
    | ArchivedAssistant
    | ArchivedSkill
    | ArchivedSkillSwitches
)

_KINDS: Mapping[RecordKind, type[ArchiveRecord]] = {
    "library": ArchivedLibrary,
    "file": ArchivedFile,
    "image": ArchivedImage,
    "preferences": ArchivedPreferences,
    "feed": ArchivedFeed,
    "server": ArchivedServer,
    "project": ArchivedProject,
    "canvas": ArchivedCanvas,
    "prompt": ArchivedPrompt,
    "memory": ArchivedMemory,
    "assistant": ArchivedAssistant,
    "skill": ArchivedSkill,
    "skill_switches": ArchivedSkillSwitches,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}
_OLDER_PROMPTS = TypeAdapter(list[dict[Literal["name", "text"], str]])
_ADAPTERS: Mapping[str, TypeAdapter[ArchiveRecord]] = {
    **{name: TypeAdapter[ArchiveRecord](kind) for name, kind in _KINDS.items()},
    "folder": TypeAdapter[ArchiveRecord](ArchivedProject),  # what projects were at first
}


@dataclass(slots=True)
class ArchiveIndex:
    """The records of an archive, by kind."""

    libraries: list[ArchivedLibrary] = field(default_factory=list[ArchivedLibrary])
    files: list[ArchivedFile] = field(default_factory=list[ArchivedFile])
    images: list[ArchivedImage] = field(default_factory=list[ArchivedImage])
    preferences: ArchivedPreferences | None = None
    feeds: list[ArchivedFeed] = field(default_factory=list[ArchivedFeed])
    servers: list[ArchivedServer] = field(default_factory=list[ArchivedServer])
    projects: list[ArchivedProject] = field(default_factory=list[ArchivedProject])
    canvases: list[ArchivedCanvas] = field(default_factory=list[ArchivedCanvas])
    prompts: list[ArchivedPrompt] = field(default_factory=list[ArchivedPrompt])
    memories: list[ArchivedMemory] = field(default_factory=list[ArchivedMemory])
    assistants: list[ArchivedAssistant] = field(default_factory=list[ArchivedAssistant])
    skills: list[ArchivedSkill] = field(default_factory=list[ArchivedSkill])
    skill_switches: ArchivedSkillSwitches | None = None

    def add(self, record: ArchiveRecord) -> None:
        match record:
            case ArchivedLibrary():
                self.libraries.append(record)
            case ArchivedFile():
                self.files.append(record)
            case ArchivedImage():
                self.images.append(record)
            case ArchivedPreferences():
                self.preferences = record
                self.prompts += _older_prompts(record)
            case ArchivedFeed():
                self.feeds.append(record)
            case ArchivedServer():
                self.servers.append(record)
            case ArchivedProject():
                self.projects.append(record)
            case ArchivedCanvas():
                self.canvases.append(record)
            case ArchivedPrompt():
                self.prompts.append(record)
            case ArchivedMemory():
                self.memories.append(record)
            case ArchivedAssistant():
                self.assistants.append(record)
            case ArchivedSkill():
                self.skills.append(record)
            case ArchivedSkillSwitches():
                self.skill_switches = record

    @property
    def records(self) -> Sequence[ArchiveRecord]:
        own = [each for each in (self.preferences, self.skill_switches) if each is not None]
        rest = (*self.feeds, *self.servers, *self.projects, *self.canvases, *self.prompts, *self.memories)
        return [*self.libraries, *self.files, *self.images, *own, *rest, *self.assistants, *self.skills]

    def __len__(self) -> int:
        return len(self.records)


def dump_record(record: ArchiveRecord) -> bytes:
    """Write a record as JSON on one line."""
    return orjson.dumps({"eclair_record": _NAMES[type(record)], "value": record})


def load_record(value: Mapping[str, object]) -> ArchiveRecord | None:
    """Read a record; None for one that no Éclair writes."""
    kind = value.get("eclair_record")
    adapter = _ADAPTERS.get(kind) if isinstance(kind, str) else None  # pyright: ignore[reportArgumentType, reportCallIssue]
    if adapter is None:
        return None
    try:
        record = adapter.validate_python(value.get("value"))
    except (ValidationError, UnicodeError):
        return None
    return record if _is_sound(record) else None


def is_archive_member(name: str) -> bool:
    """Return True for the name of bytes that a record describes."""
    return _MEMBER.fullmatch(name) is not None


def without_place(image: GeneratedImage) -> GeneratedImage:
    """Return an image without its owner and the names of its bytes."""
    return replace(image, owner="", blob="", thumbnail="")


def _older_prompts(preferences: ArchivedPreferences) -> list[ArchivedPrompt]:
    """Return the prompts in preferences, where Éclair kept them at first."""
    try:
        found = _OLDER_PROMPTS.validate_python(preferences.values.get("prompts", ()))
    except ValidationError:
        return []
    prompts = [ArchivedPrompt(derived_id("prompt", each["name"]), each["name"], each["text"], 0) for each in found]
    return [prompt for prompt in prompts if _is_sound(prompt)]


def _is_profile(profile: AssistantProfile) -> bool:
    try:
        return AssistantFields.model_validate(asdict(profile)).profile() == profile
    except ValidationError:
        return False


def _is_sound(record: ArchiveRecord) -> bool:
    match record:
        case ArchivedLibrary():
            return bool(_ID.fullmatch(record.id)) and bool(_NAME.fullmatch(record.name[: MAX_NAME_CHARS + 1]))
        case ArchivedProject():
            fits = len(record.name) <= MAX_PROJECT_NAME_CHARS and record.name.isprintable() and record.name.strip()
            is_short = len(record.instructions) <= MAX_PROJECT_INSTRUCTIONS_CHARS and "\0" not in record.instructions
            return bool(_ID.fullmatch(record.id)) and bool(fits) and is_short
        case ArchivedFile():
            ids = _ID.fullmatch(record.id) and _SHA256.fullmatch(record.sha256) and _NAME.fullmatch(record.name)
            return bool(ids) and len(record.name) <= MAX_NAME_CHARS and record.size >= 0
        case ArchivedPrompt():
            fits = re.fullmatch(PROMPT_NAME_PATTERN, record.name) and 0 < len(record.text) <= MAX_PROMPT_CHARS
            return bool(_ID.fullmatch(record.id)) and bool(fits) and "\0" not in record.text
        case ArchivedAssistant():
            return bool(_ID.fullmatch(record.id)) and _is_profile(record.profile)
        case ArchivedSkillSwitches():
            return all(map(is_skill_name, record.switches))
        case ArchivedSkill():
            return bool(_ID.fullmatch(record.id)) and is_skill_name(record.name) and record.size > 0
        case ArchivedMemory():
            return (
                bool(_ID.fullmatch(record.id))
                and 0 < len(record.text) <= MAX_MEMORY_CHARS
                and record.text.isprintable()
            )
        case ArchivedImage():
            return bool(_ID.fullmatch(record.image.id)) and record.image.media in _IMAGE_MEDIA
        case ArchivedCanvas():
            numbers = [version.number for version, _ in record.versions]
            is_numbered = bool(numbers) and numbers == sorted(set(numbers)) and record.canvas.current in numbers
            return is_numbered and bool(_ID.fullmatch(record.canvas.id))
        case _:
            return True
