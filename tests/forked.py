"""Éclair's commands in processes forked from one that has imported them: real ones, without a second's start each."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Mapping
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pkgutil import iter_modules
from typing import IO

from eclair import cli

_CONTEXT = multiprocessing.get_context("forkserver")
_COMMANDS = [f"eclair.cli.{module.name}" for module in iter_modules(cli.__path__) if module.name != "__main__"]
_LATER = ["eclair.app", "eclair.server.app", "eclair.images.backends.scripted_backend"]
"""What a command imports while it runs."""
_CONTEXT.set_forkserver_preload([__name__, *_COMMANDS, *_LATER])


def start(arguments: tuple[str, ...], env: Mapping[str, str], stdin: IO[bytes], *out: IO[bytes]) -> BaseProcess:
    """`eclair` with these arguments, this environment and these files as its standard input, output and error."""
    streams = [Connection(os.dup(stream.fileno())) for stream in (stdin, *out)]
    process = _CONTEXT.Process(target=_become, args=(arguments, dict(env), streams))
    process.start()
    for stream in streams:
        stream.close()
    return process


def _become(arguments: tuple[str, ...], env: Mapping[str, str], streams: list[Connection]) -> None:
    for number, stream in enumerate(streams):
        os.dup2(stream.fileno(), number)
        stream.close()
    sys.stdin, sys.stdout = open(0, encoding="utf-8"), open(1, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1)  # noqa: SIM115
    if "PYTHONPATH" in env:  # other code than what was imported
        os.execve(sys.executable, [sys.executable, "-m", "eclair.cli", *arguments], env)
    os.environ.clear()
    os.environ.update(env)
    sys.exit(cli.main(arguments))
