"""`eclair service`: installs Éclair, or a worker of it, as a service of systemd, or prints the files for that."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Literal

import eclair
from eclair.cli._terminal import Terminal
from eclair.errors import Conflict, SetupError
from eclair.util.child_environment import child_environment

SYSTEM_UNITS = Path("/etc/systemd/system")
SYSTEM_ACCOUNT = Path("/etc/sysusers.d/eclair.conf")
SYSTEM_SETTINGS = Path("/etc/eclair/eclair.toml")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    is_own = arguments.user or os.geteuid() != 0
    name = "eclair-worker" if arguments.worker else "eclair"
    files = service_files(is_own, Path(sys.prefix), name)
    if arguments.print:
        for path, text in files.items():
            terminal.line(f"# {path}\n{text}")
        return 0
    for path, text in files.items():
        _write(path, text)
        terminal.line(f"Wrote {path}.")
    scope = ("--user",) if is_own else ()
    if not is_own:
        _call("systemd-sysusers", str(SYSTEM_ACCOUNT))
    _call("systemctl", *scope, "daemon-reload")
    terminal.line(f"Start it with: {' '.join(('systemctl', *scope, f'enable --now {name}'))}")
    return 0


def service_files(is_own: bool, prefix: Path, name: Literal["eclair", "eclair-worker"]) -> dict[Path, str]:
    """Return the files of a service, of this account or of the system, that runs the `eclair` in `prefix`."""
    folder = deploy_folder() / "systemd"

    def text(file: str) -> str:
        return (folder / file).read_text("utf-8").replace("@PREFIX@", str(prefix))

    if is_own:
        config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
        return {config / f"systemd/user/{name}.service": text(f"{name}-user.service")}
    return {SYSTEM_UNITS / f"{name}.service": text(f"{name}.service"), SYSTEM_ACCOUNT: text("eclair.sysusers")}


def deploy_folder() -> Path:
    """Return the folder of the deployment files: `deploy/` in the repository, `eclair/deploy` in a wheel."""
    package = Path(eclair.__file__).parent
    installed = package / "deploy"
    return installed if installed.is_dir() else package.parents[1] / "deploy"


def _write(path: Path, text: str) -> None:
    """Write a file that is missing or the same. Raises Conflict and SetupError."""
    if path.exists() and path.read_text("utf-8") != text:
        raise Conflict(f"{path} is there already and differs; remove it to have it written again.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    except OSError as error:
        raise SetupError(f"{path} cannot be written: {error.strerror}.") from error


def _call(*command: str) -> None:
    """Run a command of systemd. Raises SetupError."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=child_environment("DBUS_"))
    except FileNotFoundError:
        raise SetupError(f"{command[0]} is missing; Éclair can be a service only under systemd.") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1]
        raise SetupError(f"{' '.join(command)} failed: {last.rstrip('.')}.")
