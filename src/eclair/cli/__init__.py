"""The command line: arguments become settings and a call.

Each command is a module beside this one, imported on demand, so that `eclair --help` costs
nothing. Errors end here, as one sentence and an exit code.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

from eclair.cli._arguments import parse
from eclair.cli._terminal import Terminal, discard_stdout
from eclair.errors import EclairError
from eclair.util.private_files import restrict_umask

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in `argv`; return its exit code, as explained by `eclair --help`."""
    umask = restrict_umask()
    terminal = Terminal.from_process(os.environ, umask)
    try:
        arguments = parse(sys.argv[1:] if argv is None else argv)
        code: int = _import_command(arguments.module).run(arguments, terminal)
        terminal.flush()
    except EclairError as error:
        terminal.warn(error.message)
        return error.exit_code
    except KeyboardInterrupt:
        terminal.end_line()
        return 130
    except BrokenPipeError:
        discard_stdout()
        return 141
    except Exception as error:
        _report_bug(terminal, error)
        return 1
    return code


def _import_command(name: str) -> ModuleType:
    """Import a command with the garbage collector off.

    Modules stay anyway, and scanning them repeatedly takes a fifth of the start-up time.
    """
    gc.disable()
    try:
        return import_module(f"eclair.cli.{name}")
    finally:
        gc.freeze()
        gc.enable()


def _report_bug(terminal: Terminal, error: Exception) -> None:
    """Report an unexpected error; the traceback is shown at log level debug only."""
    if os.environ.get("ECLAIR_LOG_LEVEL") == "debug":
        import traceback

        terminal.warn("".join(traceback.format_exception(error)).rstrip())
    terminal.warn(f"Internal error in Éclair ({type(error).__name__}: {error}); ECLAIR_LOG_LEVEL=debug shows where.")
