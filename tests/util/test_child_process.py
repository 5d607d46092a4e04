"""Processes of ours are spoken to, keep their log, and end when they should."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import pytest

from eclair.util import child_process
from eclair.util.child_process import ChildProcess, RollingLog
from eclair.util.frames import Codec, FrameError

SOURCE = """
import os, signal, sys, time
from eclair.util.parent_connection import ParentConnection
from tests.util.test_child_process import WORDS, Word
parent = ParentConnection(WORDS, WORDS)
while (word := parent.read()) is not None:
    match word.text:
        case "die":
            print("I was told to")
            sys.stdout.flush()
            os._exit(3)
        case "deaf":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            parent.send(word)
            time.sleep(60)
        case "garbage":
            os.write(parent._out.fileno(), b"no frame at all")
        case "watch":
            parent.die_with_parent()
            parent.send(word)
            time.sleep(60)
        case _:
            parent.send(word)
"""


@dataclass(frozen=True, slots=True)
class Word:
    text: str
    data: bytes = b""


WORDS = Codec(Word)


@pytest.fixture
async def process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[ChildProcess[Word, Word]]:
    monkeypatch.setattr(child_process, "STOP_TIMEOUT_S", 0.5)
    monkeypatch.chdir(Path(__file__).parents[2])
    started = await ChildProcess[Word, Word].start(
        (sys.executable, "-c", SOURCE), WORDS, WORDS, log_file=tmp_path / "logs" / "process.log"
    )
    yield started
    await started.stop()
    assert started.pid is None


async def test_it_answers_and_ends_with_its_input(process: ChildProcess[Word, Word]) -> None:
    for word in (Word("hello"), Word("Käse", bytes(300_000))):
        await process.send(word)
        assert await process.receive() == word
    await asyncio.gather(process.stop(), process.stop())
    assert process.exit_status == 0


async def test_one_that_died_says_why(process: ChildProcess[Word, Word], tmp_path: Path) -> None:
    await process.send(Word("die"))
    with pytest.raises(EOFError):
        await process.receive()
    assert await process.wait() == 3
    assert process.last_words() == "exit status 3; its log ends with: I was told to"
    assert (tmp_path / "logs" / "process.log").read_text() == "I was told to\n"


async def test_one_that_will_not_end_is_killed(process: ChildProcess[Word, Word]) -> None:
    await process.send(Word("deaf"))
    assert await process.receive() == Word("deaf")
    await process.stop()
    assert process.last_words() == "signal 9"


async def test_one_at_work_ends_with_its_parent(process: ChildProcess[Word, Word]) -> None:
    await process.send(Word("watch"))
    assert await process.receive() == Word("watch")
    await process.stop()
    assert process.exit_status == 0


async def test_what_nobody_waited_for_is_the_next_result(process: ChildProcess[Word, Word]) -> None:
    waiting = asyncio.create_task(process.receive())
    await asyncio.sleep(0.1)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    await process.send(Word("first"))
    assert await process.receive() == Word("first")


async def test_who_waits_hears_of_the_end(process: ChildProcess[Word, Word]) -> None:
    waiting = asyncio.create_task(process.receive())
    await asyncio.sleep(0.1)
    await process.stop()
    with pytest.raises(EOFError):
        await waiting


async def test_what_is_no_frame_is_said_so(process: ChildProcess[Word, Word]) -> None:
    await process.send(Word("garbage"))
    with pytest.raises(FrameError):
        await process.receive()


def test_a_log_file_begins_anew_when_it_is_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_process, "MAX_LOG_FILE_BYTES", 10)
    log = RollingLog(tmp_path / "logs" / "some.log")
    for chunk in (b"twelve bytes", b"more", b"still more"):
        log.write(chunk)
    log.close()
    assert (tmp_path / "logs" / "some.log").read_bytes() == b"morestill more"
    assert (tmp_path / "logs" / "some.log.1").read_bytes() == b"twelve bytes"
