"""A hostile reader gets out of its sandbox in no way, and each wall refuses what it promises to."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import socket
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.sandbox import descriptors
from eclair.sandbox.descriptors import open_input
from eclair.sandbox.pool import SandboxPool
from eclair.sandbox.protocol import ProcessLimits, SandboxError, SandboxProtocol
from eclair.sandbox.worker import serve
from eclair.util.frames import Codec
from tests import hostile
from tests.hostile import Targets

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture
def targets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Targets]:
    monkeypatch.chdir(tmp_path)  # a socket's path may be no longer than 100 letters
    with hostile.outside(tmp_path) as found:
        yield found


def named(walls: set[str], wall: str) -> set[str]:
    return {name for name in walls if name.split()[0] == wall}


async def test_a_hostile_reader_gets_out_in_no_way(targets: Targets) -> None:
    present = hostile.present_walls()
    sandboxes = SandboxPool(hostile.PROTOCOL, scratch=True)
    async with sandboxes.worker() as worker:
        attempts = [attempt async for attempt in worker.ask(targets)]
    await sandboxes.close()
    assert len(attempts) > 40
    assert [each for each in attempts if not each.is_refused and present & set(each.walls)] == []
    assert await asyncio.to_thread(Path(targets.secret).read_bytes) == hostile.SECRET
    assert sorted(os.listdir(targets.folder)) == ["secret", "socket", "victim"]


@pytest.mark.parametrize("wall", hostile.WALLS)
def test_each_wall_refuses_alone_what_it_promises(targets: Targets, wall: str) -> None:
    raised = named(hostile.present_walls(), wall)
    attempts = hostile.attempts_behind(targets, [wall] if raised else [])
    assert [each for each in attempts if not each.is_refused and raised & set(each.walls)] == []
    assert [each for each in attempts if each.outcome == "got out"], "without the other walls, some get out"


def test_without_walls_nearly_all_get_out(targets: Targets) -> None:
    attempts = hostile.attempts_behind(targets, [])
    assert len([each for each in attempts if not each.is_refused]) > 30


async def test_a_reader_opens_the_file_of_its_request_and_no_other(tmp_path: Path) -> None:
    given, other = tmp_path / "given", tmp_path / "other"
    given.write_bytes(b"given " * 100_000)
    other.write_bytes(hostile.SECRET)
    sandboxes = SandboxPool(PROTOCOL, linger=True)
    async with sandboxes.worker() as worker:
        for _ in range(3):
            assert [result async for result in worker.ask(ReadPath(str(given), str(given)))] == [
                Content(given.read_bytes())
            ]
            if "landlock" in hostile.present_walls():
                with pytest.raises(SandboxError, match="crash"):
                    assert [result async for result in worker.ask(ReadPath(str(other), str(given)))]
    await sandboxes.close()


async def test_the_file_of_a_request_is_closed_when_that_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "given"
    path.write_bytes(bytes(1_000_000))
    sandboxes = SandboxPool(PROTOCOL, linger=True)
    async with sandboxes.worker() as worker:
        asked = worker.ask(ReadPath(str(path), str(path), times=2))
        assert await anext(asked) == Content(path.read_bytes())
        (process,) = (each for host in psutil.Process().children() for each in host.children())
        assert [file.path for file in process.open_files()] == [str(path)], "more is sent than fits into the line"
        assert len([each async for each in asked]) == 1
        assert process.open_files() == []
    await sandboxes.close()


@dataclasses.dataclass(frozen=True)
class ReadPath:
    path: str
    handed: str
    times: int = 1


@dataclasses.dataclass(frozen=True)
class Content:
    data: bytes


PROTOCOL = SandboxProtocol(__name__, Codec(ReadPath), (Content,), input_paths=lambda request: (request.handed,))


def main() -> None:
    serve(PROTOCOL, read_path, lambda _: ProcessLimits(1 << 30, 20))


def read_path(request: ReadPath) -> Iterator[Content]:
    with ThreadPoolExecutor(4) as threads:  # which libraries start behind the walls
        assert sum(threads.map(len, ["a", "bb"])) == 3
    with open_input(Path(request.path)) as file:
        data = file.read()
        yield from (Content(data) for _ in range(request.times))


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.integers(-1, 40)),
        st.tuples(st.just("seek"), st.integers(0, 60)),
        st.tuples(st.just("end"), st.integers(-5, 5)),
        st.tuples(st.just("line"), st.just(0)),
    )
)


@given(data=st.binary(max_size=50), steps=STEPS)
def test_a_file_that_was_handed_over_reads_like_any(data: bytes, steps: list[tuple[str, int]]) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        path = Path(file.name)
        ours, theirs = socket.socketpair(type=socket.SOCK_DGRAM)
        with ours, theirs, contextlib.ExitStack() as stack:
            descriptors.connect_files(theirs)
            stack.callback(descriptors.disconnect_files)
            descriptors.hand_over(ours, [str(path)])
            descriptors.receive_files()
            opened = [stack.enter_context(open_input(path)), stack.enter_context(open_input(path))]
            plain = [stack.enter_context(path.open("rb")) for _ in opened]
            for number, (step, value) in enumerate(steps):
                results = [apply(each[number % 2], step, value) for each in (opened, plain)]
                assert results[0] == results[1]
            if data:
                assert bytes(descriptors.map_input(path)) == data


def apply(file: BinaryIO, step: str, value: int) -> bytes | int:
    match step:
        case "read":
            return file.read(value)
        case "seek":
            return file.seek(value)
        case "end":
            return file.seek(value, os.SEEK_END) if value >= 0 else file.tell()
        case _:
            return file.readline()


def test_a_path_that_cannot_be_opened_is_left_to_the_reader(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair(type=socket.SOCK_DGRAM)
    with ours, theirs:
        descriptors.hand_over(ours, [str(tmp_path / "nowhere"), str(tmp_path)])
        theirs.setblocking(False)
        with pytest.raises(BlockingIOError):
            theirs.recv(100)
