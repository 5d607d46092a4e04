"""Watermarked answers: the segments they are made in, and what keeps the watermark off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import orjson
import pytest

from eclair.errors import EngineRefused
from eclair.llm.base import JSON, Delta, Finish, PromptImage, PromptMessage, Request, Text, TokenUsage
from eclair.llm.local.llama_engine import LlamaEngine
from eclair.llm.local.local_engine import LocalEngine
from eclair.llm.local.watermarking import PLAIN_TOKENS, GreenList, may_watermark, stream_watermarked
from eclair.models.catalog import starter_entry
from eclair.provenance.text_watermark import detect_watermark
from eclair.provenance.watermark_keys import WatermarkKeys
from eclair.schema.messages import Sampling
from eclair.settings import Settings

GREEN = GreenList(orjson.Fragment(b"[[5,2.0]]"))
ASKED = Request("m", (PromptMessage("user", "Why?"),), watermarks=True)
BEGINNING = "The beginning, as the model has it, "


@dataclass
class Segments:
    """Stands in for llama.cpp: gives the texts in turn, each with how it ends."""

    given: Sequence[tuple[str, str | None]]
    prompts: list[str] = field(default_factory=list[str])
    asked: list[JSON] = field(default_factory=list[JSON])

    async def write_prompt(self, request: Request) -> str:
        return "".join(f"<{each.role}>{each.content}" for each in request.messages) + "<assistant>"

    async def stream_segment(self, model: str, prompt: str, fields: JSON) -> AsyncGenerator[Delta, None]:
        del model
        text, end = self.given[len(self.asked)]
        self.prompts.append(prompt)
        self.asked.append(fields)
        if end == "full":
            raise EngineRefused("The prompt is longer than the window.")
        for letter in text:
            yield Text(letter)
        yield TokenUsage(10, PLAIN_TOKENS, 3, drafted_tokens=4, accepted_tokens=2)
        yield Finish("length") if end == "length" else Finish("stop", end)


async def answered(
    given: Sequence[tuple[str, str | None]], request: Request = ASKED
) -> tuple[str, Segments, list[Delta]]:
    engine = Segments(given)
    async with aclosing(stream_watermarked(cast(LlamaEngine, engine), request, GREEN)) as deltas:
        found = [delta async for delta in deltas]
    return "".join(each.text for each in found if isinstance(each, Text)), engine, found


def marked(engine: Segments) -> list[bool]:
    return ["logit_bias" in fields for fields in engine.asked]


async def test_a_short_answer_is_never_marked() -> None:
    text, engine, found = await answered([("Paris.", None)])
    assert (text, marked(engine)) == ("Paris.", [False])
    assert found[-2:] == [TokenUsage(10, 64, 3, None, 4, 2, watermarked_tokens=0), Finish("stop")]


async def test_a_long_one_goes_on_with_the_watermark_from_what_it_has() -> None:
    text, engine, found = await answered([(BEGINNING, "length"), ("and its end.", None)])
    assert (text, marked(engine)) == (f"{BEGINNING}and its end.", [False, True])
    assert engine.prompts == ["<user>Why?<assistant>", f"<user>Why?<assistant>{BEGINNING}"]
    assert engine.asked[0]["n_predict"] == PLAIN_TOKENS
    assert orjson.loads(orjson.dumps(engine.asked[1]["logit_bias"])) == [[5, 2.0]]
    assert found[-2:] == [TokenUsage(10, 128, 3, None, 8, 4, watermarked_tokens=64), Finish("stop")]


async def test_blocks_of_code_are_written_without_it() -> None:
    text, engine, _ = await answered(
        [(BEGINNING, "length"), ("so:\n", "```"), ("python\nx = 1", "\n```"), ("\nThat is it.", None)]
    )
    assert text == f"{BEGINNING}so:\n```python\nx = 1\n```\nThat is it."
    assert marked(engine) == [False, True, False, True]
    assert [fields.get("stop") for fields in engine.asked] == [None, ["```"], ["\n```"], ["```"]]


async def test_an_answer_that_begins_with_code_is_not_marked_in_it() -> None:
    _, engine, _ = await answered([("```python\nx = 1", "length"), ("\ny = 2", "\n```"), ("\nDone.", None)])
    assert marked(engine) == [False, False, True]


@pytest.mark.parametrize("beginning", ['{"name": ', "[1, 2", "<svg "])
async def test_json_and_xml_are_not_marked(beginning: str) -> None:
    _, engine, _ = await answered([(beginning, "length"), ("…", None)])
    assert marked(engine) == [False, False]


async def test_an_answer_that_is_continued_is_marked_at_once_but_for_open_code() -> None:
    def resumed(text: str) -> Request:
        return replace(ASKED, messages=(*ASKED.messages, PromptMessage("assistant", text)))

    text, engine, _ = await answered([(" more.", None)], resumed("So far"))
    assert (text, marked(engine), engine.prompts) == (" more.", [True], ["<user>Why?<assistant>So far"])
    _, engine, _ = await answered([("x", None)], resumed("So:\n```python\n"))
    assert marked(engine) == [False]


async def test_limits_hold_over_all_segments() -> None:
    limited = replace(ASKED, sampling=Sampling(max_tokens=200))
    _, engine, found = await answered([(BEGINNING, "length"), ("b\n", "```"), ("c", "\n```"), ("d", "length")], limited)
    assert [fields["n_predict"] for fields in engine.asked] == [64, 136, 72, 8]
    assert found[-1] == Finish("length")


async def test_a_stop_sequence_is_seen_across_segments() -> None:
    stopping = replace(ASKED, sampling=Sampling(stop=("the end",)))
    text, engine, found = await answered([("Now comes the e", "length"), ("", "the end")], stopping)
    assert (text, engine.prompts[1]) == ("Now comes ", "<user>Why?<assistant>Now comes ")
    assert found[-1] == Finish("stop", "the end")
    text, _, _ = await answered([("Now comes the e", None)], stopping)
    assert text == "Now comes the e"


async def test_a_window_that_is_full_ends_the_answer() -> None:
    text, _, found = await answered([(BEGINNING, "length"), ("", "full")])
    assert (text, found[-1]) == (BEGINNING, Finish("length"))
    with pytest.raises(EngineRefused):
        await answered([("", "full")])


async def test_sampling_and_seed_are_those_of_the_request_in_each_segment() -> None:
    sampling = Sampling(0.5, 0.9, None, 7, repeat_penalty=1.1)
    _, engine, _ = await answered(
        [(BEGINNING, "length"), ("b", None)], replace(ASKED, sampling=sampling, extra={"top_k": 3})
    )
    for fields in engine.asked:
        assert {
            "temperature": 0.5,
            "top_p": 0.9,
            "seed": 7,
            "repeat_penalty": 1.1,
            "top_k": 3,
        }.items() <= fields.items()


PICTURE = PromptImage("image/png", b"", 1, 1)


@pytest.mark.parametrize(
    "changed",
    [
        {"watermarks": False},
        {"purpose": "title"},
        {"purpose": "follow_ups"},
        {"prompt": "Once"},
        {"tools": ({"type": "function"},)},
        {"response_format": {"type": "json_object"}},
        {"prediction": "a text to edit"},
        {"sampling": Sampling(max_tokens=199)},
        {"sampling": Sampling(stop=("```",))},
        {"extra": {"logit_bias": {"5": -100}}},
        {"extra": {"logprobs": True}},
        {"extra": {"grammar": "root ::= x"}},
        {"messages": (PromptMessage("user", "What is it?", images=(PICTURE,)),)},
    ],
    ids=str,
)
def test_what_keeps_the_watermark_off(changed: dict[str, Any]) -> None:
    assert may_watermark(ASKED)
    assert not may_watermark(replace(ASKED, **changed))


@pytest.fixture
def home(tmp_path: Path, model_file: Path) -> Settings:
    """A data folder with the starter model, which a catalog of its own marks strongly."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / model_file.name).symlink_to(model_file)
    own = tmp_path / "catalog.toml"
    own.write_text(f'[[model]]\nid = "{starter_entry().id}"\nwatermark_bias = 4.0\n', "utf-8")
    return Settings(data_dir=tmp_path, catalog=own, embedded_parallel=3, embedded_context=2048)


QUESTIONS = (
    "What are the advantages and disadvantages of remote work?",
    "Give advice to somebody who wants to learn to cook.",
    "Write a story about a lighthouse keeper.",
)


async def told(engine: LocalEngine, question: str, **changed: Any) -> tuple[str, TokenUsage]:
    sampling = Sampling(temperature=1.0, max_tokens=320, seed=2)
    asked = Request(starter_entry().id, (PromptMessage("user", question),), sampling=sampling, watermarks=True)
    found = [delta async for delta in engine.stream(replace(asked, **changed))]
    assert isinstance(found[-1], Finish)
    counted = next(delta for delta in found if isinstance(delta, TokenUsage))
    return "".join(delta.text for delta in found if isinstance(delta, Text)), counted


async def test_long_answers_of_the_embedded_model_are_known_again(home: Settings) -> None:
    engine = LocalEngine.start(home)
    try:
        answers = await asyncio.gather(*(told(engine, question) for question in QUESTIONS))
        plain, uncounted = await told(engine, QUESTIONS[0], watermarks=False)
    finally:
        await engine.close()
    keys = WatermarkKeys.configured(home).all()
    assert all(counted.watermarked_tokens for _, counted in answers)
    assert uncounted.watermarked_tokens is None
    assert detect_watermark("\n\n".join(text for text, _ in answers), keys) == "likely"
    assert detect_watermark(plain, keys) == "unknown"


async def test_the_setting_turns_it_off(home: Settings) -> None:
    engine = LocalEngine.start(replace(home, text_watermark="off"))
    try:
        _, counted = await told(engine, QUESTIONS[0], sampling=Sampling(max_tokens=200))
    finally:
        await engine.close()
    assert counted.watermarked_tokens is None
    assert WatermarkKeys.configured(home).all() == []
