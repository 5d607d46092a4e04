"""MCP servers: programs or addresses whose tools a model may call, as they are set up and describe themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

McpOrigin = Literal["file", "added"]

MCP_NAME_SEPARATOR = "__"
"""Between the names of server and tool, in the name by which a model calls it; no other tool has it."""


@dataclass(frozen=True, slots=True)
class McpServerConfig:
    """A server's `command` with its arguments, or else its `url`.

    A command reads and writes beneath `folders` and reads beneath `readable`; only with `network` it may connect to
    other machines. With `by_default` everybody who may use the server has it switched on.
    """

    command: tuple[str, ...] = ()
    url: str | None = None
    folders: tuple[str, ...] = ()
    readable: tuple[str, ...] = ()
    network: bool = False
    by_default: bool = False


@dataclass(frozen=True, slots=True)
class McpSecrets:
    """Values that are kept encrypted: variables of a command, or headers of requests to a URL."""

    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


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

    `faults` say why further tools were left out.
    """

    tools: tuple[McpTool, ...]
    fingerprint: str
    moment: int
    faults: tuple[str, ...] = ()
