"""The command line: arguments become settings and a call.

Each command is a module beside this one, imported when it is asked for, so that `eclair --help` costs
nothing. What goes wrong ends here, as one sentence and an exit code.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

from eclair.cli._arguments import parse
from eclair.cli._terminal import Terminal, let_go
from eclair.errors import EclairError

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Do what `argv` asks; returns the exit code that `eclair --help` explains."""
    terminal = Terminal.of_process(os.environ)
    try:
        arguments = parse(sys.argv[1:] if argv is None else argv)
        code: int = _imported(arguments.module).run(arguments, terminal)
        terminal.flush()
    except EclairError as error:
        terminal.complain(error.message)
        return error.exit_code
    except KeyboardInterrupt:
        terminal.end_line()
        return 130
    except BrokenPipeError:
        let_go()
        return 141
    except Exception as error:
        _confess(terminal, error)
        return 1
    return code


def _imported(name: str) -> ModuleType:
    """What is imported stays: to look through it for what can be freed, again and again, takes a fifth of a start."""
    gc.disable()
    try:
        return import_module(f"eclair.cli.{name}")
    finally:
        gc.freeze()
        gc.enable()


def _confess(terminal: Terminal, error: Exception) -> None:
    """Say that it is our own mistake; how it came about is shown to those who ask."""
    if os.environ.get("ECLAIR_LOG_LEVEL") == "debug":
        import traceback

        terminal.complain("".join(traceback.format_exception(error)).rstrip())
    terminal.complain(
        f"Éclair made a mistake of its own ({type(error).__name__}: {error}); ECLAIR_LOG_LEVEL=debug shows where."
    )
