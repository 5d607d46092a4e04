"""`eclair mcp serve`: offers documents, web search and answers to a program that starts it, as an MCP server."""

from __future__ import annotations

import argparse

from eclair.cli._arguments import load_settings
from eclair.cli._logging import log_to_stderr
from eclair.cli._signals import run_async
from eclair.cli._terminal import Terminal
from eclair.server.mcp.stdio import serve_stdio


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_to_stderr(settings)
    return run_async(serve_stdio(settings))
