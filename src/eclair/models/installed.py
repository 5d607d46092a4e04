"""What is in the models folder: files of the catalogue's models, and any other GGUF file that somebody put there.

`pull` brings files here. A file that is still on its way has another ending and does not count.
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
    r"(?:^|[-._])((?:UD-)?(?:I?Q\d(?:_[A-Z0-9]+)*|BF16|F16|F32|MXFP4))(?=[-.]|$)", re.IGNORECASE
)
PROJECTOR_PREFIX = "mmproj-"
"""With which the names begin of files with which models see."""
SHARD_PATTERN = re.compile(r"-(\d{5})-of-(\d{5})(?=\.gguf$)")


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A model that is on this machine. `size` counts all its files, `kv` the bytes that one token's keys and values
    take, where the header says so. `known` is whether the catalogue has it, `eyes` the file of what it sees with."""

    entry: CatalogEntry
    path: Path
    size: int
    kv_bytes_per_token: int | None
    in_catalog: bool
    projector: Path | None = None


def models_folder(data_dir: Path) -> Path:
    return data_dir / "models"


def quantization_of(name: str) -> str:
    """The quantisation that a file's name tells of; empty where it tells of none."""
    found = QUANTIZATION_PATTERN.search(name.removesuffix(".gguf"))
    return found[1].upper() if found else ""


def projector_name(name: str) -> str:
    """What the file is called with which the model sees whose first file has this name: its projector, mmproj."""
    return f"{PROJECTOR_PREFIX}{SHARD_PATTERN.sub('', name).removesuffix('.gguf')}.gguf"


def projector_of(path: Path) -> Path | None:
    """The file with which the model at `path` sees, if it is there."""
    eyes = path.with_name(projector_name(path.name))
    return eyes if eyes.is_file() else None


def shard_names(name: str) -> list[str]:
    """The names of all files of the model whose first file has this name."""
    found = SHARD_PATTERN.search(name)
    if found is None:
        return [name]
    count = min(int(found[2]), 999)
    return [f"{name[: found.start()]}-{number:05}-of-{found[2]}.gguf" for number in range(1, count + 1)]


def model_path(entry: CatalogEntry, data_dir: Path) -> Path | None:
    """Where the model's file is, of several the newest; None where there is none."""
    found: list[tuple[float, Path]] = []
    for file in entry.files:
        if is_installed(file, data_dir):
            path = models_folder(data_dir) / file.name
            found.append((path.stat().st_mtime, path))
    return max(found)[1] if found else None


def is_installed(file: ModelFile, data_dir: Path) -> bool:
    """Whether the file is on this machine, with all its parts."""
    return all((models_folder(data_dir) / name).is_file() for name in shard_names(file.name))


def verify(entry: CatalogEntry, data_dir: Path, *, thorough: bool = False) -> Path:
    """The model's file, if size and first bytes are right and, with `thorough`, its hash where that is known.

    Raises ModelMissing.
    """
    path = model_path(entry, data_dir)
    if path is None:
        raise ModelMissing(
            f'The model {entry.id} is not on this machine. `eclair pull {entry.id}` fetches it, as does "Models and '
            'downloads" in the settings of the page.'
        )
    (file,) = (file for file in entry.files if file.name == path.name)
    whole = len(shard_names(file.name)) == 1
    if not is_sound(path, file.size if whole else None, file.sha256 if whole and thorough else None):
        raise ModelMissing(f"{path} is damaged; fetch it again with `eclair pull {entry.id}`.")
    return path


def is_sound(path: Path, size: int | None, sha256: str | None) -> bool:
    """Whether the file begins as a GGUF, and has this size and hash. Raises ModelMissing where it cannot be read."""
    try:
        with path.open("rb") as file:
            right = file.read(4) == gguf_header.MAGIC and size in (None, os.fstat(file.fileno()).st_size)
            file.seek(0)
            return right and sha256 in (None, hashlib.file_digest(file, "sha256").hexdigest() if sha256 else None)
    except OSError as error:
        raise ModelMissing(f"{path} cannot be read: {error.strerror}.") from error


def installed_models(known: Mapping[str, CatalogEntry], data_dir: Path) -> dict[str, InstalledModel]:
    """Every model that is here, by its id: the catalogue's in its order, then the others. What is no GGUF is none."""
    found: dict[str, InstalledModel] = {}
    for entry in known.values():
        path = model_path(entry, data_dir)
        if path is not None:
            header = _header(path)
            entry = replace(entry, context=entry.context or header.context) if header else entry
            kv = header.kv_bytes_per_token if header else None
            found[entry.id] = InstalledModel(entry, path, _size(path), kv, True, projector_of(path))
    names = {name for entry in known.values() for file in entry.files for name in shard_names(file.name)}
    for path in sorted(models_folder(data_dir).glob("*.gguf")):
        shard = SHARD_PATTERN.search(path.name)
        if (
            path.name in names
            or path.name.startswith(PROJECTOR_PREFIX)
            or not path.is_file()
            or (shard is not None and int(shard[1]) != 1)
        ):
            continue
        id = id_for_file(path.name, known)
        header = _header(path)
        if header is None:
            continue
        entry = _placed(path, id, header)
        if all((path.parent / name).is_file() for name in shard_names(path.name)):
            eyes = projector_of(path)
            entry = entry if eyes is None else replace(entry, can=("vision",))
            found[id] = InstalledModel(entry, path, _size(path), header.kv_bytes_per_token, False, eyes)
    return found


def partial_downloads(data_dir: Path) -> list[tuple[str, int]]:
    """What is on its way, or was broken off: the names of these files and their bytes."""
    found: list[tuple[str, int]] = []
    for path in models_folder(data_dir).glob("*.part"):
        with suppress(FileNotFoundError):  # it has just become whole
            found.append((path.name, path.stat().st_size))
    return found


def id_for_file(name: str, known: Mapping[str, CatalogEntry]) -> str:
    """What a model is called that the catalogue does not have, after its file; never as one of the catalogue."""
    stem = SHARD_PATTERN.sub("", name).removesuffix(".gguf").lower()
    id = re.sub(r"[^a-z0-9._-]+", "-", stem).strip("-._") or "model"
    return f"{id}.gguf" if id in known else id


def delete_files(entry: CatalogEntry, data_dir: Path) -> int:
    """Delete every file of the model, and what is left of fetching it; how many bytes that frees.

    Raises NotFound where there is none, and ModelMissing where the folder does not allow it.
    """
    paths: set[Path] = set()
    for file in entry.files:
        for name in (*shard_names(file.name), projector_name(file.name)):
            place = models_folder(data_dir) / name
            paths |= {place, place.with_suffix(".new"), *models_folder(data_dir).glob(f"{_literal(name)}.*.part")}
    if entry.wheel is not None:
        paths |= set(models_folder(data_dir).glob(f"{_literal(entry.wheel.file)}.*.part"))
    freed = 0
    there = [path for path in sorted(paths) if path.is_file()]
    if not there:
        raise NotFound(f"The model {entry.id} is not on this machine; there is nothing to remove.")
    for path in there:
        stat = path.stat()
        try:
            path.unlink()
        except OSError as error:
            raise ModelMissing(f"{path} cannot be removed: {error.strerror}.") from error
        freed += stat.st_size if stat.st_nlink == 1 else 0
    return freed


def _placed(path: Path, id: str, header: Header) -> CatalogEntry:
    return CatalogEntry(
        id=id,
        name=header.name or path.stem,
        maker="",
        license=header.license or "",
        weights="open",
        context=header.context,
        languages=header.languages,
        files=(ModelFile(path.name, quantization_of(path.name), size=path.stat().st_size),),
    )


def _header(path: Path) -> Header | None:
    try:
        return gguf_header.read_header(path)
    except ModelMissing:
        return None


def _size(path: Path) -> int:
    return sum((path.parent / name).stat().st_size for name in shard_names(path.name))


def _literal(name: str) -> str:
    """`name` for a glob that is to match nothing else."""
    return re.sub(r"([*?[])", r"[\1]", name)
