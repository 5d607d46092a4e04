"""Continue's `cn`; the second turn goes on with `--resume`."""

from probe import NEXT_QUESTION, probe

from cli import AGENT_QUESTION, is_later, put, run_page, shell

PAGE = "continue.md"


def say(model: str, rest: str) -> str:
    put(PAGE, "yaml", ".continue/config.yaml", model)
    return shell(f"cn --config ~/.continue/config.yaml --auto {rest}")


def chat(model: str) -> str:
    put(PAGE, "yaml", ".continue/config.yaml", model)
    return run_page(PAGE, model)


def tools(model: str) -> str:
    return say(model, f"-p '{AGENT_QUESTION}'")


def second_turn(model: str) -> str:
    return is_later(say(model, f"-p '{AGENT_QUESTION}'"), say(model, f"--resume -p '{NEXT_QUESTION}'"))


stream = "it prints whole answers; all its requests are streams"
schema = "it asks for none"

probe(globals())
