"""Claude Code, whose second turn goes on with `--continue`."""

import json
from typing import Any

from probe import NEXT_QUESTION, QUESTION, SCHEMA, SCHEMA_QUESTION, URL, probe

from cli import AGENT_QUESTION, is_later, run_page, shell

HEAD = f"export ANTHROPIC_BASE_URL={URL} ANTHROPIC_API_KEY=none CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1"


def say(model: str, question: str, more: str = "") -> str:
    return shell(f"{HEAD}\nclaude --model {model} --allowedTools Bash {more} -p '{question}'")


def chat(model: str) -> str:
    return run_page("claude-code.md", model)


def stream(model: str) -> list[str]:
    lines = say(model, QUESTION, "--output-format stream-json --verbose --include-partial-messages").splitlines()
    events = [json.loads(line).get("event") or {} for line in lines if line.startswith("{")]
    return [event["delta"]["text"] for event in events if "text" in event.get("delta", {})]


def tools(model: str) -> str:
    return say(model, AGENT_QUESTION)


def schema(model: str) -> Any:
    said = say(model, SCHEMA_QUESTION, f"--output-format json --json-schema '{json.dumps(SCHEMA)}'")
    return json.loads(said.splitlines()[-1]).get("structured_output")


def second_turn(model: str) -> str:
    return is_later(say(model, AGENT_QUESTION), say(model, NEXT_QUESTION, "--continue"))


probe(globals())
