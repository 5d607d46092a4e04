"""Starts a program behind walls: this process raises them around itself, and then becomes the program.

Run as `python -m eclair.sandbox.program OPTIONS COMMAND…`; the options are JSON. Exit status 127 says that there is no
such command.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from eclair.sandbox import landlock, walls

COMMAND_NOT_FOUND = 127


@dataclass(frozen=True, slots=True)
class ProgramWalls:
    """Folders that a program reads and those that it changes, and whether it connects to other machines."""

    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    connects: bool = False


def program_command(command: Sequence[str], bounds: ProgramWalls) -> list[str]:
    """Return the command that starts a program behind walls."""
    return [sys.executable, "-P", "-m", "eclair.sandbox.program", json.dumps(asdict(bounds)), *command]


def has_program_walls() -> bool:
    """Return whether this system has walls for programs; elsewhere they run without."""
    return landlock.abi_version() > 0


def program_folders(command: Sequence[str], path: str | None = None) -> list[str]:
    """List the folders that a command needs beyond the system's: where it is installed, and those of its scripts."""
    found = shutil.which(command[0], path=path)
    folders: list[Path] = []
    for program in dict.fromkeys([Path(found), Path(found).resolve()]) if found else ():
        folders += _installation(program)
    for argument in command[1:]:
        script = Path(argument)
        if script.is_absolute() and script.is_file():
            folders.append(_modules(script.resolve()))
    return [str(folder) for folder in dict.fromkeys(folders)]


def _installation(program: Path) -> Iterator[Path]:
    """Yield the folder of a program, and the libraries beside it; those of the Python that it is run by."""
    yield _modules(program)
    prefix = program.parent.parent
    if program.parent.name != "bin" or prefix == prefix.parent:
        return
    yield from (prefix / "lib", prefix / "lib64", prefix / "pyvenv.cfg")
    base = (prefix / "bin" / "python").resolve()
    if (prefix / "pyvenv.cfg").exists() and base.parent != program.parent:
        yield from (base.parent, base.parent.parent / "lib")


def _modules(file: Path) -> Path:
    """Return the folder of a file, or the outermost `node_modules` that it is in."""
    return next((parent for parent in reversed(file.parents) if parent.name == "node_modules"), file.parent)


def main() -> None:
    given: dict[str, Any] = json.loads(sys.argv[1])
    bounds = ProgramWalls(tuple(given["read"]), tuple(given["write"]), given["connects"])
    command = sys.argv[2:]
    program = shutil.which(command[0])
    if program is None:
        sys.stderr.write(f"There is no command {command[0]}.\n")
        sys.exit(COMMAND_NOT_FOUND)
    walls.die_with_parent(signal.SIGKILL)
    if not bounds.connects:
        walls.leave_network()
    walls.enclose_program(map(Path, bounds.read), map(Path, bounds.write), connects=bounds.connects)
    os.execv(program, command)  # noqa: S606


if __name__ == "__main__":
    main()
