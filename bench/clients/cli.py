"""Helpers for command-line agents: run a page's blocks in a shell, in the home that the bench made."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import time
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
    """Run a script and return its output. Raises RuntimeError with its last lines if it fails."""
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL
    )
    print(done.stdout, done.stderr)
    said, errors = (NOTICES.sub("", text).strip() for text in (done.stdout, done.stderr))
    if done.returncode != 0:
        raise RuntimeError(" ".join((errors or said).splitlines()[-2:]))
    return said or errors


def type_in_terminal(command: list[str], ready: str, typed: str, until: str) -> str:
    """Type a line at a full-screen program's prompt; return everything that it showed, without spaces."""
    process, terminal = pty.fork()
    if process == 0:
        os.execvp(command[0], command)
    shown, end, is_typed = "", time.monotonic() + TIMEOUT_S, False
    while time.monotonic() < end and until not in shown:
        if is_typed or ready not in shown:
            if select.select([terminal], [], [], 0.5)[0]:
                shown += re.sub(r"\s", "", NOTICES.sub("", os.read(terminal, 65536).decode("utf-8", "replace")))
            continue
        time.sleep(1)
        for key in (typed, "\r"):
            os.write(terminal, key.encode())
            time.sleep(0.5)
        is_typed = True
    os.kill(process, signal.SIGKILL)
    print(shown[-2000:])
    return shown


def run_page(page: str, model: str) -> str:
    """Run a page's shell block and return its output."""
    return shell(block(page, "sh", model))


def is_later(first: str, second: str) -> str:
    """`Turn 2` if the second answer counted one more answer in its history than the first."""
    turns = [int(found[-1]) for said in (first, second) if (found := re.findall(r"Turn\s*(\d+)", said))]
    return "Turn 2" if len(turns) == 2 and turns[1] > turns[0] else f"{first[-60:]} / {second[-60:]}"
