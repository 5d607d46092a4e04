"""Cline's command line; the second turn resumes the last session by its id."""

import json

from probe import NEXT_QUESTION, V1, probe

from cli import AGENT_QUESTION, is_later, run_page, shell


def say(model: str, question: str, more: str = "") -> str:
    shell(f"cline auth -p openai-compatible -k none -m {model} -b {V1}")
    return shell(f"echo '{question}' | cline {more}")


def chat(model: str) -> str:
    return run_page("cline.md", model)


def tools(model: str) -> str:
    return say(model, AGENT_QUESTION)


def second_turn(model: str) -> str:
    first = say(model, AGENT_QUESTION)
    session = json.loads(shell("cline history --json --limit 1"))[0]["sessionId"]
    return is_later(first, say(model, NEXT_QUESTION, f"--id {session}"))


stream = "it prints whole answers; all its requests are streams"
schema = "it asks for none"

probe(globals())
