"""FLUX on this machine, on the path that real weights take, with weights of random numbers: the same classes of
diffusers in the same kind of process."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import struct
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from eclair.errors import EclairError, EngineMissing, EngineUnavailable, InvalidInput, ModelMissing, SetupError
from eclair.images.backends.diffusers.local_backend import DiffusersBackend
from eclair.images.backends.diffusers.pipeline_client import BOOTSTRAP, PipelineClient
from eclair.images.backends.diffusers.pipeline_protocol import (
    GenerateRequest,
    ImageReport,
    LoadPipelineRequest,
    StepReport,
)
from eclair.images.job import ImageJob
from eclair.schema.images import BackendProgress, ImageModel, UnmarkedImage
from eclair.settings import Settings
from tests.images.conftest import left_open, opened, png, striped
from tests.images.support import job_of

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

JOB = job_of("a blue apple", 96, 64, seed=7, steps=3)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def flux(drawing: Settings) -> AsyncGenerator[DiffusersBackend]:
    generator = DiffusersBackend(drawing)
    yield generator
    await generator.close()


async def model(generator: DiffusersBackend, id: str = "flux-1-schnell") -> ImageModel:
    return next(model for model in await generator.models() if model.id == id)


async def drawn(
    generator: DiffusersBackend, job: ImageJob = JOB, id: str = "flux-1-schnell"
) -> tuple[list[BackendProgress], UnmarkedImage]:
    steps: list[BackendProgress] = []
    async for piece in generator.generate(replace(job, model=await model(generator, id))):
        if isinstance(piece, UnmarkedImage):
            return steps, piece
        steps.append(piece)
    raise AssertionError("nothing was drawn")


async def refused(generator: DiffusersBackend, job: ImageJob, id: str = "flux-1-schnell") -> EclairError:
    with pytest.raises(EclairError) as caught:
        await drawn(generator, job, id)
    return caught.value


async def test_each_step_is_told_with_a_preview_and_a_seed_makes_one_picture(flux: DiffusersBackend) -> None:
    steps, first = await drawn(flux)
    assert [(step.done, step.of) for step in steps] == [(1, 3), (2, 3), (3, 3)]
    previews = [opened(step.preview or b"") for step in steps]
    assert {(preview.format, preview.size) for preview in previews} == {("JPEG", (48, 32))}
    assert (opened(first.image).format, opened(first.image).size, first.seed) == ("PNG", (96, 64), 7)
    _, again = await drawn(flux)
    _, other = await drawn(flux, replace(JOB, seed=8))
    assert again.image == first.image
    assert other.image != first.image
    _, avoiding = await drawn(flux, replace(JOB, negative="a tree"))
    assert avoiding.image != first.image


async def test_pictures_are_changed_and_what_a_mask_covers_stays(flux: DiffusersBackend) -> None:
    _, made = await drawn(flux, replace(JOB, sources=(png(),), strength=0.7))
    assert opened(made.image).size == (96, 64)
    _, other = await drawn(flux, replace(JOB, sources=(striped(),), strength=0.7))
    assert other.image != made.image
    _, masked = await drawn(flux, replace(JOB, sources=(png(),), mask=left_open()))
    image = opened(masked.image)
    assert {image.getpixel((x, y)) for x in range(50, 96) for y in range(64)} == {(200, 30, 30)}
    assert {image.getpixel((x, y)) for x in range(46) for y in range(64)} != {(200, 30, 30)}


async def test_what_cannot_be_drawn_is_said_and_the_next_is_drawn(flux: DiffusersBackend) -> None:
    broken = await refused(flux, replace(JOB, sources=(b"no picture",)))
    assert isinstance(broken, InvalidInput)
    assert broken.message == "FLUX.1 [schnell] can't do that: an image cannot be read."
    closed = await refused(flux, replace(JOB, sources=(png(),), mask=png()))
    assert "is transparent nowhere" in closed.message
    two = await refused(flux, replace(JOB, sources=(png(), png())))
    assert "it takes 1 at a time, and there are 2 images" in two.message
    assert (await refused(flux, replace(JOB, width=90))).param == "width"
    assert (await refused(flux, replace(JOB, mask=left_open()))).param == "mask"
    assert len((await drawn(flux))[0]) == 3


async def test_a_closed_drawing_stops_within_a_step(drawing: Settings, python: Path) -> None:
    folder = drawing.data_dir / "models" / "pictures" / "flux-1-schnell"
    worker = await PipelineClient.start(
        python, LoadPipelineRequest(str(folder), "FLUX", "cpu", 0), drawing.data_dir / "logs" / "cut.log"
    )
    try:
        order = GenerateRequest(0, "an apple", 256, 256, 1, 100, 0.0, "", None, False)
        seen = 0
        async with aclosing(worker.generate(order)) as steps:
            async for step in steps:
                assert isinstance(step, StepReport)
                seen = step.done
                if seen == 2:
                    break
        assert worker.steps_when_stopped is not None
        assert worker.steps_when_stopped - seen <= 1, "steps after it was closed"
        task = asyncio.create_task(_all(worker, order))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        last = [step async for step in worker.generate(replace(order, steps=2))][-1]
        assert isinstance(last, ImageReport)
    finally:
        await worker.close()


async def test_a_process_that_is_killed_says_so_and_starts_anew(flux: DiffusersBackend) -> None:
    await drawn(flux)
    pid = flux.processes["flux-1-schnell"]
    begun = flux.generate(replace(JOB, model=await model(flux), steps=100))
    assert isinstance(await anext(begun), BackendProgress)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(EngineUnavailable, match="ran out of memory"):
        await _rest(begun)
    assert len((await drawn(flux))[0]) == 3
    assert flux.processes["flux-1-schnell"] != pid


async def test_memory_that_runs_out_is_said_a_smaller_picture_is_drawn_and_the_model_leaves(
    drawing: Settings, flux: DiffusersBackend
) -> None:
    await drawn(flux)
    taken = psutil.Process(flux.processes["flux-1-schnell"]).memory_info().data
    generator = DiffusersBackend(replace(drawing, picture_memory=taken // 1_000_000 + 60, picture_minutes=0.01))
    error = await refused(generator, replace(JOB, width=1024, height=1024, sources=(striped(),)))
    assert error.message == (
        "FLUX.1 [schnell] ran out of memory: 1024 × 1024 needs more memory than there is; choose a smaller size."
    )
    assert len((await drawn(generator))[0]) == 3
    async with asyncio.timeout(30):  # nobody draws with it any more
        while generator.processes:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await generator.close()


@pytest.mark.parametrize("id", ["flux-1-kontext-dev", "flux-2-klein-4b"])
async def test_models_that_look_at_pictures_draw_and_edit(flux: DiffusersBackend, id: str) -> None:
    steps, plain = await drawn(flux, JOB, id)
    assert (len(steps), opened(plain.image).size) == (3, (96, 64))
    assert opened(steps[0].preview or b"").size == (48, 32)
    _, smooth = await drawn(flux, replace(JOB, sources=(png(),)), id)
    _, stripes = await drawn(flux, replace(JOB, sources=(striped(),)), id)
    assert len({plain.image, smooth.image, stripes.image}) == 3
    assert opened(smooth.image).size == (96, 64)
    _, masked = await drawn(flux, replace(JOB, sources=(png(),), mask=left_open()), id)
    assert opened(masked.image).getpixel((90, 30)) == (200, 30, 30)
    assert list(flux.processes) == [id], "one model is loaded at a time"


async def test_several_pictures_are_looked_at(flux: DiffusersBackend) -> None:
    _, one = await drawn(flux, replace(JOB, sources=(png(),)), "flux-2-klein-4b")
    _, two = await drawn(flux, replace(JOB, sources=(png(), striped((20, 30)))), "flux-2-klein-4b")
    assert one.image != two.image
    assert (
        "times as long"
        in (await refused(flux, replace(JOB, sources=(png(size=(900, 20)),)), "flux-2-klein-4b")).message
    )


async def test_damaged_and_strange_weights_are_refused(drawing: Settings, tiny: Path, tmp_path: Path) -> None:
    settings = replace(drawing, data_dir=tmp_path)
    folder = tmp_path / "models" / "pictures" / "flux-1-schnell"
    shutil.copytree(tiny / "FluxPipeline", folder)
    weights = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    whole = weights.read_bytes()
    generator = DiffusersBackend(settings)

    async def fault() -> str:
        error = await refused(generator, JOB)
        assert isinstance(error, ModelMissing)
        assert "eclair pull --remove" in error.message
        return error.message

    weights.write_bytes(whole[:-100])
    assert "transformer/diffusion_pytorch_model.safetensors is damaged" in await fault()
    weights.write_bytes(b"\xff" * 100)
    assert "is damaged" in await fault()
    weights.write_bytes(whole)
    (folder / "vae" / "config.json").write_text("{")
    assert "cannot be loaded" in await fault()
    shutil.copy(tiny / "FluxPipeline" / "vae" / "config.json", folder / "vae")
    (folder / "vae" / "weights.bin").write_bytes(b"pickle")
    assert "vae/weights.bin is not a safetensors file" in await fault()
    (folder / "model_index.json").write_text('{"_class_name": "FluxPipeline", "transformer": ["mine", "Mine"]}')
    assert "it wants code of its own (mine)" in await fault()
    assert not generator.processes
    await generator.close()


async def test_too_little_memory_is_said(drawing: Settings, tiny: Path, tmp_path: Path) -> None:
    """Weights of four billion numbers, in a file that is nearly all hole."""
    folder = tmp_path / "models" / "pictures" / "flux-1-schnell"
    shutil.copytree(tiny / "FluxPipeline", folder)
    head = b'{"a":{"dtype":"BF16","shape":[4000000000],"data_offsets":[0,8000000000]}}'
    with (folder / "transformer" / "diffusion_pytorch_model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(head)) + head)
        file.truncate(8 + len(head) + 8_000_000_000)
    generator = DiffusersBackend(replace(drawing, data_dir=tmp_path, picture_memory=4000))
    error = await refused(generator, JOB)
    assert isinstance(error, SetupError)
    assert "does not fit into memory: it needs 11.2 GB of memory, and 4.0 GB are free; end other" in error.message
    await generator.close()


async def test_what_is_missing_is_named_with_the_command_that_brings_it(settings: Settings, drawing: Settings) -> None:
    bare = DiffusersBackend(settings)
    absent = await model(bare)
    assert absent.state == "absent"
    assert "`eclair pull flux-1-schnell` fetches them (about 34 GB)" in (absent.why or "")
    assert "which isn't installed: `make diffusers`" in (absent.why or "")
    without = DiffusersBackend(replace(drawing, diffusers_python=Path(sys.executable)))
    assert "lacks torch, diffusers, transformers, accelerate" in ((await model(without)).why or "")
    assert isinstance(await refused(without, JOB), EngineMissing)
    nowhere = DiffusersBackend(replace(drawing, diffusers_python=Path("/nowhere/python")))
    assert "/nowhere/python cannot be started" in ((await model(nowhere)).why or "")
    ready = await model(DiffusersBackend(drawing))
    assert (ready.state, ready.why, ready.restricted) == ("ready", None, False)
    far = await model(DiffusersBackend(drawing), "flux-1-dev")
    assert (far.state, far.restricted, far.country) == ("absent", True, "DE")
    assert isinstance(await refused(DiffusersBackend(drawing), JOB, "flux-1-dev"), ModelMissing)


async def test_the_process_has_no_network(python: Path) -> None:
    done = await run(
        python,
        "from eclair.images.backends.diffusers.pipeline_process import _refuse_network",
        "sys.addaudithook(_refuse_network)",
        "import socket",
        "socket.create_connection(('127.0.0.1', 9))",
    )
    assert "PermissionError: images are generated without a network" in done.stderr


async def test_a_preview_shows_what_the_numbers_stand_for(python: Path) -> None:
    """With an encoder that makes a picture small and nothing else, so that it is known what the numbers stand for."""
    done = await run(
        python,
        "import io, torch",
        "from types import SimpleNamespace as Any",
        "from PIL import Image",
        "from eclair.images.backends.diffusers.previews import LatentPreviewer, normalize, pack",
        "small = lambda image: torch.nn.functional.avg_pool2d(image, 8)",
        "said = lambda image: torch.cat([small(image), small(image).mean(1, keepdim=True)], 1)",
        "encode = lambda image: Any(latent_dist=Any(mode=lambda: said(image)))",
        "vae = Any(encode=encode, dtype=torch.float32, config=Any(shift_factor=0.1, scaling_factor=0.4))",
        "previews = LatentPreviewer(torch, Any(vae=vae, vae_scale_factor=8, _execution_device='cpu'))",
        "image = torch.linspace(-1, 1, 3 * 64 * 128).reshape(3, 64, 128)[None].flip(3)",
        "tokens = pack(normalize(torch, vae, said(image)))",
        "shown = Image.open(io.BytesIO(previews.preview(tokens, 128, 64)))",
        "wanted = ((small(image)[0].permute(1, 2, 0) + 1) * 127.5)",
        "print(shown.size, float((torch.tensor(list(shown.tobytes())).reshape(8, 16, 3) - wanted).abs().max()) < 30)",
    )
    assert done.stdout.split("\n")[0] == "(16, 8) True", done.stderr


async def run(python: Path, *lines: str) -> subprocess.CompletedProcess[str]:
    """What an interpreter with torch says to these lines, which find Éclair's modules as the process does."""
    start = BOOTSTRAP.partition("__import__")[0]
    place = Path(__file__).parents[2] / "src" / "eclair"
    command = [python, "-I", "-c", start + "\n".join(lines), place]
    return await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=120)


async def _rest(pieces: AsyncGenerator[object, None]) -> None:
    async for _ in pieces:
        pass


async def _all(worker: PipelineClient, order: GenerateRequest) -> None:
    async for _ in worker.generate(order):
        pass
