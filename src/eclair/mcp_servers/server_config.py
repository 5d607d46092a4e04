"""Checks how an MCP server is set up: its name, its command or address, and the values that stay secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import orjson
from pydantic import TypeAdapter

from eclair.errors import InvalidInput
from eclair.schema.mcp_servers import McpSecrets, McpServerConfig
from eclair.settings import McpServerSettings
from eclair.storage.mcp_servers import StoredMcpServer
from eclair.storage.secrets import Vault

MAX_NAME_CHARS = 24
MAX_ARGUMENTS = 64
MAX_ARGUMENT_CHARS = 2_000
MAX_SECRETS = 32
MAX_SECRET_CHARS = 8_000

CLIENT_CREDENTIAL = "client_secret"
"""The name of the secret that goes with a client ID."""

_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")
_CLOSED_VARIABLES = ("LD_", "DYLD_", "PYTHONHOME", "ECLAIR_")
"""Variables that would act on what raises the walls."""
_OWN_HEADERS = frozenset({"host", "content-length", "content-type", "connection", "accept", "transfer-encoding"})

_SECRETS = TypeAdapter(McpSecrets)


@dataclass(frozen=True, slots=True, kw_only=True)
class McpServerChange:
    """Changes to a server; None leaves a value. A secret that is empty is removed, and so is an empty `client_id`.

    Another `client_id` takes the secret away, unless `secrets` has one.
    """

    command: tuple[str, ...] | None = None
    url: str | None = None
    folders: tuple[str, ...] | None = None
    readable: tuple[str, ...] | None = None
    network: bool | None = None
    by_default: bool | None = None
    client_id: str | None = None
    secrets: McpSecrets | None = None


def check_server_name(text: str) -> str:
    """Return the name if it is valid. Raises InvalidInput."""
    if len(text) > MAX_NAME_CHARS or not _NAME.fullmatch(text):
        raise InvalidInput(
            f"The name of an MCP server is 1 to {MAX_NAME_CHARS} lowercase letters, digits and single dashes, and "
            "begins with a letter.",
            param="name",
        )
    return text


def change_server(server: StoredMcpServer, change: McpServerChange, vault: Vault) -> StoredMcpServer:
    """Return the changed server. Secrets of another address or command have to be given again. Raises InvalidInput."""
    config = server.config
    if change.command is not None:
        config = replace(config, command=_check_command(change.command), url=None)
    if change.url is not None:
        config = replace(config, url=check_server_url(change.url), command=())
    if change.folders is not None:
        config = replace(config, folders=_check_folders(change.folders))
    if change.readable is not None:
        config = replace(config, readable=_check_folders(change.readable))
    config = replace(
        config,
        network=config.network if change.network is None else change.network,
        by_default=config.by_default if change.by_default is None else change.by_default,
    )
    if not config.command and config.url is None:
        raise InvalidInput("An MCP server needs a command or an address.", param="url")
    if change.client_id is not None:
        config = replace(config, client_id=_check_client_id(change.client_id))
    if config.url is not None:
        config = replace(config, folders=(), readable=(), network=False)
    elif config.client_id is not None:
        raise InvalidInput("A client ID is for signing in at addresses; a command has none.", param="client_id")
    moved = _place(server.id, config) != _place(server.id, server.config)
    changed = replace(server, config=config)
    if moved:
        changed = replace(changed, secrets=None, secret_names=())
    is_other_client = config.client_id != server.config.client_id
    if change.secrets is not None or (is_other_client and CLIENT_CREDENTIAL in changed.secret_names):
        known = McpSecrets() if moved else read_secrets(server, vault)
        if is_other_client:
            known = replace(known, client_secret="")
        changed = _with_secrets(changed, _merged(known, change.secrets or McpSecrets()), vault)
    return changed


def read_secrets(server: StoredMcpServer, vault: Vault) -> McpSecrets:
    """Decrypt a server's secrets. Raises SettingsError."""
    if server.secrets is None:
        return McpSecrets()
    return _SECRETS.validate_json(vault.decrypt(server.secrets, _place(server.id, server.config)))


def configured_server(name: str, given: McpServerSettings) -> tuple[StoredMcpServer, McpSecrets]:
    """Return a server of the settings with its secrets."""
    config = McpServerConfig(
        *(given.command, given.url, given.folders, given.readable, given.network, given.by_default, given.client_id)
    )
    secrets = McpSecrets(given.variables, given.headers, given.client_secret)
    return StoredMcpServer(f"settings.{name}", None, name, config, None, 0, _names(secrets)), secrets


def check_server_url(text: str) -> str:
    """Return the address of a server. Raises InvalidInput."""
    text = text.strip()
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host or port == 0 or len(text) > MAX_ARGUMENT_CHARS:
        raise InvalidInput("An MCP server's address begins with http:// or https:// and a host.", param="url")
    if not text.isprintable() or " " in text or "@" in parts.netloc or parts.query or parts.fragment:
        raise InvalidInput(
            "The address holds a login, spaces, a ? or a #; leave them out, and give keys as headers.", param="url"
        )
    return text


def _check_client_id(text: str) -> str | None:
    text = text.strip()
    if len(text) > MAX_ARGUMENT_CHARS or not text.isprintable():
        raise InvalidInput(f"A client ID is up to {MAX_ARGUMENT_CHARS:,} characters on one line.", param="client_id")
    return text or None


def _check_command(command: tuple[str, ...]) -> tuple[str, ...]:
    if not command or not command[0].strip() or len(command) > MAX_ARGUMENTS:
        raise InvalidInput(f"A command is a program with at most {MAX_ARGUMENTS - 1} arguments.", param="command")
    if any("\0" in part or len(part) > MAX_ARGUMENT_CHARS for part in command):
        raise InvalidInput(f"An argument has at most {MAX_ARGUMENT_CHARS:,} characters.", param="command")
    return command


def _check_folders(folders: tuple[str, ...]) -> tuple[str, ...]:
    for folder in folders:
        path = Path(folder)
        if not path.is_absolute() or path == path.parent or ".." in path.parts or "\0" in folder:
            raise InvalidInput(f"{folder!r} is not the whole path of a folder.", param="folders")
    return tuple(dict.fromkeys(folders))


def _merged(known: McpSecrets, new: McpSecrets) -> McpSecrets:
    client_secret = new.client_secret or known.client_secret
    return McpSecrets(_merge(known.variables, new.variables), _merge(known.headers, new.headers), client_secret)


def _merge(known: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in {**known, **new}.items() if value}


def _with_secrets(server: StoredMcpServer, secrets: McpSecrets, vault: Vault) -> StoredMcpServer:
    """Return the server with encrypted secrets. Raises InvalidInput."""
    if len(secrets.variables) + len(secrets.headers) > MAX_SECRETS:
        raise InvalidInput(f"An MCP server has at most {MAX_SECRETS} variables and headers.", param="variables")
    for name, value in secrets.variables.items():
        if not _VARIABLE.fullmatch(name) or name.upper().startswith(_CLOSED_VARIABLES) or "\0" in value:
            raise InvalidInput(f"{name[:64]!r} can't be a variable of an MCP server.", param="variables")
    for name, value in secrets.headers.items():
        if not _HEADER.fullmatch(name) or name.lower() in _OWN_HEADERS or not value.isprintable():
            raise InvalidInput(f"{name[:64]!r} can't be a header for an MCP server.", param="headers")
    values = (*secrets.variables.values(), *secrets.headers.values(), secrets.client_secret)
    if any(len(value) > MAX_SECRET_CHARS for value in values):
        raise InvalidInput(f"A value has at most {MAX_SECRET_CHARS:,} characters.", param="variables")
    if (server.config.url is None and secrets.headers) or (server.config.url is not None and secrets.variables):
        raise InvalidInput("Variables are for commands, and headers for addresses.", param="variables")
    if secrets.client_secret and (server.config.client_id is None or not secrets.client_secret.isprintable()):
        raise InvalidInput("A client secret goes with a client ID, on one line.", param="client_secret")
    names = _names(secrets)
    if not names:
        return replace(server, secrets=None, secret_names=())
    sealed = vault.encrypt(orjson.dumps(secrets).decode(), _place(server.id, server.config))
    return replace(server, secrets=sealed, secret_names=names)


def _names(secrets: McpSecrets) -> tuple[str, ...]:
    """Return the names of what is kept; none of a header has an underscore."""
    return tuple(
        sorted({*secrets.variables, *secrets.headers, *([CLIENT_CREDENTIAL] if secrets.client_secret else [])})
    )


def _place(id: str, config: McpServerConfig) -> str:
    """Return what a server's secrets are bound to: its program, or the origin of its address."""
    if config.url is None:
        return f"mcp:{id}:{config.command[0] if config.command else ''}"
    parts = urlsplit(config.url)
    return f"mcp:{id}:{parts.scheme}://{parts.netloc}"
