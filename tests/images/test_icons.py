"""The built-in picture model: it draws what the prompt says, in three languages, and says what it cannot do."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import aclosing

import numpy as np
import pytest
import pytest_asyncio
from numpy.typing import NDArray
from PIL import Image

from eclair.documents.embeddings import E5
from eclair.errors import InvalidInput, ModelMissing
from eclair.images.backends.icons.generator import MODEL, Icons
from eclair.schema.images import Drawn, Job, Progress

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def icons() -> AsyncIterator[Icons]:
    embedder = E5()
    yield Icons(embedder)
    await embedder.close()


async def made(icons: Icons, job: Job) -> tuple[list[Progress], Drawn]:
    seen: list[Progress] = []
    async for each in icons.draw(MODEL, job, "owner", None):
        match each:
            case Progress():
                seen.append(each)
            case Drawn():
                return seen, each
    raise AssertionError("nothing was drawn")


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def coloured(data: bytes) -> NDArray[np.float64]:
    """The mean of what is not white."""
    pixels = np.asarray(opened(data).convert("RGB"), np.float64)
    return pixels[pixels.min(-1) < 200].mean(0)


async def test_it_is_ready_and_says_what_it_is(icons: Icons) -> None:
    (model,) = await icons.models()
    assert model.state == "ready"
    assert model.jurisdiction is None
    assert set(model.languages) == {"de", "en", "fr"}


@pytest.mark.parametrize(("width", "height"), [(256, 256), (640, 384), (96, 160)])
async def test_pictures_have_the_size_that_is_asked_for(icons: Icons, width: int, height: int) -> None:
    seen, drawn = await made(icons, Job("a cat", width, height, seed=3, steps=4))
    image = opened(drawn.image)
    assert image.format == "PNG"
    assert image.size == (width, height)
    assert drawn.seed == 3
    assert [each.done for each in seen] == [1, 2, 3, 4]
    assert {each.of for each in seen} == {4}
    assert all(opened(each.preview).size == (128, 128) for each in seen[:-1] if each.preview is not None)
    assert sum(each.preview is not None for each in seen) == 3


async def test_the_ground_is_white(icons: Icons) -> None:
    _, drawn = await made(icons, Job("ein Schmetterling", 128, 128, seed=1))
    pixels = np.asarray(opened(drawn.image))
    rim = np.concatenate((pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]))
    assert (rim == 255).all(-1).mean() > 0.75


async def test_a_seed_gives_the_same_picture_again(icons: Icons) -> None:
    first, second, other = [
        (await made(icons, Job("eine Katze", 128, 128, seed=seed, steps=4)))[1].image for seed in (1, 1, 2)
    ]
    assert first == second != other


@pytest.mark.parametrize(("red", "blue"), [("red heart", "blue heart"), ("rotes Herz", "blaues Herz")])
async def test_colours_are_those_of_the_prompt(icons: Icons, red: str, blue: str) -> None:
    warm = coloured((await made(icons, Job(red, 128, 128, seed=1)))[1].image)
    cold = coloured((await made(icons, Job(blue, 128, 128, seed=1)))[1].image)
    assert warm[0] > warm[2] + 60
    assert cold[2] > cold[0] + 60


async def test_closing_stops_it(icons: Icons) -> None:
    async with aclosing(icons.draw(MODEL, Job("pizza", 128, 128, seed=1, steps=50), "owner", None)) as drawing:
        first = await anext(drawing)
    assert isinstance(first, Progress)
    with pytest.raises(StopAsyncIteration):
        await anext(drawing)


async def test_without_the_embedder_it_says_what_is_missing() -> None:
    (model,) = await Icons(None).models()
    assert model.state == "absent"
    assert model.why is not None
    assert "ECLAIR_EMBEDDER" in model.why
    with pytest.raises(ModelMissing, match="ECLAIR_EMBEDDER"):
        await made(Icons(None), Job("a cat", 128, 128, seed=1))


async def test_it_edits_nothing(icons: Icons) -> None:
    with pytest.raises(InvalidInput, match="words alone"):
        await made(icons, Job("a cat", 128, 128, seed=1, sources=(b"a picture",)))
