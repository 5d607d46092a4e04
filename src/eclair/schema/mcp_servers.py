"""MCP servers: programs or addresses whose tools a model may call, as they are set up and describe themselves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

McpOrigin = Literal["file", "added"]

MCP_NAME_SEPARATOR = "__"
"""Between the names of server and tool, in the name by which a model calls it; no other tool has it."""
MAX_TOOL_NAME_CHARS = 64
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]")


def tool_name(server: str, tool: str) -> str:
    """Return the name by which models call a tool; engines take letters, digits, dashes and underscores."""
    return f"{server}{MCP_NAME_SEPARATOR}{_NOT_IN_NAMES.sub('_', tool)}"[:MAX_TOOL_NAME_CHARS]


@dataclass(frozen=True, slots=True)
class McpServerConfig:
    """A server's `command` with its arguments, or else its `url`.

    A command reads and writes beneath `folders` and reads beneath `readable`; only with `network` it may connect to
    other machines. With `by_default` everybody who may use the server has it switched on. `client_id` is that of
    Éclair at the authorization server of an address, where somebody has registered it by hand.
    """

    command: tuple[str, ...] = ()
    url: str | None = None
    folders: tuple[str, ...] = ()
    readable: tuple[str, ...] = ()
    network: bool = False
    by_default: bool = False
    client_id: str | None = None


@dataclass(frozen=True, slots=True)
class McpSecrets:
    """Values that are kept encrypted: variables of a command, or headers of requests to a URL.

    The `client_secret` goes with the client id of the configuration; empty if there is none.
    """

    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    client_secret: str = ""


@dataclass(frozen=True, slots=True)
class McpTool:
    """A tool as its server describes it. `schema` is that of its arguments.

    `says_read_only` is the server's word that a call changes nothing.
    """

    name: str
    title: str
    description: str
    schema: Mapping[str, Any]
    says_read_only: bool = False


@dataclass(frozen=True, slots=True)
class McpListing:
    """The tools of a server at a moment, in milliseconds. `fingerprint` changes with any of their words.

    `faults` say why further tools were left out. A server may have resources and prompts beside its tools.
    """

    tools: tuple[McpTool, ...]
    fingerprint: str
    moment: int
    faults: tuple[str, ...] = ()
    has_resources: bool = False
    has_prompts: bool = False


@dataclass(frozen=True, slots=True)
class McpResource:
    """Something that can be read by its `uri`, as its server describes it.

    That of a template has names in braces, which are filled in before it is read.
    """

    uri: str
    title: str
    description: str
    media: str
    size: int | None = None
    is_template: bool = False


@dataclass(frozen=True, slots=True)
class McpPromptArgument:
    name: str
    title: str
    description: str
    is_required: bool


@dataclass(frozen=True, slots=True)
class McpPrompt:
    """A text that a server writes, for arguments that a person fills in."""

    name: str
    title: str
    description: str
    arguments: tuple[McpPromptArgument, ...]


@dataclass(frozen=True, slots=True)
class McpContent:
    """A part of a resource as it was read: a text, or else bytes. `media` may be empty."""

    uri: str
    media: str
    text: str | None = None
    data: bytes = b""
