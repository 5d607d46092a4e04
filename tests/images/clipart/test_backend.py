"""Clip art as the backend gives it: what is seen, what is refused, and that a seed tells it."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from eclair.errors import InvalidInput
from eclair.images.backends.clipart.arrange import to_svg
from eclair.images.backends.clipart.backend import ClipArtBackend
from eclair.images.backends.clipart.book import book
from eclair.images.backends.clipart.prompt_reader import read
from eclair.images.backends.clipart.scene import ClipArtItem, ClipArtScene
from eclair.schema.images import BackendProgress, UnmarkedImage
from tests.images.support import job_of


async def draw(prompt: str, width: int = 128, height: int = 128, seed: int = 1, negative: str = "") -> UnmarkedImage:
    backend = ClipArtBackend()
    (model,) = await backend.models()
    job = job_of(prompt, width, height, seed, negative=negative)
    told = [each async for each in backend.generate(replace(job, model=model))]
    await backend.close()
    progress = [each for each in told if isinstance(each, BackendProgress)]
    assert [each.done for each in progress] == list(range(1, len(progress) + 1))
    assert all(each.of == len(progress) for each in progress)
    drawn = told[-1]
    assert isinstance(drawn, UnmarkedImage)
    return drawn


def share(drawn: UnmarkedImage, fits: Callable[[int, int, int], bool]) -> float:
    with Image.open(io.BytesIO(drawn.image)) as image:
        assert image.format == "PNG"
        data = image.convert("RGB").tobytes()
    seen = [(data[i], data[i + 1], data[i + 2]) for i in range(0, len(data), 3)]
    return sum(fits(*each) for each in seen) / len(seen)


async def test_a_blue_apple_is_blue_and_its_leaf_green() -> None:
    drawn = await draw("a blue apple", 256, 256)
    assert share(drawn, lambda r, g, b: b > 150 and b > 2 * r and b > g + 40) > 0.15
    assert share(drawn, lambda r, g, b: g > r + 20 and g > b + 40) > 0.01
    assert share(drawn, lambda r, g, b: r > 180 and g < 90 and b < 90) < 0.01
    assert drawn.revised_prompt == "Drawn: blue apple."


@pytest.mark.parametrize("color", book().colors)
def test_every_color_is_another(color: str) -> None:
    apple = read("an apple").items[0].picture
    assert book().svg(apple, color) != book().svg(apple)
    assert len({book().svg(apple, each) for each in book().colors}) == len(book().colors)


@pytest.mark.parametrize("size", [(512, 512), (320, 180), (200, 600), (64, 64)])
async def test_any_size(size: tuple[int, int]) -> None:
    drawn = await draw("two cats under a tree and a bird", *size)
    with Image.open(io.BytesIO(drawn.image)) as image:
        assert image.size == size


async def test_a_seed_tells_the_drawing() -> None:
    first, again, other = [await draw("a house, a tree and three birds", seed=seed) for seed in (7, 7, 8)]
    assert first.image == again.image != other.image
    assert (first.seed, other.seed) == (7, 8)


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("epistemology", "“epistemology”"),
        ("", "these words"),
        ("???", "these words"),
        ("Metaphysik und Ontologie", "“Metaphysik”, “Ontologie”"),
        ("une voile et un bateau", "“voile”"),
        ("una vela", "“vela”"),
        ("zamek i rzeka", "“zamek”, “rzeka”"),
        ("\0\ud7ff", "these words"),
    ],
)
async def test_a_refusal_names_the_words_and_the_way_to_flux(prompt: str, words: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await draw(prompt)
    message = refused.value.message
    assert message.startswith(f"There is no clip art of {words};")
    assert message.endswith("`eclair pull flux-1-schnell`.")
    assert refused.value.param == "prompt"


async def test_what_must_not_be_seen_is_not() -> None:
    assert (await draw("a cat and a dog", negative="dogs")).revised_prompt == "Drawn: cat."


async def test_pictures_are_not_edited() -> None:
    backend = ClipArtBackend()
    (model,) = await backend.models()
    job = job_of("a cat", 128, 128, 1, sources=(b"\x89PNG",))
    with pytest.raises(InvalidInput, match="edits nothing"):
        _ = [each async for each in backend.generate(replace(job, model=model))]


async def test_the_model_says_what_it_is() -> None:
    (model,) = await ClipArtBackend().models()
    assert (model.id, model.generator, model.state) == ("eclair-drawing", "eclair-drawing", "ready")
    assert model.drawn
    assert model.negative
    assert not model.edits
    assert {"de", "en", "fr", "pl", "mt"} <= set(model.languages)


ITEM = st.builds(
    ClipArtItem,
    st.integers(0, len(book().pictures) - 1),
    st.just("x"),
    st.integers(1, 4),
    st.sampled_from([None, *book().colors]),
    st.sampled_from([0.6, 1.0, 1.5]),
    st.integers(-2, 2),
)


@settings(deadline=None, max_examples=80)
@given(
    st.lists(ITEM, min_size=1, max_size=12),
    st.tuples(st.integers(64, 900), st.integers(64, 900)),
    st.integers(0, 2**31),
)
def test_any_scene_is_sound_svg_of_ours_alone(items: list[ClipArtItem], size: tuple[int, int], seed: int) -> None:
    svg = to_svg(ClipArtScene("en", tuple(items)), *size, seed)
    root = ElementTree.fromstring(svg)
    uses = [element for element in root if element.tag.endswith("}use")]
    assert len(uses) == sum(item.count for item in items)
    for use in uses:
        x, y, wide = (float(use.attrib[name]) for name in ("x", "y", "width"))
        assert 0 <= x <= x + wide <= size[0]
        assert 0 <= y <= y + wide <= size[1]
    references = [value for element in root.iter() for key, value in element.attrib.items() if key.endswith("href")]
    assert all(value.startswith("#") for value in references)
    ids = re.findall(r'\bid="([^"]+)"', svg)
    assert len(ids) == len(set(ids))
    assert "nan" not in svg
