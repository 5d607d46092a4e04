"""The wheel, installed where nothing of the working tree can be imported: it has all that it needs to serve and ask."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import sysconfig
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.support import environment

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the wheel and, by path, the dependencies that are pinned here."""
    folder = tmp_path_factory.mktemp("wheel")
    builder = ROOT / ".build" / "bin" / "python"
    command = [builder, "-m", "hatchling", "build", "-t", "wheel", "-d", folder / "dist"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    (wheel,) = (folder / "dist").glob("eclair-*.whl")
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


def test_it_is_not_the_working_tree(python: Path) -> None:
    code = "import eclair; print(eclair.__file__)"
    done = subprocess.run([python, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()).is_relative_to(python.parents[1])


def test_it_asks(python: Path, tmp_path: Path, model_file: Path) -> None:
    command = [python.with_name("eclair"), "ask", "Write the word banana."]
    done = subprocess.run(command, env=home(tmp_path, model_file), cwd=tmp_path, capture_output=True, text=True)
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
