"""What the built-in picture model is shown of a prompt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.images.backends.icons.words import MOST, subject, words


@pytest.mark.parametrize(
    ("prompt", "thing"),
    [
        ("draw me a picture of a cat", "cat"),
        ("Zeichne mir bitte ein Bild von einer Katze", "Katze"),
        ("dessine-moi un mouton", "mouton"),
        ("une image d’un éléphant", "éléphant"),
        ("Icon: blauer Apfel", "blauer Apfel"),
        ("a-frame house", "a-frame house"),
        ("a picture", "picture"),
        ("the", "the"),
    ],
)
def test_what_leads_up_to_the_thing_is_left_out(prompt: str, thing: str) -> None:
    assert subject(prompt) == thing


@given(st.text())
def test_any_text_is_a_prompt(prompt: str) -> None:
    said = subject(prompt)
    assert said or not prompt
    assert len(words(said)) <= MOST
    assert subject(said) == said or not said
