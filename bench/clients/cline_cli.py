"""Cline's command line; the second turn is typed into the session that it reopens."""

import json

from probe import NEXT_QUESTION, V1, probe

from cli import AGENT_QUESTION, is_later, run_page, shell, type_in_terminal


def say(model: str, question: str) -> str:
    shell(f"cline auth -p openai-compatible -k none -m {model} -b {V1}")
    return shell(f"cline '{question}'")


def chat(model: str) -> str:
    return run_page("cline.md", model)


def tools(model: str) -> str:
    return say(model, AGENT_QUESTION)


def second_turn(model: str) -> str:
    first = say(model, AGENT_QUESTION)
    session = json.loads(shell("cline history --json --limit 1"))[0]["sessionId"]
    command = ["cline", "--id", session]
    return is_later(first, type_in_terminal(command, "Turn1", NEXT_QUESTION, "ThecapitalofFranceisParis"))


stream = "it prints whole answers; all its requests are streams"
schema = "it asks for none"

probe(globals())
