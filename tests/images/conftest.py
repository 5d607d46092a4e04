"""One server for a module, whose pictures the scripted generator draws, and tiny pipelines of random numbers."""

from __future__ import annotations

import io
import os
import subprocess
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio
from PIL import Image

from eclair.settings import Settings
from tests.support import ENDLESS, Server, serving

ROOT = Path(__file__).parents[2]
TINY = Path(__file__).with_name("tiny.py")
MODELS = {
    "FluxPipeline": "flux-1-schnell",
    "FluxKontextPipeline": "flux-1-kontext-dev",
    "Flux2KleinPipeline": "flux-2-klein-4b",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    folder = tmp_path_factory.mktemp("module")
    async with serving(
        Settings(data_dir=folder / "data", embedded=False, scripted=True, port=0, max_tokens=ENDLESS, embedder="off")
    ) as server:
        yield server


@pytest.fixture(scope="session")
def python() -> Path:
    """The interpreter with torch and diffusers, which `make test` sets up before the tests begin."""
    named = os.environ.get("ECLAIR_DIFFUSERS_PYTHON")
    python = Path(named) if named else ROOT / ".build" / "diffusers" / "bin" / "python"
    assert python.exists(), "these tests need the environment that `make diffusers` sets up"
    return python


@pytest.fixture(scope="session")
def tiny(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny pipeline of each kind, of random numbers."""
    folder = tmp_path_factory.mktemp("tiny")
    subprocess.run([python, TINY, folder, *MODELS], check=True, capture_output=True, timeout=300)
    return folder


@pytest.fixture(scope="module")
def drawing(python: Path, tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings with the tiny pipelines in the place of three models of the catalog."""
    data = tmp_path_factory.mktemp("drawing")
    place = data / "models" / "pictures"
    place.mkdir(parents=True)
    for kind, id in MODELS.items():
        (place / id).symlink_to(tiny / kind)
    return Settings(data_dir=data, diffusers_python=python, catalog=data / "none.toml", picture_device="cpu")


def striped(size: tuple[int, int] = (96, 64)) -> bytes:
    """Another picture than a plain one; a network that was taught nothing tells shapes apart, and no colours."""
    out = io.BytesIO()
    Image.linear_gradient("L").rotate(90).resize(size).convert("RGB").save(out, "PNG")
    return out.getvalue()


def png(colour: tuple[int, int, int] = (200, 30, 30), size: tuple[int, int] = (96, 64)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


def left_open(size: tuple[int, int] = (96, 64)) -> bytes:
    """A mask whose left half may change."""
    mask = Image.new("RGBA", size, (0, 0, 0, 255))
    mask.paste((0, 0, 0, 0), (0, 0, size[0] // 2, size[1]))
    out = io.BytesIO()
    mask.save(out, "PNG")
    return out.getvalue()


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image
