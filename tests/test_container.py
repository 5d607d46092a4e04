"""The files that put Éclair in containers agree with each other and with the settings; building takes minutes."""

from __future__ import annotations

import dataclasses
import re
import subprocess
from pathlib import Path

import pytest

from eclair.settings import Settings

FOLDER = Path(__file__).parent.parent / "deploy" / "container"
SCRIPT = (FOLDER / "build.sh").read_text("utf-8")
COMPOSE = (FOLDER / "compose.yaml").read_text("utf-8")


def service(name: str) -> str:
    """Return a service of the compose file."""
    found = re.search(rf"^  {name}:\n((?:    .*\n)+)", COMPOSE, re.MULTILINE)
    assert found is not None
    return found[1]


def test_the_script_is_one_that_bash_reads() -> None:
    subprocess.run(["bash", "-n", FOLDER / "build.sh"], check=True)


@pytest.mark.parametrize("name", ["build.sh", "compose.yaml"])
def test_every_variable_is_a_setting(name: str) -> None:
    known = {f"ECLAIR_{field.name.upper()}" for field in dataclasses.fields(Settings)} | {"ECLAIR_SITE"}
    used = set(re.findall(r"\bECLAIR_[A-Z_]+", (FOLDER / name).read_text("utf-8")))
    assert {variable.removesuffix("_FILE") for variable in used} - known == set()
    assert used


def test_all_mean_the_same_port() -> None:
    port = str(Settings().port)
    assert re.findall(r"^port=(\d+)", SCRIPT, re.MULTILINE) == [port]
    assert f"reverse_proxy eclair:{port} " in (FOLDER / "Caddyfile").read_text("utf-8")
    assert f"127.0.0.1:{port}/api/health/live" in service("eclair")


@pytest.mark.parametrize("name", ["eclair", "proxy"])
def test_a_service_has_an_image_that_the_script_builds_and_no_rights(name: str) -> None:
    lines = [line.strip() for line in service(name).splitlines()]
    (image,) = (line.removeprefix("image: localhost/") for line in lines if line.startswith("image:"))
    (built,) = re.findall(rf"^image {image} (.*(?:\\\n.*)*)", SCRIPT, re.MULTILINE)
    assert "--user $user:$user" in built
    rights = ["read_only: true", "cap_drop: [ALL]", 'security_opt: ["no-new-privileges:true"]']
    assert [line for line in rights if line not in lines] == []
