"""Qwen Code; the second turn goes on with `--continue`."""

import json
from typing import Any

from probe import NEXT_QUESTION, QUESTION, SCHEMA, SCHEMA_QUESTION, V1, probe

from cli import AGENT_QUESTION, is_later, run_page, shell


def say(model: str, question: str, more: str = "") -> str:
    head = f"export OPENAI_BASE_URL={V1} OPENAI_API_KEY=none OPENAI_MODEL={model}"
    return shell(f"{head}\nqwen --auth-type openai --yolo {more} -p '{question}'")


def chat(model: str) -> str:
    return run_page("qwen-code.md", model)


def stream(model: str) -> list[str]:
    lines = say(model, QUESTION, "-o stream-json --include-partial-messages").splitlines()
    events = [json.loads(line).get("event") or {} for line in lines if line.startswith("{")]
    return [event["delta"]["text"] for event in events if "text" in event.get("delta", {})]


def tools(model: str) -> str:
    return say(model, AGENT_QUESTION)


def schema(model: str) -> Any:
    return json.loads(say(model, SCHEMA_QUESTION, f"--json-schema '{json.dumps(SCHEMA)}'").splitlines()[-1])


def second_turn(model: str) -> str:
    return is_later(say(model, AGENT_QUESTION), say(model, NEXT_QUESTION, "--continue"))


probe(globals())
