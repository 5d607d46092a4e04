"""Drawings as the generator gives them: what is seen, what is refused, and that a seed tells them."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from eclair.errors import InvalidInput
from eclair.images.backends.clipart.colors import COLOURS, apart, oklch, srgb
from eclair.images.backends.clipart.composing import compose
from eclair.images.backends.clipart.drawer import Drawer
from eclair.images.backends.clipart.painting import painted
from eclair.images.backends.clipart.reading import read
from eclair.schema.images import Drawn, Job, Progress
from eclair.schema.principal import Principal

WORDS = [
    "cat",
    "dog",
    "tree",
    "house",
    "moon",
    "fish",
    "three",
    "red",
    "big",
    "under",
    "in",
    "night",
    "sea",
    "with",
    "Baum",
    "Haus",
    "auf",
    "chien",
    "sous",
    "space",
    "birthday",
    "snow",
    "basket",
    "apples",
    "rainbow",
    '"hi&<b>"',
    "wearing",
    "hat",
    "between",
    "without",
]


async def draw(prompt: str, width: int = 128, height: int = 128, seed: int = 1, negative: str = "") -> Drawn:
    drawer = Drawer()
    (model,) = await drawer.models()
    told = [
        each
        async for each in drawer.draw(model, Job(prompt, width, height, seed, negative=negative), Principal("o"), None)
    ]
    await drawer.close()
    progress = [each for each in told if isinstance(each, Progress)]
    assert [each.done for each in progress] == list(range(1, len(progress) + 1))
    assert all(each.of == len(progress) for each in progress)
    drawn = told[-1]
    assert isinstance(drawn, Drawn)
    return drawn


def pixels(drawn: Drawn) -> list[tuple[int, int, int]]:
    with Image.open(io.BytesIO(drawn.image)) as image:
        assert image.format == "PNG"
        data = image.convert("RGB").tobytes()
    return [(data[i], data[i + 1], data[i + 2]) for i in range(0, len(data), 3)]


def share(drawn: Drawn, fits: Callable[[int, int, int], bool]) -> float:
    seen = pixels(drawn)
    return sum(fits(*each) for each in seen) / len(seen)


async def test_a_blue_apple_is_blue_and_its_leaf_green() -> None:
    drawn = await draw("a blue apple", 256, 256)
    assert share(drawn, lambda r, g, b: b > 150 and b > 2 * r and b > g + 40) > 0.15
    assert share(drawn, lambda r, g, b: g > r + 20 and g > b + 40) > 0.01
    assert share(drawn, lambda r, g, b: r > 180 and g < 90 and b < 90) < 0.01
    assert drawn.prompt == "apple (blue)"


@pytest.mark.parametrize("size", [(512, 512), (320, 180), (200, 600), (64, 64)])
async def test_any_size(size: tuple[int, int]) -> None:
    drawn = await draw("two cats under a tree and a bird", *size)
    with Image.open(io.BytesIO(drawn.image)) as image:
        assert image.size == size


async def test_a_seed_tells_the_drawing() -> None:
    first, again, other = [await draw("a house, a tree and three birds", seed=seed) for seed in (7, 7, 8)]
    assert first.image == again.image != other.image
    assert (first.seed, other.seed) == (7, 8)


async def test_night_is_dark() -> None:
    day, night = await draw("a house in a meadow"), await draw("a house in a meadow at night")
    assert share(night, lambda r, g, b: r + g + b < 300) > 0.5 > share(day, lambda r, g, b: r + g + b < 300)


async def test_a_plain_background_has_its_colour() -> None:
    drawn = await draw("icon of a star on a violet background")
    assert share(drawn, lambda r, g, b: b > r > g + 20) > 0.6


async def test_what_was_not_drawn_is_said_in_the_language() -> None:
    assert (await draw("a cat and epistemology")).prompt == "cat; not drawn: epistemology"
    assert (await draw("ein Hund und Metaphysik")).prompt == "Hund; nicht gezeichnet: Metaphysik"


async def test_lettering_is_text_and_nothing_else() -> None:
    plain = await draw("a cake", 256, 256)
    lettered = await draw('a cake with "Übermut & <script>"', 256, 256)
    assert plain.image != lettered.image
    scene = read('a cake with "</text><image href=x>&"')
    svg = painted(scene, compose(scene, 256, 256, 1), 1)
    assert "<image" not in svg
    assert "&lt;/text&gt;&lt;image href=x&gt;&amp;" in svg


@pytest.mark.parametrize("prompt", ["epistemology", "", "???", "Metaphysik und so weiter", "\0\ud7ff"])
async def test_what_cannot_be_drawn_is_refused_in_one_sentence(prompt: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await draw(prompt)
    assert "eclair pull flux-1-schnell" in refused.value.message
    assert refused.value.message.endswith(".")


@pytest.mark.parametrize("size", [(8, 128), (128, 5000)])
async def test_sizes_have_bounds(size: tuple[int, int]) -> None:
    with pytest.raises(InvalidInput, match="64 to"):
        await draw("a cat", *size)


async def test_pictures_are_not_edited() -> None:
    drawer = Drawer()
    (model,) = await drawer.models()
    job = Job("a cat", 128, 128, 1, sources=(b"\x89PNG",))
    with pytest.raises(InvalidInput, match="change no picture"):
        _ = [each async for each in drawer.draw(model, job, Principal("o"), None)]


async def test_the_model_says_what_it_is() -> None:
    (model,) = await Drawer().models()
    assert (model.id, model.generator, model.state) == ("eclair-drawing", "eclair-drawing", "ready")
    assert model.drawn
    assert model.negative
    assert not model.edits
    assert {"de", "en", "fr", "pl", "mt"} <= set(model.languages)


@settings(deadline=None, max_examples=120)
@given(
    st.lists(st.sampled_from(WORDS) | st.text(max_size=12), max_size=14).map(" ".join),
    st.tuples(st.integers(64, 900), st.integers(64, 900)),
    st.integers(0, 2**31),
)
@example('"\x08 "', (64, 64), 0)
def test_any_scene_is_sound_svg_of_ours_alone(prompt: str, size: tuple[int, int], seed: int) -> None:
    scene = read(prompt, seed)
    svg = painted(scene, compose(scene, *size, seed), seed)
    root = ElementTree.fromstring(svg)
    references = [value for element in root.iter() for key, value in element.attrib.items() if key.endswith("href")]
    assert all(value.startswith("#") for value in references)
    ids = re.findall(r'\bid="([^"]+)"', svg)
    assert len(ids) == len(set(ids))
    assert "nan" not in svg


@given(st.integers(0, 0xFFFFFF))
def test_colours_come_back(value: int) -> None:
    colour = f"#{value:06x}"
    back = srgb(oklch(colour))
    assert all(abs(int(colour[i : i + 2], 16) - int(back[i : i + 2], 16)) <= 1 for i in (1, 3, 5))


def test_named_colours_are_what_they_are_called() -> None:
    for name, colour in COLOURS.items():
        seen = oklch(srgb(colour))
        assert abs(seen.light - colour.light) < 0.02, name
        assert colour.chroma < 0.03 or apart(seen.hue, colour.hue) < 6, name
