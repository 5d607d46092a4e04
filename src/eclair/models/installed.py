"""Lists the models folder: models of the catalog, and any other GGUF files.

`install` puts files here. A file that is still being downloaded has another suffix and doesn't count.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from eclair.errors import ModelMissing, NotFound
from eclair.models.catalog import CatalogEntry, ModelFile
from eclair.models.gguf import header as gguf_header
from eclair.models.gguf.header import Header

QUANTIZATION_PATTERN = re.compile(
    r"(?:^|[-._])((?:UD-)?(?:I?Q\d(?:_[A-Z0-9]{1,8}+){0,4}+|BF16|F16|F32|MXFP4))(?=[-.]|$)", re.IGNORECASE
)
PROJECTOR_PREFIX = "mmproj-"
"""The prefix of projector files, which give a model vision."""
RERANKER_MARK = "rerank"
"""In the names of models that only put texts into order."""
SHARD_PATTERN = re.compile(r"-(\d{5})-of-(\d{5})(?=\.gguf$)")


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A model on this machine. `size` counts all its files, in bytes; `created` is when it came, in seconds since 1970.

    `kv_bytes_per_token` is the size of a token's keys and values, None if the header doesn't tell. `projector` is the
    file that gives it vision.
    """

    entry: CatalogEntry
    path: Path
    size: int
    kv_bytes_per_token: int | None
    in_catalog: bool
    projector: Path | None = None
    created: int | None = None


def models_folder(data_dir: Path) -> Path:
    return data_dir / "models"


def quantization_of(name: str) -> str:
    """Return the quantization in a file's name; empty if there is none."""
    found = QUANTIZATION_PATTERN.search(name.removesuffix(".gguf"))
    return found[1].upper() if found else ""


def projector_name(name: str) -> str:
    """Return the name of the projector (mmproj) for a model file of this name."""
    return f"{PROJECTOR_PREFIX}{SHARD_PATTERN.sub('', name).removesuffix('.gguf')}.gguf"


def projector_of(path: Path) -> Path | None:
    """Return the projector of the model at `path`, if it is there."""
    projector = path.with_name(projector_name(path.name))
    return projector if projector.is_file() else None


def shard_names(name: str) -> list[str]:
    """Return the names of all shards of the model whose first file has this name."""
    found = SHARD_PATTERN.search(name)
    if found is None:
        return [name]
    count = min(int(found[2]), 999)
    return [f"{name[: found.start()]}-{number:05}-of-{found[2]}.gguf" for number in range(1, count + 1)]


def model_path(entry: CatalogEntry, data_dir: Path) -> Path | None:
    """Return the model's file, the newest of several; None if there is none."""
    found: list[tuple[float, Path]] = []
    for file in entry.files:
        if is_installed(file, data_dir):
            path = models_folder(data_dir) / file.name
            found.append((path.stat().st_mtime, path))
    return max(found)[1] if found else None


def is_installed(file: ModelFile, data_dir: Path) -> bool:
    """Return whether the file is on this machine, with all its shards."""
    return all((models_folder(data_dir) / name).is_file() for name in shard_names(file.name))


def verify(entry: CatalogEntry, data_dir: Path, *, thorough: bool = False) -> Path:
    """Return the model's file if its size and magic are right; raises ModelMissing otherwise.

    With `thorough` the hash is checked too, if it is known.
    """
    path = model_path(entry, data_dir)
    if path is None:
        raise ModelMissing(
            f'The model {entry.id} is not on this machine. `eclair pull {entry.id}` fetches it, as does "Models and '
            'downloads" in the settings of the page.'
        )
    (file,) = (file for file in entry.files if file.name == path.name)
    is_single_file = len(shard_names(file.name)) == 1
    if not is_sound(path, file.size if is_single_file else None, file.sha256 if is_single_file and thorough else None):
        raise ModelMissing(f"{path} is damaged; fetch it again with `eclair pull {entry.id}`.")
    return path


def is_sound(path: Path, size: int | None, sha256: str | None) -> bool:
    """Return whether a file is GGUF with this size and hash. Raises ModelMissing if unreadable."""
    try:
        with path.open("rb") as file:
            is_right = file.read(4) == gguf_header.MAGIC and size in (None, os.fstat(file.fileno()).st_size)
            file.seek(0)
            return is_right and sha256 in (None, hashlib.file_digest(file, "sha256").hexdigest() if sha256 else None)
    except OSError as error:
        raise ModelMissing(f"{path} cannot be read: {error.strerror}.") from error


def installed_models(known: Mapping[str, CatalogEntry], data_dir: Path) -> dict[str, InstalledModel]:
    """Return every model here by its id: the catalog's in its order, then the others.

    Files that aren't GGUF are skipped, as are rerankers, which answer nothing.
    """
    found: dict[str, InstalledModel] = {}
    for entry in known.values():
        path = model_path(entry, data_dir)
        if path is not None:
            header = _header(path)
            entry = replace(entry, context=entry.context or header.context) if header else entry
            kv = header.kv_bytes_per_token if header else None
            found[entry.id] = InstalledModel(entry, path, _size(path), kv, True, projector_of(path), _created(path))
    names = {name for entry in known.values() for file in entry.files for name in shard_names(file.name)}
    for path in sorted(models_folder(data_dir).glob("*.gguf")):
        shard = SHARD_PATTERN.search(path.name)
        if (
            path.name in names
            or path.name.startswith(PROJECTOR_PREFIX)
            or RERANKER_MARK in path.name.lower()
            or not path.is_file()
            or (shard is not None and int(shard[1]) != 1)
        ):
            continue
        id = id_for_file(path.name, known)
        header = _header(path)
        if header is None:
            continue
        entry = _entry_for_file(path, id, header)
        if all((path.parent / name).is_file() for name in shard_names(path.name)):
            projector = projector_of(path)
            entry = entry if projector is None else replace(entry, can=("vision",))
            kv = header.kv_bytes_per_token
            found[id] = InstalledModel(entry, path, _size(path), kv, False, projector, _created(path))
    return found


def find_reranker(data_dir: Path) -> Path | None:
    """Return the reranking model of the models folder, the last by name; None if there is none."""
    found = (path for path in models_folder(data_dir).glob("*.gguf") if RERANKER_MARK in path.name.lower())
    return max(found, default=None)


def partial_downloads(data_dir: Path) -> list[tuple[str, int]]:
    """Return the names and sizes of partial downloads."""
    found: list[tuple[str, int]] = []
    for path in models_folder(data_dir).glob("*.part"):
        with suppress(FileNotFoundError):  # it was just completed
            found.append((path.name, path.stat().st_size))
    return found


def id_for_file(name: str, known: Mapping[str, CatalogEntry]) -> str:
    """Derive an id from a file's name; never one of the catalog's."""
    stem = SHARD_PATTERN.sub("", name).removesuffix(".gguf").lower()
    id = re.sub(r"[^a-z0-9._-]+", "-", stem).strip("-._") or "model"
    return f"{id}.gguf" if id in known else id


def delete_files(entry: CatalogEntry, data_dir: Path) -> int:
    """Delete every file of the model and its partial downloads; return the bytes freed.

    Raises NotFound if there is none, and ModelMissing if the folder doesn't allow it.
    """
    paths: set[Path] = set()
    for file in entry.files:
        for name in (*shard_names(file.name), projector_name(file.name)):
            place = models_folder(data_dir) / name
            paths |= {place, place.with_suffix(".new"), *models_folder(data_dir).glob(f"{_literal(name)}.*.part")}
    for wheel in entry.parts:
        paths |= set(models_folder(data_dir).glob(f"{_literal(wheel.file)}.*.part"))
    freed = 0
    paths_here = [path for path in sorted(paths) if path.is_file()]
    if not paths_here:
        raise NotFound(f"The model {entry.id} is not on this machine; there is nothing to remove.")
    for path in paths_here:
        stat = path.stat()
        try:
            path.unlink()
        except OSError as error:
            raise ModelMissing(f"{path} cannot be removed: {error.strerror}.") from error
        freed += stat.st_size if stat.st_nlink == 1 else 0
    return freed


def _entry_for_file(path: Path, id: str, header: Header) -> CatalogEntry:
    return CatalogEntry(
        id=id,
        name=(header.name or path.stem).removesuffix(" GGUF"),
        maker="",
        license=header.license or "",
        weights="open",
        context=header.context,
        languages=header.languages,
        parameters=header.parameters or None,
        active=header.active or None,
        files=(ModelFile(path.name, quantization_of(path.name), size=path.stat().st_size),),
    )


def _header(path: Path) -> Header | None:
    try:
        return gguf_header.read_header(path)
    except ModelMissing:
        return None


def _size(path: Path) -> int:
    return sum((path.parent / name).stat().st_size for name in shard_names(path.name))


def _created(path: Path) -> int:
    return int(path.stat().st_mtime)


def _literal(name: str) -> str:
    """Escape `name` for a glob."""
    return re.sub(r"([*?[])", r"[\1]", name)
