"""Reading prompts: things, counts, colors and places, and naming what is unknown."""

from __future__ import annotations

import time
import tomllib
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eclair.images.backends.clipart.book import book
from eclair.images.backends.clipart.prompt_reader import read
from eclair.images.backends.clipart.scene import MAX_PICTURES, ClipArtItem, ClipArtScene

PROMPTS = tomllib.loads(Path(__file__).with_name("prompts.toml").read_text("utf-8"))
DRAWN: dict[str, str] = PROMPTS["drawn"]
REFUSED: dict[str, str] = PROMPTS["refused"]

TWO_CATS_AND_A_HOUSE = {
    "bg": "две котки и една къща",
    "ca": "dos gats i una casa",
    "cs": "dvě kočky a dům",
    "da": "to katte og et hus",
    "de": "zwei Katzen und ein Haus",
    "el": "δύο γάτες και ένα σπίτι",
    "en": "two cats and a house",
    "es": "dos gatos y una casa",
    "et": "kaks kassi ja maja",
    "fi": "kaksi kissaa ja talo",
    "fr": "deux chats et une maison",
    "hr": "dvije mačke i kuća",
    "hu": "két macska és egy ház",
    "it": "due gatti e una casa",
    "lt": "dvi katės ir namas",
    "lv": "divi kaķi un māja",
    "nl": "twee katten en een huis",
    "no": "to katter og et hus",
    "pl": "dwa koty i dom",
    "pt": "dois gatos e uma casa",
    "ro": "două pisici și o casă",
    "ru": "две кошки и дом",
    "sk": "dve mačky a dom",
    "sl": "dve mački in hiša",
    "sv": "två katter och ett hus",
    "tr": "iki kedi ve bir ev",
    "uk": "два коти і будинок",
}


def shown(scene: ClipArtScene) -> str:
    names = [(item.count, book().pictures[item.picture][0]) for item in scene.items]
    return ", ".join(f"{count} {name}" if count > 1 else name for count, name in names)


def only(prompt: str) -> ClipArtItem:
    (item,) = read(prompt).items
    return item


@pytest.mark.parametrize("prompt", DRAWN)
def test_what_is_known_is_drawn(prompt: str) -> None:
    scene = read(prompt)
    assert shown(scene) == DRAWN[prompt]
    assert scene.is_known


@pytest.mark.parametrize("prompt", REFUSED)
def test_what_is_not_known_is_not_guessed(prompt: str) -> None:
    scene = read(prompt)
    assert not scene.is_known
    assert REFUSED[prompt] in scene.unknown


@pytest.mark.parametrize("language", TWO_CATS_AND_A_HOUSE)
def test_the_languages_of_europe_are_read(language: str) -> None:
    scene = read(TWO_CATS_AND_A_HOUSE[language])
    assert (shown(scene), scene.unknown, scene.undrawn) == ("2 cat, house", (), ())
    assert (
        scene.language == language or book().vocabulary(scene.language).captions == book().vocabulary(language).captions
    )


@pytest.mark.parametrize(
    "prompt",
    [
        "a real thing that we like",
        "the bride's veil",
        "un voile",
        "le cri du mouton dans la tour",
        "eine Bank",
        "das Schloss",
        "una banca y una vela",
        "zamek",
        "замок",
        "a crane",
        "a cricket bat",
        "a hot air balloon",
        "die dritte Reihe",
        "a steaming thing",
    ],
)
def test_homonyms_and_keywords_name_nothing(prompt: str) -> None:
    assert not read(prompt).is_known


@pytest.mark.parametrize(
    ("prompt", "color"),
    [
        ("a blue apple", "blue"),
        ("the apple is blue", "blue"),
        ("ein blauer Apfel", "blue"),
        ("der Apfel ist blau", "blue"),
        ("une pomme bleue", "blue"),
        ("la pomme est bleue", "blue"),
        ("una mela blu", "blue"),
        ("una manzana azul", "blue"),
        ("niebieskie jabłko", "blue"),
        ("un gros chien orange", "orange"),
        ("purple bicycle", "violet"),
        ("a grey car", "gray"),
    ],
)
def test_colors_go_with_their_noun(prompt: str, color: str) -> None:
    assert only(prompt).color == color


def test_each_thing_has_its_own_color() -> None:
    assert [item.color for item in read("a red car, a green bus and a bicycle").items] == ["red", "green", None]
    assert [item.color for item in read("une voiture rouge et un bus vert").items] == ["red", "green"]
    assert [item.color for item in read("the car is red and the bus is green").items] == ["red", "green"]


def test_the_color_of_an_unknown_thing_is_nobody_elses() -> None:
    scene = read("a cat, a dog and the third pink")
    assert ([item.color for item in scene.items], scene.unknown, scene.undrawn) == ([None, None], ("third",), ("pink",))


def test_what_has_the_name_of_a_color_may_be_a_thing() -> None:
    assert shown(read("an orange and a banana")) == "tangerine, banana"
    assert shown(read("three oranges")) == "3 tangerine"
    assert read("a balloon in orange").items[0].color == "orange"


@pytest.mark.parametrize(
    ("prompt", "count"),
    [
        ("3 cats", 3),
        ("zwölf Enten", 12),
        ("dix-sept étoiles", 17),
        ("a dozen eggs", 12),
        ("1000 stars", MAX_PICTURES),
        ("cats", 3),
        ("viele Katzen", 5),
        ("ein Haus", 1),
    ],
)
def test_counts(prompt: str, count: int) -> None:
    assert only(prompt).count == count


def test_no_more_is_drawn_than_can_be_told_apart() -> None:
    scene = read("40 cats, 40 dogs and 40 birds")
    assert shown(scene) == "40 cat, 8 dog"
    assert "birds" in scene.undrawn


def test_sizes() -> None:
    large, small = read("ein riesiger Hund und eine kleine Katze").items
    assert large.size > 1 > small.size


@pytest.mark.parametrize(
    ("prompt", "rows"),
    [
        ("a cat under a tree", [0, 1]),
        ("a star above a house", [0, -1]),
        ("ein Stern über einem Haus", [0, -1]),
        ("un chat sous un arbre", [0, 1]),
        ("kot pod drzewem", [0, 1]),
        ("a cat and a tree", [0, 0]),
        ("a cat, a dog under a tree", [0, 0, 1]),
    ],
)
def test_above_and_below(prompt: str, rows: list[int]) -> None:
    assert [item.row for item in read(prompt).items] == rows


@pytest.mark.parametrize(
    ("prompt", "order"),
    [
        ("a cat to the left of a dog", "cat, dog"),
        ("a cat to the right of a dog", "dog, cat"),
        ("eine Katze rechts von einem Hund", "dog, cat"),
        ("un chat à droite d'un chien", "dog, cat"),
        ("a cat and a fish to the right of a dog", "dog, cat, fish"),
    ],
)
def test_left_and_right(prompt: str, order: str) -> None:
    assert shown(read(prompt)) == order


def test_a_noun_before_another_is_no_thing_in_english() -> None:
    scene = read("an apple tree and a red school bus")
    assert (shown(scene), scene.undrawn) == ("deciduous-tree, bus", ("apple", "school"))
    assert read("a mountain lake").unknown == ("mountain lake",)


def test_what_is_left_out_is_not_drawn() -> None:
    assert shown(read("a cat and a dog without a house")) == "cat, dog"
    assert shown(read("ein Hund ohne Hut")) == "dog"


@pytest.mark.parametrize(
    ("prompt", "caption"),
    [
        ("3 cats, a red apple and a time machine", "Drawn: 3 cats, red apple. Not drawn: time machine."),
        ("eine schlafende Katze, ein Hund und Metaphysik",
         "Gezeichnet: Katze, Hund. Nicht gezeichnet: Metaphysik, schlafende."),
        ("un chat et un gâteau d'anniversaire", "Dessiné: chat, gâteau d'anniversaire."),
        ("dwa koty i czerwone jabłko", "Narysowano: 2 koty, czerwone jabłko."),
        ('a cake that says "Happy birthday"', 'Drawn: cake. Not drawn: "Happy birthday".'),
    ],
)  # fmt: skip
def test_the_caption_says_what_is_drawn_and_what_is_not(prompt: str, caption: str) -> None:
    assert read(prompt).caption == caption


WORDS = ["cat", "Hund", "three", "12", "a", "blue", "orange", "rose", "under", "rechts von", "sans", "real", "and", ","]


@settings(deadline=None, max_examples=150)
@given(st.text(max_size=700) | st.lists(st.sampled_from(WORDS) | st.text(max_size=12), max_size=40).map(" ".join))
@example("\0\ud7ff")
@example("1 " * 400)
@example("'" * 400)
@example("q z " * 400)
def test_any_text_is_read_soon(prompt: str) -> None:
    began = time.process_time()
    scene = read(prompt)
    assert time.process_time() - began < 2
    assert sum(item.count for item in scene.items) <= MAX_PICTURES
    assert all(item.count > 0 and item.words for item in scene.items)
    assert scene.caption
