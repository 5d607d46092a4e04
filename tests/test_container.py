"""The files that put Éclair in containers agree with each other and with the settings; building takes minutes."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from eclair.settings import Settings

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "deploy" / "container"
BUILDER = ROOT / ".build" / "bin" / "python"
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


PACKAGES = "libc6:amd64\t2.41-12+deb13u4\tamd64\tglibc\t2.41-12+deb13u4\ncaddy\t1:2.6\tamd64\tcaddy\t1:2.6\n"
INSTALLED = [
    {"name": "eclair", "version": "1.0"},
    {"name": "Fast_API", "version": "2.0"},
    {"name": "obstore", "version": "0.12.1"},
]
CARRIED = {
    "metadata": {
        "component": {
            "bom-ref": "eclair",
            "type": "application",
            "name": "eclair",
            "version": "1.0",
            "purl": "pkg:pypi/eclair@1.0",
        }
    },
    "components": [
        {"bom-ref": f"pypi:{name}", "type": "library", "name": name, "purl": f"pkg:pypi/{name}@2.0"}
        for name in ("fast-api", "only-on-macos")
    ]
    + [{"bom-ref": "npm:svelte", "type": "library", "name": "svelte", "purl": "pkg:npm/svelte@5.0"}],
    "dependencies": [
        {"ref": "eclair", "dependsOn": ["pypi:fast-api", "pypi:only-on-macos", "npm:svelte"]},
        {"ref": "pypi:only-on-macos", "dependsOn": ["pypi:fast-api"]},
    ],
}


def test_an_image_has_a_list_of_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "packages").write_text(PACKAGES, "utf-8")
    (tmp_path / "python.json").write_text(json.dumps(INSTALLED), "utf-8")
    with zipfile.ZipFile(tmp_path / "eclair.whl", "w") as wheel:
        wheel.writestr("eclair-1.0.dist-info/sboms/eclair.cdx.json", json.dumps(CARRIED))

    def written(name: str, *arguments: Path) -> str:
        command = [sys.executable, FOLDER / "sbom.py", name, "1.0", tmp_path / "packages", *arguments]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        path = tmp_path / f"{name}.cdx.json"
        path.write_text(text, "utf-8")
        subprocess.run([BUILDER, ROOT / "release" / "sbom.py", "check", path], check=True)
        return text

    arguments = (tmp_path / "python.json", tmp_path / "eclair.whl")
    text = written("eclair", *arguments)
    assert text == written("eclair", *arguments)
    found = json.loads(text)
    debian = {"pkg:deb/debian/libc6@2.41-12%2Bdeb13u4?arch=amd64&distro=debian-13"}
    debian.add("pkg:deb/debian/caddy@1%3A2.6?arch=amd64&distro=debian-13")
    python = {"pkg:pypi/eclair@1.0", "pkg:pypi/fast-api@2.0", "pkg:pypi/obstore@0.12.1"}
    assert {each["purl"] for each in found["components"]} == {*debian, *python, "pkg:npm/svelte@5.0"}
    edges = {edge["ref"]: edge["dependsOn"] for edge in found["dependencies"]}
    assert len(edges.pop("image:eclair")) == len(debian | python)
    assert edges == {"eclair": ["pypi:fast-api", "npm:svelte"]}

    proxy = json.loads(written("eclair-proxy"))
    assert {each["purl"] for each in proxy["components"]} == debian


def test_the_script_asks_debian_for_what_the_list_needs() -> None:
    asked = subprocess.run([sys.executable, FOLDER / "sbom.py", "format"], capture_output=True, text=True, check=True)
    assert asked.stdout.count(r"\t") == PACKAGES.splitlines()[0].count("\t")
    assert re.findall(r"^sbom (\S+)", SCRIPT, re.MULTILINE) == re.findall(r"^image (\S+)", SCRIPT, re.MULTILINE)
