"""The public address: the path under which Éclair is served behind a proxy, and links that leave it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eclair.errors import SettingsError
from eclair.settings import Settings


@dataclass(frozen=True, slots=True)
class PublicAddress:
    """`origin` is that of `public_url`, such as `https://ai.example.org`; `path` has no slash at its end."""

    origin: str | None
    path: str

    @classmethod
    def from_settings(cls, settings: Settings) -> PublicAddress:
        if settings.public_url is None:
            return cls(None, settings.path_prefix)
        url = urlsplit(settings.public_url)
        return cls(f"{url.scheme}://{url.netloc}", settings.path_prefix)

    @property
    def host(self) -> str | None:
        """The host's name, without its port."""
        return None if self.origin is None else urlsplit(self.origin).hostname

    def link(self, path: str) -> str:
        """Return a link to a path such as `/s/ID`: absolute if the public address is known."""
        return f"{self.origin or ''}{self.path}{path}"

    def absolute_url(self, request: Request, path: str) -> str:
        """Return the absolute address of a path: the public one, or else the one that the request came to."""
        origin = self.origin or str(request.base_url).rstrip("/")
        return f"{origin}{self.path}{path}"


class BasePath:
    """ASGI middleware, the outermost: takes the base path off requests, and puts it on redirects.

    Requests without it pass as they are, so proxies may strip it, and probes needn't know it.
    """

    def __init__(self, inner: ASGIApp, base_path: str) -> None:
        self._inner = inner
        self._base_path = base_path
        self._raw_path = base_path.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path: str = scope["path"]
            if path == self._base_path or path.startswith(f"{self._base_path}/"):
                raw_path: bytes = scope["raw_path"]
                scope["path"] = path[len(self._base_path) :] or "/"
                scope["raw_path"] = raw_path.removeprefix(self._raw_path) or b"/"
            send = self._lead_back(send, Headers(scope=scope).get("host", ""))
        await self._inner(scope, receive, send)

    def _lead_back(self, send: Send, host: str) -> Send:
        """Wrap `send` so that redirects to Éclair itself keep to the base path and the scheme."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    (name, self._location(value, host) if name == b"location" else value)
                    for name, value in message["headers"]
                ]
            await send(message)

        return sending

    def _location(self, value: bytes, host: str) -> bytes:
        url = urlsplit(value.decode("latin-1"))
        if url.netloc not in ("", host):  # an identity provider
            return value
        path = f"{self._base_path}/{url.path.lstrip('/')}"
        return url._replace(scheme="", netloc="", path=path).geturl().encode("latin-1")


def check_base_path(settings: Settings, own_paths: Iterable[str]) -> None:
    """Raise SettingsError for a base path that one of Éclair's `own_paths` begins with, or two that differ."""
    prefix = settings.path_prefix
    if settings.public_url is not None and (path := urlsplit(settings.public_url).path) not in ("", prefix):
        raise SettingsError(f"`public_url` has the path {path}, `base_path` is {prefix or '/'}; make them the same.")
    first = prefix.split("/")[1:2]
    if first and first[0] in {path.split("/")[1] for path in own_paths}:
        raise SettingsError(f"Éclair has pages or interfaces of its own under /{first[0]}; choose another `base_path`.")
