"""What a Hugging-Face-compatible hub says of a repository and its files, and what any server says of one file.

The hub's own variables hold: HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE. `fetching` fetches.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import orjson

from eclair.errors import EclairError, Forbidden, ModelMissing, NotFound, SettingsError
from eclair.models.catalog import Wheel
from eclair.network.client import BrokenReply, DownloadClient, Reply, StreamedReply, TimedOut, Unreachable
from eclair.settings import Settings

DEFAULT_HUB_URL = "https://huggingface.co"
MAX_ANSWER_BYTES = 16 << 20

_SHA256 = re.compile(r"[0-9a-f]{64}")
_SHA1 = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file as it should come to be in the models folder, and where it comes from: a URL, a path, or a wheel.

    Size and hash are None where nobody tells them; of a small file the hub tells only what git calls its content,
    `git`. `tag` is the server's own mark of the content (ETag). `gguf` says that it is to be a GGUF file.
    """

    name: str
    source: str | Path | Wheel
    size: int | None = None
    sha256: str | None = None
    etag: str | None = None
    git_sha1: str | None = None
    is_gguf: bool = True


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository of the hub. `license` is as its card has it."""

    license: str | None
    files: tuple[PlannedFile, ...]


@dataclass(frozen=True, slots=True)
class Hub:
    """A hub, and who asks it."""

    url: str = DEFAULT_HUB_URL
    token: str | None = field(default=None, repr=False)
    offline: bool = False

    @classmethod
    def configured(cls, settings: Settings, environ: Mapping[str, str]) -> Hub:
        """The setting goes before HF_ENDPOINT, which goes before the public hub. Raises SettingsError."""
        url = settings.hub or environ.get("HF_ENDPOINT") or DEFAULT_HUB_URL
        try:
            _origin(url)
        except ValueError as error:
            raise SettingsError(f"The hub's address is none ({error}); correct `hub` or HF_ENDPOINT.") from error
        offline = environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")
        return cls(url.rstrip("/"), environ.get("HF_TOKEN", "").strip() or None, offline)

    def file_url(self, repo: str, file: str) -> str:
        return f"{self.url}/{repo}/resolve/main/{quote(file)}"

    def token_for(self, url: str) -> str | None:
        """The token, for an address of the hub's own."""
        return self.token if self._owns(url) else None

    def check_online(self, url: str | None = None) -> None:
        """Raises ModelMissing where the hub may not be asked; with `url`, where that is an address of the hub's."""
        if self.offline and (url is None or self._owns(url)):
            raise ModelMissing("HF_HUB_OFFLINE is set, so the hub is not asked; unset it, or pull a file that is here.")

    async def read_repository(self, downloads: DownloadClient, repo: str) -> Repository:
        """What the hub says of `repo`. Raises ModelMissing, NotFound and Forbidden."""
        self.check_online()
        url = f"{self.url}/api/models/{repo}?blobs=true"
        async with open_reply(downloads, url, self.token) as reply:
            if reply.status != 200:
                raise refusal_error(reply, repo, self)
            try:
                data: Any = orjson.loads(await reply.body(MAX_ANSWER_BYTES))
                return self._parsed(repo, data)
            except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError) as error:
                raise ModelMissing(
                    f"{shown_host(url)} does not answer as a hub does; check `hub` and HF_ENDPOINT."
                ) from error

    async def read_file(self, downloads: DownloadClient, repo: str, file: str) -> bytes:
        """A small file of `repo`. Raises ModelMissing, NotFound and Forbidden."""
        self.check_online()
        url = self.file_url(repo, file)
        async with open_reply(downloads, url, self.token) as reply:
            if reply.status != 200:
                raise refusal_error(reply, f"{repo}/{file}", self)
            try:
                return await reply.body(MAX_ANSWER_BYTES)
            except (TimedOut, BrokenReply) as error:
                raise ModelMissing(f"{shown_host(url)} broke off ({error}); try again.") from error

    async def inspect_file(self, downloads: DownloadClient, url: str, what: str) -> PlannedFile:
        """What a server says of one file, without fetching it. Raises ModelMissing, NotFound and Forbidden."""
        self.check_online(url)
        name = unquote(urlsplit(url).path).rpartition("/")[2]
        async with open_reply(downloads, url, self.token_for(url), {"Range": "bytes=0-0"}) as reply:
            if reply.status not in (200, 206):
                raise refusal_error(reply, what, self)
            whole = reply.headers.get("Content-Range", "").rpartition("/")[2]
            size = reply.first_header("X-Linked-Size") or (
                whole if reply.status == 206 else reply.headers.get("Content-Length")
            )
            mark = (reply.first_header("X-Linked-ETag") or "").strip('"')
            sha256 = mark if _SHA256.fullmatch(mark) else None
            return PlannedFile(
                name, url, int(size) if size and size.isdigit() else None, sha256, reply.headers.get("ETag")
            )

    def _owns(self, url: str) -> bool:
        return _origin(url) == _origin(self.url)

    def _parsed(self, repo: str, data: Any) -> Repository:
        files: list[PlannedFile] = []
        for row in data["siblings"]:
            name, lfs = str(row["rfilename"]), _table(row.get("lfs"))
            bytes, mark = lfs.get("size", row.get("size")), str(lfs.get("sha256", lfs.get("oid")))
            git = str(row.get("blobId"))
            files.append(
                PlannedFile(
                    name,
                    self.file_url(repo, name),
                    bytes if isinstance(bytes, int) else None,
                    mark if _SHA256.fullmatch(mark) else None,
                    git_sha1=git if _SHA1.fullmatch(git) and not lfs else None,
                    is_gguf=name.endswith(".gguf"),
                )
            )
        license: Any = _table(data.get("cardData")).get("license")
        return Repository(license if isinstance(license, str) else None, tuple(files))


@asynccontextmanager
async def open_reply(
    downloads: DownloadClient, url: str, token: str | None, headers: Mapping[str, str] | None = None
) -> AsyncGenerator[StreamedReply]:
    """`Downloads.get`, whose troubles become ModelMissing."""
    try:
        async with downloads.get(url, headers, token=token) as reply:
            yield reply
    except (Unreachable, TimedOut, BrokenReply) as error:
        raise ModelMissing(
            f"{shown_host(url)} does not answer ({error}); check the connection, or set HF_ENDPOINT to a mirror."
        ) from error


def refusal_error(reply: Reply, what: str, hub: Hub) -> EclairError:
    """Why a server does not give `what`, and what to do."""
    place = shown_host(reply.url)
    match reply.status:
        case 401 | 403 if hub.token is None:
            return Forbidden(
                f"{place} gives {what} only to those who have accepted its terms (or has no such thing): accept them "
                "on its page there, make a token in your account, and pull again with HF_TOKEN set to it."
            )
        case 401 | 403:
            return Forbidden(
                f"{place} does not give {what} to the owner of this HF_TOKEN: accept its terms on its page there, and "
                "check that the token may read it."
            )
        case 404:
            return NotFound(f"{place} has no {what}; check the name.", param="name")
        case 429:
            return ModelMissing(f"{place} has been asked too often; try again later, or set HF_TOKEN.")
        case status:
            return ModelMissing(f"{place} refuses {what} with status {status}; try again later.")


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}  # pyright: ignore[reportUnknownVariableType]


def shown_host(url: str) -> str:
    """What may be shown of an address: no user, no password."""
    return urlsplit(url).hostname or url


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
