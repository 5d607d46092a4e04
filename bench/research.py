"""The cost of sub-agents beside one loop that makes the same calls.

Three questions need two calls each of a tool that takes no time and returns 800 words, and every answer of the
scripted model takes half a second. A report has a sub-agent for each question; one answer makes all six calls in turn.
"""

from __future__ import annotations

import sys
import time
from typing import Any
from urllib.parse import quote

import aiohttp
from harness import ROOT, Goals, eclair, median, options, run, table

sys.path.append(str(ROOT))

from tests.support import Door

QUESTIONS, CALLS, PAUSE_S = 3, 2, 0.5
REPEATS = 3


def script(texts: list[str]) -> str:
    """Have the scripted model call for each text in turn, then answer."""
    calls = [f'script: pause={PAUSE_S} tool=scripted_read{{"text":"{text}\\u0020","repeat":800}}' for text in texts]
    return "\n".join([*calls, f"script: pause={PAUSE_S} say=nothing found."])


async def measure(door: Door, text: str, **more: Any) -> tuple[float, int]:
    """Return the seconds and the tokens of an answer."""
    began = time.perf_counter()
    message = await door.say(await door.begin(), text, model="scripted", **more)
    took = time.perf_counter() - began
    assert message["status"] == "finished", message
    assert len(message["calls"]) == QUESTIONS * CALLS, message["calls"]
    usage = message["usage"]
    return took, usage["prompt_tokens"] + usage["completion_tokens"]


async def main() -> None:
    options(__doc__ or "").parse_args()
    words = [[f"{question}{call}" for call in range(CALLS)] for question in range(QUESTIONS)]
    agents: list[tuple[float, int]] = []
    loops: list[tuple[float, int]] = []
    async with eclair(scripted=True, ECLAIR_EMBEDDED="false") as server, aiohttp.ClientSession() as http:
        door = Door(server.url, http)
        headers = {"Content-Type": "application/octet-stream"}
        reply = await door.post(f"/api/files?name={quote('notes.txt')}", data=b"Nothing of it.", headers=headers)
        files = [str(reply.body["id"])]
        for _ in range(REPEATS):
            loops.append(await measure(door, script([text for each in words for text in each])))
            plan = [script(each) for each in words]
            agents.append(await measure(door, "All of it", research=plan, files=files, web="off"))
    found = {"sub-agents": agents, "one loop": loops}
    medians = {name: [median([each[at] for each in taken]) for at in (0, 1)] for name, taken in found.items()}
    table(
        ("", "seconds", "tokens"), [(name, f"{took:.2f}", f"{tokens:,.0f}") for name, (took, tokens) in medians.items()]
    )
    goals = Goals()
    took, tokens = (medians["sub-agents"][at] / medians["one loop"][at] for at in (0, 1))
    goals.at_most("time of sub-agents, of one loop's", took, 0.75)
    goals.at_most("their tokens, of one loop's", tokens, 1.0)
    goals.print()


if __name__ == "__main__":
    run(main())
