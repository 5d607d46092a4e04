"""What is read out of prompts: things, counts, colours, places, and what is not known."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eclair.images.backends.clipart.book import book
from eclair.images.backends.clipart.reading import read
from eclair.images.backends.clipart.scene import MOST, Scene, Thing

PROMPTS: dict[str, str] = tomllib.loads(Path(__file__).with_name("prompts.toml").read_text("utf-8"))["prompts"]

TWO_CATS_AND_A_HOUSE = {
    "bg": "две котки и една къща",
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
}


def names(scene: Scene) -> list[str]:
    return [book().icons[thing.icon].name for thing in scene.things]


def only(prompt: str) -> Thing:
    (thing,) = read(prompt).things
    return thing


def test_nine_of_ten_things_in_natural_prompts_are_found() -> None:
    wanted = [(prompt, sign) for prompt, signs in PROMPTS.items() for sign in signs.split()]
    missing = [
        (prompt, sign)
        for prompt, sign in wanted
        if book().number(sign) not in {thing.icon for thing in read(prompt).things}
    ]
    assert len(PROMPTS) >= 60
    assert len(missing) <= len(wanted) // 10, missing


@pytest.mark.parametrize("language", TWO_CATS_AND_A_HOUSE)
def test_the_languages_of_europe_are_read(language: str) -> None:
    scene = read(TWO_CATS_AND_A_HOUSE[language])
    assert (scene.language, names(scene)) == (language, ["cat", "house"])
    assert [thing.count for thing in scene.things] == [2, 1]


@pytest.mark.parametrize(
    ("prompt", "colour"),
    [
        ("a blue apple", "blue"),
        ("the apple is blue", "blue"),
        ("ein blauer Apfel", "blue"),
        ("une pomme bleue", "blue"),
        ("una mela blu", "blue"),
        ("niebieskie jabłko", "blue"),
        ("un gros chat orange", "orange"),
        ("purple bicycle", "violet"),
    ],
)
def test_colours_go_with_their_noun(prompt: str, colour: str) -> None:
    assert only(prompt).colour == colour


def test_each_thing_has_its_own_colour() -> None:
    things = read("a red car, a green bus and a bicycle").things
    assert [thing.colour for thing in things] == ["red", "green", None]
    things = read("une voiture rouge et un bus vert").things
    assert [thing.colour for thing in things] == ["red", "green"]


def test_what_has_the_name_of_a_colour_may_be_a_thing() -> None:
    assert names(read("an orange and a banana")) == ["tangerine", "banana"]
    assert names(read("une rose rouge")) == ["rose"]
    assert only("une rose rouge").colour == "red"


@pytest.mark.parametrize(
    ("prompt", "count"),
    [("3 cats", 3), ("zwölf Enten", 12), ("dix-sept étoiles", 17), ("a dozen eggs", 12), ("1000 stars", MOST)],
)
def test_counts(prompt: str, count: int) -> None:
    assert only(prompt).count == count


def test_several_without_a_number_are_several() -> None:
    assert only("cats").count > 1
    assert only("ein Haus mit nichts").count == 1


def test_sizes() -> None:
    big, small = read("ein riesiger Hund und eine kleine Katze").things
    assert big.size > 1.5 > 1 > small.size


@pytest.mark.parametrize(
    ("prompt", "relation"),
    [
        ("a cat under a tree", "under"),
        ("eine Katze hinter einem Baum", "behind"),
        ("un chat devant un arbre", "front"),
        ("a cat next to a tree", "beside"),
        ("eine Katze auf einem Baum", "on"),
        ("kot pod drzewem", "under"),
    ],
)
def test_relations(prompt: str, relation: str) -> None:
    scene = read(prompt)
    (link,) = scene.links
    assert (link.those, link.relation, link.other) == ((0,), relation, 1)


def test_surroundings() -> None:
    around = read("ein Fuchs im Wald bei Nacht, es schneit").around
    assert (around.place, around.time, around.weather) == ("forest", "night", "snowing")
    assert read("une voiture sur fond violet").around.colour == "violet"
    assert read("rocket on a violet background").around.colour == "violet"
    assert read("un perro en la noche").around.time == "night"


def test_what_must_not_be_seen_is_not() -> None:
    assert names(read("a cat and a dog without a house")) == ["cat", "dog"]
    assert names(read("a cat and a dog", negative="dogs")) == ["cat"]
    assert read("a cat at night in the snow", negative="night").around.time is None
    scene = read("a dog under a tree and a cat", negative="tree")
    assert names(scene) == ["dog", "cat"]
    assert scene.links == ()


def test_what_is_not_known_is_said() -> None:
    scene = read("a cat and some epistemology")
    assert names(scene) == ["cat"]
    assert scene.undrawn == ("epistemology",)


def test_what_is_quoted_is_lettering() -> None:
    scene = read('a cake that says "Happy birthday, Zoé <3"')
    assert scene.lettering == "Happy birthday, Zoé <3"
    assert names(scene) == ["birthday-cake"]


@settings(deadline=None, max_examples=150)
@given(st.text(max_size=700), st.integers(0, 2**32), st.text(max_size=60))
def test_any_text_is_read(prompt: str, seed: int, negative: str) -> None:
    scene = read(prompt, seed, negative)
    assert sum(thing.count for thing in scene.things) <= 2 * MOST
    assert all(link.other < len(scene.things) and max(link.those) < len(scene.things) for link in scene.links)
