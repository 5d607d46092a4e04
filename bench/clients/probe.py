"""Helpers for Python programs: the questions, one tool, and the report of what was seen.

A file has a function for each cell, which takes the model's name: `chat` returns the answer, `stream` its pieces,
`tools` the answers after a tool was called, `schema` an object, `second_turn` the answer to a second question after
the program's own history was sent back, `embed` a vector. A cell that is a text says why the program has none.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import io
import json
import os
import re
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PAGES = Path(__file__).parents[2] / "docs" / "clients"
ADDRESS = "http://127.0.0.1:8642"
URL = os.environ.get("ECLAIR_URL", ADDRESS)
V1 = f"{URL}/v1"
QUESTION = "What is the capital of France?"
TOOL_QUESTION = "Use a tool: how warm is it in Paris?"
NEXT_QUESTION = "And what is the capital of France?"
SCHEMA_QUESTION = "Describe Paris."
CELLS = ("chat", "stream", "tools", "schema", "second_turn", "embed")
MODELS = ("plain", "thinking")
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "population": {"type": "integer"}},
    "required": ["city", "population"],
    "additionalProperties": False,
}
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FUNCTION = {"name": "get_weather", "description": "Tell how warm it is.", "parameters": PARAMETERS}


def get_weather(city: str) -> str:
    """Tell how warm it is in a city.

    Args:
        city: The city's name.
    """
    return f"21 degrees in {city}"


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", (PAGES / page).read_text("utf-8"), re.MULTILINE | re.DOTALL)


def block(page: str, language: str, model: str, number: int = 0) -> str:
    """A page's code block, for the server under test and one of its models."""
    return re.sub(r"\bauto\b", model, blocks(page, language)[number].replace(ADDRESS, URL))


def run_page(page: str, model: str, number: int = 0) -> str:
    """Run a page's Python block and return its output."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(block(page, "python", model, number), page, "exec"), {"__name__": "__main__"})
    return printed.getvalue()


def wrong(cell: str, result: Any) -> str | None:
    """The fault in what a program got."""
    match cell:
        case "chat":
            good = "Paris" in str(result)
        case "stream":
            good = len(result) > 2 and "capital of France is Paris" in "".join(result)
        case "tools":
            results = result if isinstance(result, list) else [result]
            good = all(re.search(r"\b21\b", str(one)) for one in results) and results != []
        case "schema":
            result = result.model_dump() if hasattr(result, "model_dump") else result
            good = result == {"city": "Paris", "population": 2100000}
        case "second_turn":
            good = "Turn 2" in str(result)
        case _:
            good = len(result) in (8, 384)
    return None if good else f"got {str(result)[:120]!r}"


def outcome(cell: str, program: Any) -> str:
    """`ok`, the first fault, or the reason why the program has no such thing."""
    if program is None:
        return "–"
    if isinstance(program, str):
        return f"– {program}"
    for model in ("vectors",) if cell == "embed" else MODELS:
        try:
            result = program(model)
            fault = wrong(cell, asyncio.run(result) if inspect.iscoroutine(result) else result)
        except Exception as error:
            traceback.print_exc()
            fault = f"{type(error).__name__}: {' '.join(str(error).split())}"
        if fault is not None:
            return f"{model}: {fault}"[:300]
    return "ok"


def probe(program: Mapping[str, Any]) -> None:
    """Try each cell and print the outcomes as the last line."""
    only = os.environ.get("CELLS", ",".join(CELLS)).split(",")
    print("\n" + json.dumps({cell: outcome(cell, program.get(cell)) for cell in CELLS if cell in only}), flush=True)
    sys.stdout.flush()
    os._exit(0)
