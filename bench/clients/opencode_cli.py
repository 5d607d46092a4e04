"""opencode with a provider of its own; the second turn goes on with `--continue`."""

from probe import NEXT_QUESTION, probe

from cli import AGENT_QUESTION, is_later, put, run_page, shell

PAGE = "opencode.md"


def say(model: str, rest: str) -> str:
    put(PAGE, "json", "work/opencode.json", model)
    return shell(f"opencode run --auto -m eclair/{model} {rest}")


def chat(model: str) -> str:
    put(PAGE, "json", "work/opencode.json", model)
    return run_page(PAGE, model)


def tools(model: str) -> str:
    return say(model, f"'{AGENT_QUESTION}'")


def second_turn(model: str) -> str:
    return is_later(say(model, f"'{AGENT_QUESTION}'"), say(model, f"--continue '{NEXT_QUESTION}'"))


stream = "it prints whole answers; all its requests are streams"
schema = "it asks for none"

probe(globals())
