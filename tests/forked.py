"""Éclair's commands in processes forked from one that has imported them: real ones, without a second's start each."""

from __future__ import annotations

import fcntl
import gc
import multiprocessing
import os
import subprocess
import sys
import termios
from collections.abc import Mapping
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pkgutil import iter_modules
from tempfile import TemporaryFile
from typing import IO

from eclair import cli
from eclair.cli._arguments import build_parser
from eclair.server.lazy_routes import ROUTE_MODULES

_CONTEXT = multiprocessing.get_context("forkserver")
_COMMANDS = [f"eclair.cli.{module.name}" for module in iter_modules(cli.__path__) if module.name != "__main__"]
_ROUTES = [f"eclair.server.{module}" for modules in ROUTE_MODULES.values() for module in modules]
_LATER = [
    *("eclair.app", "eclair.server.app", "eclair.compliance.texts", "eclair.images.backends.scripted_backend"),
    *_ROUTES,
    *("pydantic.v1.main", "uvicorn.lifespan.off"),
]
"""Modules that a command imports while it runs, FastAPI's and uvicorn's among them."""
build_parser()  # it takes 0.07 s, and is kept
_CONTEXT.set_forkserver_preload([__name__, *_COMMANDS, *_LATER])


def start(
    arguments: tuple[str, ...], env: Mapping[str, str], stdin: IO[bytes], *out: IO[bytes], at_terminal: bool = False
) -> BaseProcess:
    """`eclair` with these arguments, this environment and these files as its standard input, output and error.

    `at_terminal` says that its standard input is a terminal, whose Ctrl-C reaches it and nobody else.
    """
    streams = [Connection(os.dup(stream.fileno())) for stream in (stdin, *out)]
    process = _CONTEXT.Process(target=_become, args=(arguments, dict(env), streams, at_terminal))
    process.start()
    for stream in streams:
        stream.close()
    return process


def run(
    arguments: tuple[str, ...], env: Mapping[str, str], stdin: bytes = b"", timeout_s: float = 240
) -> subprocess.CompletedProcess[str]:
    """Run `eclair` to its end. Raises TimeoutError."""
    with TemporaryFile() as given, TemporaryFile() as out, TemporaryFile() as err:
        given.write(stdin)
        given.seek(0)
        process = start(arguments, env, given, out, err)
        process.join(timeout_s)
        if process.exitcode is None:
            process.kill()
            raise TimeoutError(arguments)
        for stream in (out, err):
            stream.seek(0)
        return subprocess.CompletedProcess(arguments, process.exitcode, out.read().decode(), err.read().decode())


def _become(arguments: tuple[str, ...], env: Mapping[str, str], streams: list[Connection], at_terminal: bool) -> None:
    gc.freeze()  # what was imported stays: each look at it would copy its memory
    for number, stream in enumerate(streams):
        os.dup2(stream.fileno(), number)
        stream.close()
    if at_terminal:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    sys.stdin, sys.stdout = open(0, encoding="utf-8"), open(1, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1)  # noqa: SIM115
    if "PYTHONPATH" in env:  # other code than what was imported
        os.execve(sys.executable, [sys.executable, "-m", "eclair.cli", *arguments], env)
    os.environ.clear()
    os.environ.update(env)
    sys.exit(cli.main(arguments))
