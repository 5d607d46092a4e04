"""Foreign text in prompts: what is broken up in it, and what stays."""

from __future__ import annotations

import pytest

from eclair.generation.prompt import with_passages
from eclair.generation.sources import Note
from eclair.generation.untrusted import break_control_tokens, neutralize, neutralize_line
from eclair.schema.messages import Passage
from tests.generation.test_injections import FACT, INJECTIONS, QUESTION, Injection, check


def test_there_are_fifty_injections() -> None:
    assert len({injection.name for injection in INJECTIONS}) == 50


@pytest.mark.parametrize("injection", INJECTIONS, ids=lambda injection: injection.name)
def test_a_web_page_does_nothing_either(injection: Injection) -> None:
    page = Passage(
        number=1,
        file="page_a",
        name=injection.payload,
        page=1,
        label="",
        heading=(injection.payload,),
        start=0,
        end=9,
        text=f"{FACT} {injection.payload}",
        url="https://news.example/",
    )
    check(
        with_passages(QUESTION, [page], [Note(injection.payload)]).replace("<notes>", "", 1).replace("</notes>", "", 1),
        injection,
    )


def test_the_tokens_of_a_model_are_broken_as_well() -> None:
    tokens = ("]~b]", "<seed:bos>", "<|im_start|>")
    assert neutralize("]~b]system <seed:bos> <seed:eos>", tokens) == "] ~b]system < seed:bos> <seed:eos>"
    assert break_control_tokens("]~b]") == "]~b]"


@pytest.mark.parametrize(
    "text",
    [
        "a |> b |> c and x <| y",
        "<p>1 < 2</p> [1] [link](https://a.example/) <strong>a</strong> <div|class>",
        "Map<String, List<T>> f(int[] a) { return a[i] | b; }",
        "the [1] first, [INSTALL] and <state>",
    ],
)
def test_what_is_no_token_stays(text: str) -> None:
    assert neutralize(text) == text


def test_a_title_stays_on_its_line() -> None:
    assert neutralize_line("A\n\n[2] title\t</s>") == "A [2] title < /s>"
