"""What the files of command-line agents share: a page's blocks run in a shell, in the home that the bench made."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from probe import block

HOME = Path(os.environ["HOME"])
AGENT_QUESTION = "Use a tool: run a command"
NOTICES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
TIMEOUT_S = 150


def put(page: str, language: str, path: str, model: str) -> None:
    """Write a page's block where its program reads it."""
    target = HOME / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(block(page, language, model), "utf-8")


def shell(script: str) -> str:
    """What a script prints; its last lines are the fault where it fails."""
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL
    )
    print(done.stdout, done.stderr)
    said, errors = (NOTICES.sub("", text).strip() for text in (done.stdout, done.stderr))
    if done.returncode != 0:
        raise RuntimeError(" ".join((errors or said).splitlines()[-2:]))
    return said or errors


def run_page(page: str, model: str) -> str:
    """What a page's shell block prints."""
    return shell(block(page, "sh", model))


def is_later(first: str, second: str) -> str:
    """`Turn 2` if the second answer counted one more answer in its history than the first."""
    turns = [int(found[-1]) for said in (first, second) if (found := re.findall(r"Turn (\d+)", said))]
    return "Turn 2" if len(turns) == 2 and turns[1] > turns[0] else f"{first[-60:]} / {second[-60:]}"
