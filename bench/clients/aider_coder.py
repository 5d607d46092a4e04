"""aider, as a command and from Python, where its coder keeps the history."""

import os
import subprocess
from typing import Any

from probe import NEXT_QUESTION, QUESTION, V1, probe

from cli import is_later, run_page

os.environ.update(OPENAI_API_BASE=V1, OPENAI_API_KEY="none", AIDER_ANALYTICS="false")


def chat(model: str) -> str:
    return run_page("aider.md", model)


def stream(model: str) -> list[str]:
    asked = ["aider", "--no-git", "--no-pretty", "--no-check-update", "--no-show-model-warnings", "--yes-always"]
    command = [*asked, "--model", f"openai/{model}", "--message", QUESTION]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    assert process.stdout is not None
    pieces: list[str] = []
    while piece := os.read(process.stdout.fileno(), 4096):
        pieces.append(piece.decode())
    return pieces


def second_turn(model: str) -> str:
    from aider.coders import Coder
    from aider.io import InputOutput
    from aider.models import Model

    quiet: Any = InputOutput(yes=True, pretty=False, fancy_input=False)
    coder = Coder.create(main_model=Model(f"openai/{model}"), io=quiet, use_git=False, auto_lint=False)
    return is_later(coder.run(with_message=QUESTION), coder.run(with_message=NEXT_QUESTION))


tools = "it edits files by its answers' text"
schema = "it asks for none"

probe(globals())
