"""Éclair as a client of authorization servers: the address that they lead browsers back to, and its description.

With a public address, the description is a document (Client ID Metadata Document) at an address, which is the
client's id; otherwise Éclair registers with it (RFC 7591).
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from eclair.errors import Conflict
from eclair.network.policy import is_loopback_url

CLIENT_NAME = "Éclair"


@dataclass(frozen=True, slots=True)
class RedirectTarget:
    """The address to which a browser is led back. `document_url` is the address of the description, if any."""

    redirect_uri: str
    document_url: str | None = None


async def choose_target(redirect_uri: str, document_url: str | None) -> RedirectTarget:
    """Return the target, with the document only where others can reach it.

    Raises Conflict where a code would come back unencrypted.
    """
    if not redirect_uri.startswith("https://") and not is_loopback_url(redirect_uri):
        raise Conflict(
            "Signing in at MCP servers needs an encrypted address of Éclair; open it by https, "
            "and have `public_url` set to that."
        )
    if document_url is not None and await _is_on_internet(urlsplit(document_url).hostname or ""):
        return RedirectTarget(redirect_uri, document_url)
    return RedirectTarget(redirect_uri)


def client_metadata(redirect_uri: str) -> dict[str, Any]:
    """Return how Éclair describes itself. Web clients are those that are led back to https."""
    return {
        "client_name": CLIENT_NAME,
        "redirect_uris": [redirect_uri],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "application_type": "web" if redirect_uri.startswith("https://") else "native",
    }


def client_document(document_url: str, redirect_uri: str) -> dict[str, Any]:
    """Return the description that is found at an address, which is the client's id."""
    return {"client_id": document_url, **client_metadata(redirect_uri), "token_endpoint_auth_method": "none"}


async def _is_on_internet(host: str) -> bool:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, 443, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return all(ipaddress.ip_address(str(address[0]).partition("%")[0]).is_global for *_, address in found)
