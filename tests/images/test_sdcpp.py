"""FLUX by stable-diffusion.cpp, on the path that real weights take, with weights of noise."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from eclair.errors import InvalidInput, ModelMissing
from eclair.images.backends.sdcpp import StableDiffusionCpp
from eclair.images.job import ImageJob
from eclair.schema.images import BackendProgress, ImageModel, UnmarkedImage
from eclair.settings import Settings
from tests.images import tiny_sdcpp
from tests.images.conftest import left_open, opened, png, striped
from tests.images.support import job_of

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(600)]

JOB = job_of("a blue apple", 64, 64, seed=7, steps=2)
ROW = """
[[picture]]
id = "noise"
name = "Noise"
maker = "Chance"
license = "Apache-2.0"
generator = "sdcpp"
steps = 2
edits = true
masks = true
previews = true
"""
PART = '[[picture.part]]\nrole = "{}"\nrepo = "a/b"\nfile = "{}"\n'


@pytest.fixture(scope="module")
def noisy(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("sdcpp")
    parts = {"diffusion": "flux.gguf", "vae": "ae.safetensors", "clip_l": "clip_l.safetensors"}
    own = folder / "models.toml"
    own.write_text(ROW + "".join(PART.format(role, file) for role, file in parts.items()))
    tiny_sdcpp.make(folder / "models" / "pictures" / "noise")
    return Settings(data_dir=folder, diffusers_python=python, catalog=own)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def noise(noisy: Settings) -> AsyncGenerator[StableDiffusionCpp]:
    generator = StableDiffusionCpp(noisy)
    yield generator
    await generator.close()


async def model(generator: StableDiffusionCpp) -> ImageModel:
    return next(model for model in await generator.models() if model.id == "noise")


async def drawn(generator: StableDiffusionCpp, job: ImageJob = JOB) -> tuple[list[BackendProgress], UnmarkedImage]:
    steps: list[BackendProgress] = []
    async for piece in generator.generate(replace(job, model=await model(generator))):
        if isinstance(piece, UnmarkedImage):
            return steps, piece
        steps.append(piece)
    raise AssertionError("nothing was drawn")


async def test_it_draws_with_previews_and_a_seed_makes_one_picture(noise: StableDiffusionCpp) -> None:
    assert (await model(noise)).state == "ready"
    steps, first = await drawn(noise)
    assert [(step.done, step.of) for step in steps] == [(1, 2), (2, 2)]
    assert {opened(step.preview or b"").size for step in steps} == {(8, 8)}
    assert (opened(first.image).format, opened(first.image).size) == ("PNG", (64, 64))
    assert (await drawn(noise))[1].image == first.image
    assert (await drawn(noise, replace(JOB, seed=8)))[1].image != first.image


async def test_it_edits_and_what_a_mask_covers_stays(noise: StableDiffusionCpp) -> None:
    _, striped_ = await drawn(noise, replace(JOB, sources=(striped((64, 64)),), strength=0.5))
    _, masked = await drawn(noise, replace(JOB, sources=(png(size=(64, 64)),), mask=left_open((64, 64))))
    assert striped_.image != masked.image
    assert opened(masked.image).getpixel((60, 30)) == (200, 30, 30)
    with pytest.raises(InvalidInput, match="takes 1 at a time"):
        await drawn(noise, replace(JOB, sources=(png(), png())))


async def test_closing_ends_its_process_and_the_next_begins_another(noise: StableDiffusionCpp) -> None:
    drawing = noise.generate(replace(JOB, model=await model(noise), steps=200))
    assert isinstance(await anext(drawing), BackendProgress)
    pid = noise.processes["noise"]
    await drawing.aclose()
    assert not noise.processes
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert len((await drawn(noise))[0]) == 2


async def test_damaged_weights_are_refused(noisy: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "models" / "pictures" / "noise"
    folder.mkdir(parents=True)
    whole = noisy.data_dir / "models" / "pictures" / "noise"
    for name in ("ae.safetensors", "clip_l.safetensors"):
        (folder / name).symlink_to(whole / name)
    generator = StableDiffusionCpp(replace(noisy, data_dir=tmp_path))
    (folder / "flux.gguf").write_bytes(b"no model")
    with pytest.raises(ModelMissing, match=r"flux\.gguf is damaged"):
        await drawn(generator)
    (folder / "flux.gguf").write_bytes((whole / "flux.gguf").read_bytes()[:100_000])
    with pytest.raises(ModelMissing, match=r"flux\.gguf is damaged"):
        await drawn(generator)
    await generator.close()
