"""The wheel: reproducible, with a list of its parts, and complete where nothing of the working tree can be imported."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.support import environment

ROOT = Path(__file__).parents[1]


BUILDER = ROOT / ".build" / "bin" / "python"
UNCOPIED = (
    ".git",
    ".venv",
    ".build",
    "dist",
    "node_modules",
    "static",
    "clipart.zip",
    ".sources",
    "__pycache__",
    ".*_cache",
)
"""What a clone doesn't have."""


def build(root: Path, dist: Path) -> Path:
    """Build the wheel of a working tree."""
    command = [BUILDER, "-m", "hatchling", "build", "-t", "wheel", "-d", dist]
    subprocess.run(command, cwd=root, check=True, capture_output=True)
    (wheel,) = dist.glob("eclair-*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the wheel and, by path, the dependencies that are pinned here."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel]
    subprocess.run(install, check=True, capture_output=True)
    (site,) = (folder / "venv").glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return python


def home(folder: Path, model_file: Path) -> dict[str, str]:
    """An environment with an empty data folder that has the embedded model alone."""
    variables = {**environment(folder), "ECLAIR_EMBEDDED": "true", "ECLAIR_SCRIPTED": "false", "ECLAIR_TUNE": "false"}
    models = Path(variables["ECLAIR_DATA_DIR"]) / "models"
    models.mkdir(parents=True)
    (models / model_file.name).symlink_to(model_file)
    return variables


@asynccontextmanager
async def serving(python: Path, variables: dict[str, str]) -> AsyncGenerator[str]:
    process = await asyncio.create_subprocess_exec(
        python.with_name("eclair"),
        *("serve", "--port", "0"),
        env=variables,
        cwd=variables["ECLAIR_DATA_DIR"],
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode()
        assert line.startswith("Éclair is at "), line
        yield line.split()[-1]
    finally:
        process.terminate()
        assert await process.wait() == 0


def link(source: str, target: str) -> None:
    """Copy a file without its bytes, where the file system can."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def test_it_is_the_same_from_another_clone_at_another_time(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = tmp_path / "elsewhere" / "clone"
    shutil.copytree(ROOT, clone, ignore=shutil.ignore_patterns(*UNCOPIED), copy_function=shutil.copy)
    for folder in ("ui", "drawings"):
        modules = f"{folder}/node_modules"
        shutil.copytree(ROOT / modules, clone / modules, copy_function=link, symlinks=True)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("LC_ALL", "C")
    again = build(clone, tmp_path / "dist")
    with zipfile.ZipFile(wheel) as first, zipfile.ZipFile(again) as second:
        assert first.namelist() == second.namelist()
        assert [name for name in first.namelist() if first.read(name) != second.read(name)] == []
    assert wheel.read_bytes() == again.read_bytes()


def test_it_lists_what_it_is_made_of(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if ".dist-info/sboms/" in name]
        text = archive.read(name)
    assert name.endswith("/sboms/eclair.cdx.json")
    path = tmp_path / "eclair.cdx.json"
    path.write_bytes(text)
    subprocess.run([BUILDER, ROOT / "release" / "sbom.py", "check", path], check=True)
    sbom = json.loads(text)
    assert "timestamp" not in sbom["metadata"]
    components = {component.get("purl"): component for component in sbom["components"]}
    pins = re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / "requirements.lock").read_text("utf-8"), re.MULTILINE)
    assert [f"{name}=={version}" for name, version in pins if f"pkg:pypi/{name}@{version}" not in components] == []
    locked = json.loads((ROOT / "ui" / "package-lock.json").read_text("utf-8"))["packages"]
    for package in ("svelte", "dompurify", "katex", "highlight.js"):
        version = locked[f"node_modules/{package}"]["version"]
        assert components[f"pkg:npm/{package}@{version}"]["licenses"]
    assert all(component["hashes"] for purl, component in components.items() if purl is not None)
    assert not any("node_modules/vite" in component["bom-ref"] for component in sbom["components"])
    edges = {edge["ref"]: edge.get("dependsOn", []) for edge in sbom["dependencies"]}
    assert f"pypi:fastapi@{dict(pins)['fastapi']}" in edges["eclair"]
    assert f"pypi:pydantic@{dict(pins)['pydantic']}" in edges[f"pypi:fastapi@{dict(pins)['fastapi']}"]


def test_a_list_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "none.json"
    path.write_text('{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"name": "x"}]}')
    done = subprocess.run([BUILDER, ROOT / "release" / "sbom.py", "check", path], capture_output=True, text=True)
    assert done.returncode == 1
    assert "is not CycloneDX" in done.stderr


def test_it_is_not_the_working_tree(python: Path) -> None:
    code = "import eclair; print(eclair.__file__)"
    done = subprocess.run([python, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()).is_relative_to(python.parents[1])


def test_it_has_the_files_of_a_service(python: Path) -> None:
    command = [python.with_name("eclair"), "service", "install", "--user", "--print"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"ExecStart={python.parents[1]}/bin/eclair serve" in done.stdout


def test_it_asks(python: Path, tmp_path: Path, model_file: Path) -> None:
    command = [python.with_name("eclair"), "ask", "Write the word banana."]
    variables = home(tmp_path, model_file)
    nothing = subprocess.DEVNULL  # a pipe would be read as part of the question
    done = subprocess.run(command, env=variables, cwd=tmp_path, stdin=nothing, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


async def test_it_serves_the_app_and_the_api(
    python: Path, tmp_path: Path, model_file: Path, http: aiohttp.ClientSession
) -> None:
    async with serving(python, home(tmp_path, model_file)) as address:
        async with http.get(address) as page:
            assert "<title>Éclair" in await page.text()
        question = {"model": "auto", "messages": [{"role": "user", "content": "Hello?"}], "max_tokens": 8}
        async with http.post(f"{address}/v1/chat/completions", json=question) as reply:
            assert (await reply.json())["choices"][0]["message"]["content"]
        async with http.post(f"{address}/v1/images/generations", json={"prompt": "three red apples"}) as reply:
            assert (await reply.json())["data"][0]["b64_json"]
        form = aiohttp.FormData({"purpose": "user_data"})
        form.add_field("file", b"# Bees\n\nBees make honey.", filename="bees.md")
        async with http.post(f"{address}/v1/files", data=form) as reply:
            assert reply.status == 200, await reply.text()
