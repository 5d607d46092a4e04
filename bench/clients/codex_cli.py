"""Codex CLI over responses; the second turn resumes the last session."""

import json
from pathlib import Path
from typing import Any

from probe import NEXT_QUESTION, SCHEMA, SCHEMA_QUESTION, probe

from cli import AGENT_QUESTION, is_later, put, run_page, shell

PAGE = "codex.md"
RUN = "codex exec --skip-git-repo-check --dangerously-bypass-approvals-and-sandbox"


def say(model: str, rest: str) -> str:
    put(PAGE, "toml", ".codex/config.toml", model)
    return shell(f"{RUN} {rest}")


def chat(model: str) -> str:
    put(PAGE, "toml", ".codex/config.toml", model)
    return run_page(PAGE, model)


def tools(model: str) -> str:
    return say(model, f"'{AGENT_QUESTION}'")


def schema(model: str) -> Any:
    Path("city.json").write_text(json.dumps(SCHEMA))
    return json.loads(say(model, f"--output-schema city.json '{SCHEMA_QUESTION}'").splitlines()[-1])


def second_turn(model: str) -> str:
    return is_later(say(model, f"'{AGENT_QUESTION}'"), say(model, f"resume --last '{NEXT_QUESTION}'"))


stream = "it prints whole answers; all its requests are streams"

probe(globals())
