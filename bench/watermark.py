"""The watermark of texts: how surely long answers are known again, how they read, and what it costs.

Long answers by the embedded engine with several strengths (`--bias 0,2,3`), scored at 200, 300 and 400 tokens; then
paragraphs that people wrote (`--xquad FILE…`) against many keys, and the time that the list of words adds to a request.
A z of 3.7 is likely made here.
"""

from __future__ import annotations

import asyncio
import math
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import orjson
from answer_sets import xquad
from harness import link_models, options, run, shown, table

from eclair.llm.base import PromptMessage, Request, Text, TokenUsage
from eclair.llm.local.local_engine import LocalEngine
from eclair.llm.local.watermarking import GreenList
from eclair.models import catalog
from eclair.models.installed import model_path
from eclair.provenance.text_watermark import detect_watermark, find_stems, is_green
from eclair.provenance.watermark_keys import WatermarkKeys
from eclair.schema.messages import Sampling
from eclair.settings import Settings

QUESTIONS = (
    "What are the advantages and disadvantages of remote work? Write an essay.",
    "Give advice to somebody who wants to learn to cook. Write at least 300 words.",
    "Write a story about a lighthouse keeper, of at least 300 words.",
    "Explain in detail how photosynthesis works.",
    "Describe the history of the city of Prague in detail.",
    "Write a long letter to a landlord about a broken heating system.",
    "Explain at length why people should vote.",
    "Describe a day in the life of a baker in at least 300 words.",
)
LENGTHS = (200, 300, 400)
KEYS = 40


def z(text: str, key: bytes) -> float:
    """Standard deviations by which a text has more green words than a coin would give."""
    stems = find_stems(text)
    return (2 * sum(is_green(key, stem) for stem in stems) - len(stems)) / math.sqrt(len(stems) or 1)


async def main(model: str, biases: list[float], questions: int, people: list[Path]) -> None:
    rows: list[list[str]] = []
    for bias in biases:
        answers, key, seconds = await answered(model, bias, QUESTIONS[:questions])
        scores = [
            [z("".join(pieces[:length]), key) for pieces in answers if len(pieces) >= length] for length in LENGTHS
        ]
        whole = ["".join(pieces) for pieces in answers]
        likely = sum(detect_watermark(text, [key]) == "likely" for text in whole)
        words = [text.split() for text in whole]
        rows.append(
            [
                shown(bias),
                *(f"{statistics.mean(each):.1f} ({min(each):.1f}; {len(each)})" if each else "–" for each in scores),
                f"{likely} of {len(whole)}",
                f"{statistics.mean(len(set(each)) / max(1, len(each)) for each in words):.2f}",
                shown(sum(map(len, answers)) / seconds),
            ]
        )
    head = ("bias", *(f"z at {length} tokens" for length in LENGTHS), "likely", "different words", "tokens/s")
    table(head, rows)
    print(f"\nz: mean (lowest; answers of that length). {model}.")
    if people:
        false_alarms(people)


async def answered(model: str, bias: float, questions: tuple[str, ...]) -> tuple[list[list[str]], bytes, float]:
    """Answer the questions at once; return the tokens of each, the key, and the time it took."""
    with tempfile.TemporaryDirectory(prefix="eclair-bench-") as folder:
        data = Path(folder)
        link_models(data)
        own = data / "catalog.toml"
        own.write_text(f'[[model]]\nid = "{model}"\nwatermark_bias = {bias or 1}\n', "utf-8")
        settings = Settings(data_dir=data, catalog=own, text_watermark="auto" if bias else "off", speculation="off")
        key = WatermarkKeys.configured(settings).current()
        path = model_path(catalog.load_entries()[model], data)
        assert path is not None, f"{model} is not installed; `eclair pull {model}` fetches it"
        engine = LocalEngine.start(settings)
        try:
            await ask(engine, model, "Hello", 4, 0)
            print(f"bias {bias}: the list takes {len(orjson.dumps(green_list(path, key, bias))) / 1000:.0f} kB")
            began = time.perf_counter()
            asked = (ask(engine, model, question, LENGTHS[-1] + 1, seed) for seed, question in enumerate(questions))
            return await asyncio.gather(*asked), key, time.perf_counter() - began
        finally:
            await engine.close()


def green_list(path: Path, key: bytes, bias: float) -> orjson.Fragment:
    green = GreenList.read(path, key, bias or 1)
    assert green is not None, "no token of this model begins a word"
    return green.logit_bias


async def ask(engine: LocalEngine, model: str, question: str, most: int, seed: int) -> list[str]:
    request = Request(model, (PromptMessage("user", question),), sampling=Sampling(max_tokens=most, seed=seed))
    deltas = [delta async for delta in engine.stream(replace(request, watermarks=True))]
    assert any(isinstance(delta, TokenUsage) for delta in deltas)
    return [delta.text for delta in deltas if isinstance(delta, Text)]


def false_alarms(files: list[Path]) -> None:
    keys = [bytes([number]) * 32 for number in range(KEYS)]
    rows: list[list[str]] = []
    for file in files:
        texts = [text for document in xquad(file) for text in document.text.split("\n\n")[1:]]
        scores = [z(text, key) for text in texts for key in keys]
        alarms = sum(detect_watermark(text, [key]) == "likely" for text in texts for key in keys)
        spread = shown(statistics.pstdev(scores))
        rows.append([file.name, f"{len(texts)}", spread, f"{max(scores):.1f}", f"{alarms} of {len(scores)}"])
    print()
    table(("human texts", "paragraphs", "spread of z", "highest", f"false alarms with {KEYS} keys"), rows)


if __name__ == "__main__":
    parser = options(__doc__ or "")
    parser.add_argument("--model", default=catalog.STARTER_MODEL, metavar="ID")
    parser.add_argument("--bias", default="0,2,3", metavar="N,…")
    parser.add_argument("--questions", type=int, default=len(QUESTIONS), metavar="N")
    parser.add_argument("--xquad", type=Path, nargs="*", default=[], metavar="FILE")
    given = parser.parse_args()
    strengths = [2.0] if given.quick else [float(each) for each in given.bias.split(",")]
    run(main(given.model, strengths, 1 if given.quick else given.questions, given.xquad))
