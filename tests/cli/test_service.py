"""`eclair service install` writes a unit that systemd understands, and tells systemd of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from eclair.cli._arguments import parse
from eclair.cli.service import SYSTEM_ACCOUNT, SYSTEM_UNITS, service_files
from tests.cli.test_cli import Eclair, sentence


@pytest.fixture
def run(tmp_path: Path) -> Eclair:
    return Eclair(tmp_path)


def systemctl(folder: Path, status: int = 0) -> Path:
    """A systemctl that writes down how it is called."""
    program = folder / "systemctl"
    program.write_text(f'#!/bin/sh\necho "$@" >> {folder}/calls\necho "Failed to connect to bus" >&2\nexit {status}\n')
    program.chmod(0o755)
    return folder


def test_a_service_of_ones_own(run: Eclair, tmp_path: Path) -> None:
    variables = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "PATH": f"{systemctl(tmp_path)}:{os.environ['PATH']}"}
    done = run("service", "install", "--user", **variables)
    unit = tmp_path / "config" / "systemd" / "user" / "eclair.service"
    assert done.stdout == f"Wrote {unit}.\nStart it with: systemctl --user enable --now eclair\n"
    assert "/bin/eclair serve\n" in unit.read_text()
    assert (tmp_path / "calls").read_text() == "--user daemon-reload\n"
    assert run("service", "install", "--user", **variables).returncode == 0
    unit.write_text("mine")
    refused = run("service", "install", "--user", **variables)
    assert "is there already and differs; remove it to have it written again." in sentence(refused.stderr)
    assert unit.read_text() == "mine"


def test_without_systemd_it_says_so(run: Eclair, tmp_path: Path) -> None:
    variables = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "PATH": str(tmp_path)}
    assert sentence(run("service", "install", "--user", **variables).stderr) == (
        "systemctl is missing; Éclair can be a service only under systemd."
    )
    failed = run("service", "install", "--user", **{**variables, "PATH": f"{systemctl(tmp_path, 1)}:/bin"})
    assert sentence(failed.stderr) == "systemctl --user daemon-reload failed: Failed to connect to bus."


def test_the_units_name_what_they_run(run: Eclair) -> None:
    path = SYSTEM_UNITS / "eclair.service"
    files = service_files(False, Path("/opt/eclair"), "eclair")
    assert list(files) == [path, SYSTEM_ACCOUNT]
    unit = files[path]
    assert "ExecStart=/opt/eclair/bin/eclair serve\n" in unit
    assert "Type=notify\n" in unit
    assert "ExecReload=/bin/kill -HUP $MAINPID\n" in unit
    assert "RestartPreventExitStatus=3\n" in unit
    assert "@PREFIX@" not in unit
    assert "eclair-user" not in unit
    printed = run("service", "install", "--user", "--print").stdout
    assert printed.startswith("# ")
    assert "Restart=on-failure" in printed


def directives(unit: str) -> list[str]:
    """Return the lines of a unit that systemd heeds and that are alike for server and worker."""
    differ = ("#", "Description=", "ExecStart=", "ExecReload=")
    return [line for line in unit.splitlines() if line and not line.startswith(differ)]


@pytest.mark.parametrize("is_own", [False, True])
def test_a_worker_has_the_walls_of_the_server(is_own: bool) -> None:
    server, worker = (service_files(is_own, Path("/opt/eclair"), name) for name in ("eclair", "eclair-worker"))
    (path,) = worker.keys() - server.keys()
    assert path.name == "eclair-worker.service"
    unit = worker[path]
    assert directives(unit) == directives(server[path.with_name("eclair.service")])
    (command,) = (line for line in unit.splitlines() if line.startswith("ExecStart="))
    program, *arguments = command.removeprefix("ExecStart=").split()
    assert program == "/opt/eclair/bin/eclair"
    assert parse(arguments).module == "worker"


def test_a_worker_of_ones_own_is_installed_beside_the_server(run: Eclair, tmp_path: Path) -> None:
    variables = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "PATH": f"{systemctl(tmp_path)}:{os.environ['PATH']}"}
    assert run("service", "install", "--user", **variables).returncode == 0
    done = run("service", "install", "--user", "--worker", **variables)
    assert done.stdout.endswith("Start it with: systemctl --user enable --now eclair-worker\n")
    units = tmp_path / "config" / "systemd" / "user"
    assert sorted(path.name for path in units.iterdir()) == ["eclair-worker.service", "eclair.service"]
