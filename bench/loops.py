"""How often the embedded model says the same again and again, with what the catalog recommends and without it.

The same everyday questions, each with two seeds, through `/v1`: as a person asks them, and with the temperature given,
by which the penalty for what repeats is left out. A loop is four or more repetitions of the same characters in a row.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from pathlib import Path
from typing import Any

from client import call
from harness import Goals, eclair, link_models, options, run, shown, table

from eclair.models import catalog

QUESTIONS = (
    "Write a short poem about the sea.",
    "Explain in simple words why the sky is blue.",
    "Write a short, friendly note to thank a colleague for their help.",
    "Give me five ideas for a rainy Sunday afternoon.",
    "What is a cooperative?",
    "Tell me a story about a fox.",
    "How do I bake bread?",
    "List the planets.",
    "Write an email to my landlord about the heating.",
    "What should I see in Paris?",
    "Hello!",
    "Why do leaves turn red in autumn?",
    "Write a Python function that adds two numbers.",
    "Summarize the French Revolution.",
    "What is the difference between a virus and a bacterium?",
    "Give me a recipe for soup.",
)
LONGEST = 400
"""Tokens of an answer."""
LOOP = re.compile(r"(.{4,200}?)\1{4,}", re.DOTALL)
LEAST = 80
"""Characters of a loop."""


async def main(questions: int) -> None:
    entry = catalog.starter_entry()
    ways: dict[str, Any] = {
        "as recommended": {},
        "without the penalty": {"temperature": entry.temperature, "top_p": entry.top_p},
    }
    shares: dict[str, float] = {}
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory(prefix="eclair-bench-") as folder:
        link_models(Path(folder))
        async with eclair(Path(folder), ECLAIR_EMBEDDED="true") as server:
            for name, way in ways.items():
                asked = [(text, seed) for text in QUESTIONS[:questions] for seed in (1, 2)]
                replies = await asyncio.gather(*(_asked(server.port, text, seed=seed, **way) for text, seed in asked))
                loops = sum(looped(text) for text, _ in replies)
                endless = sum(reason == "length" for _, reason in replies)
                words = sum(len(text.split()) for text, _ in replies) / len(replies)
                shares[name] = loops / len(replies)
                rows.append([name, f"{loops} of {len(replies)}", f"{endless}", shown(words)])
    table(("answers", "that loop", f"without an end after {LONGEST} tokens", "words"), rows)
    goals = Goals()
    goals.at_most("answers that loop, as recommended", shares["as recommended"], 0.05)
    goals.print()


def looped(text: str) -> bool:
    found = LOOP.search(text)
    return found is not None and len(found[0]) > LEAST


async def _asked(port: int, question: str, **more: Any) -> tuple[str, str]:
    messages = [{"role": "user", "content": question}]
    body = {"model": catalog.STARTER_MODEL, "messages": messages, "max_tokens": LONGEST, **more}
    reply = await call(port, "POST", "/v1/chat/completions", body)
    choice = reply["choices"][0]
    return choice["message"]["content"], choice["finish_reason"]


if __name__ == "__main__":
    quick = options(__doc__ or "").parse_args().quick
    run(main(3 if quick else len(QUESTIONS)))
