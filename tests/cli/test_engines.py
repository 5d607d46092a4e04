"""`eclair engines` as a person and a script have it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

import orjson
import pytest

from tests.cli.test_cli import Eclair, Screen, sentence
from tests.llm.servers import Speaking
from tests.llm.standin import StandIn, standing_in
from tests.postgres import TestDatabases, databases

__all__ = ["databases"]

KEY = "sk-quite-secret"


S = TypeVar("S")


@pytest.fixture
def rack() -> Generator[Speaking]:
    """A server in a thread of its own, as the commands are processes of theirs."""
    with in_a_thread(Speaking) as rack:
        yield rack


@contextmanager
def in_a_thread(speak: Callable[[StandIn], S]) -> Generator[S]:
    """Serve a stand-in in a thread; yield the object that `speak` builds for it."""
    ready, end = threading.Event(), threading.Event()
    made: list[S] = []

    async def serve() -> None:
        async with standing_in() as standin:
            made.append(speak(standin))
            ready.set()
            await asyncio.to_thread(end.wait)

    with ExitStack() as stack:
        thread = threading.Thread(target=lambda: asyncio.run(serve()))
        thread.start()
        stack.callback(thread.join)
        stack.callback(end.set)
        ready.wait()
        yield made[0]


@pytest.fixture
def run(tmp_path: Path) -> Eclair:
    return Eclair(tmp_path)


def test_a_server_in_postgresql_is_found_by_commands(run: Eclair, rack: Speaking, databases: TestDatabases) -> None:
    with databases.lend() as url:
        added = run("engines", "add", "rack", rack.url, "--no-test", ECLAIR_DATABASE_URL=url)
        assert added.returncode == 0, added.stderr
        listed = run("models", ECLAIR_DATABASE_URL=url)
        assert "muse" in listed.stdout, listed.stderr
        assert "muse" not in run("models").stdout


def test_one_command_adds_a_server_and_sees_what_it_can_do(run: Eclair, rack: Speaking) -> None:
    rack.key = KEY
    added = run("engines", "add", "rack", rack.url, "--key-stdin", stdin=f"{KEY}\n")
    assert added.returncode == 0, added.stderr
    lines = added.stdout.splitlines()
    assert lines[0] == f"Added rack: {rack.url}, this machine."
    assert lines[1:] == [
        f"  ✓ {name}"
        for name in (
            *("answers", "streams", "counts tokens", "tools", "JSON schema", "sees images"),
            *("logprobs", "prompt cache", "tokenizer", "embeddings"),
        )
    ]
    table = run("engines").stdout.splitlines()
    assert table[1].split()[:3] == ["rack", "ready", rack.url]
    assert " set " in table[1]
    assert "muse" in table[1]
    (row,) = orjson.loads(run("engines", "--json").stdout)
    assert (row["name"], row["keyed"], row["answers"], row["problem"]) == ("rack", True, ["muse"], None)
    assert run("ask", "--model", "muse", "Hello?").stdout.strip() == "OK"
    assert "muse" in run("models").stdout
    assert f"{rack.url}; this machine" in run("doctor").stdout
    everything = "".join(run(*words).stdout for words in (["engines", "--json"], ["doctor"], ["config"], ["models"]))
    assert KEY not in everything
    assert run("engines", "remove", "rack").stdout == "Removed rack.\n"
    assert "eclair engines add" in run("engines").stdout


def test_the_api_of_a_server_is_stated_with_an_option(run: Eclair, rack: Speaking) -> None:
    assert run("engines", "add", "rack", rack.url, "--api", "anthropic", "--no-test").returncode == 0
    assert orjson.loads(run("engines", "--json").stdout)[0]["api"] == "anthropic"
    assert run("engines", "change", "rack", "--api", "openai").returncode == 0
    assert orjson.loads(run("engines", "--json").stdout)[0]["answers"] == ["muse"]
    assert run("engines", "change", "rack", "--api", "other").returncode == 2


def test_further_addresses_are_given_with_their_weights(run: Eclair, rack: Speaking) -> None:
    further = ("--endpoint", "http://127.0.0.1:9/v1", "--endpoint", "http://127.0.0.1:10/v1/ 2.5")
    added = run("engines", "add", "rack", rack.url, *further, "--no-test")
    assert added.stdout == f"Added rack: {rack.url} and 2 more, this machine.\n"
    expected = [{"url": "http://127.0.0.1:9/v1", "weight": 1.0}, {"url": "http://127.0.0.1:10/v1", "weight": 2.5}]
    assert orjson.loads(run("engines", "--json").stdout)[0]["endpoints"] == expected
    wrong = run("engines", "change", "rack", "--endpoint", "http://127.0.0.1:9/v1 twice")
    assert (wrong.returncode, "with a number as its weight" in sentence(wrong.stderr)) == (2, True)
    assert run("engines", "change", "rack", "--endpoint", "").returncode == 0
    assert orjson.loads(run("engines", "--json").stdout)[0]["endpoints"] == []


def test_a_key_is_asked_for_without_being_shown(tmp_path: Path, rack: Speaking) -> None:
    rack.key = KEY
    screen = Screen(tmp_path, "engines", "add", "rack", rack.url, "--key", "--no-test")
    screen.until("Key (it is not shown")
    screen.type(f"{KEY}\r")
    screen.until("Added rack")
    screen.end()
    assert KEY not in screen.raw
    assert Eclair(tmp_path)("engines", "test", "rack").returncode == 0


def test_what_is_wrong_is_one_sentence(run: Eclair, rack: Speaking) -> None:
    for arguments, code, words in (
        (["add", "a b", rack.url], 2, "A server's name"),
        (["add", "rack", "nowhere"], 2, "not an address"),
        (["add", "rack", rack.url, "--context", "x"], 2, "not a whole number"),
        (["add", "rack", rack.url, "--key"], 2, "--key-stdin"),
        (["test", "none"], 2, "There is no server 'none'"),
        (["remove", "none"], 2, "No engine 'none' was added"),
        (["change", "none", "--country", "FR"], 2, "There is no server 'none'"),
        (["change", "none"], 2, "There is nothing to change"),
        (["add", "rack", rack.url, "--key-stdin"], 2, "not UTF-8 text"),
    ):
        done = run("engines", *arguments, stdin=b"\xff\xfe")
        assert done.returncode == code, done.stderr
        assert words in sentence(done.stderr)


def test_a_server_that_is_down_is_added_with_a_warning(run: Eclair, rack: Speaking) -> None:
    added = run("engines", "add", "rack", rack.standin.url)
    assert added.returncode == 0
    assert f"there is at {rack.url}; use that." in added.stdout
    assert "added anyway" in added.stderr
    assert run("engines", "test", "rack").returncode == 4
    changed = run("engines", "change", "rack", "--url", rack.url, "--model", "extra", "--country", "fr")
    assert changed.stdout == f"Changed rack: {rack.url}, this machine, key not set.\n"
    tested = run("engines", "test", "rack")
    assert (tested.returncode, tested.stderr) == (
        0,
        "It does not have the model extra: The model extra does not exist.\n",
    )
    rack.has.append("extra")
    assert run("engines", "test", "rack").stderr == ""


def test_where_a_server_belongs_is_said(run: Eclair) -> None:
    added = run("engines", "add", "lan", "http://10.255.255.1/v1", "--no-test")
    assert added.stdout == "Added lan: http://10.255.255.1/v1, this network.\n"
    assert added.stderr == "What is asked travels unencrypted; use https.\n"
    run("engines", "add", "far", "https://api.mistral.ai/v1/chat/completions", "--no-test")
    run("engines", "add", "owned", "https://ai.example.org/v1", "--no-test", "--country", "de")
    report = orjson.loads(run("doctor", "--json").stdout)
    details = {check["name"]: (check["state"], check["detail"]) for check in report["checks"]}
    assert details["Engine lan"] == ("note", "http://10.255.255.1/v1; this network; questions travel unencrypted.")
    assert details["Engine far"] == ("ok", "https://api.mistral.ai/v1; FR (Mistral)")
    assert details["Engine owned"] == ("ok", "https://ai.example.org/v1; DE (as stated)")
    leaving = {one["engine"]: (one["hosts"], one["country"]) for one in report["leaving"] if one["engine"]}
    assert leaving == {
        "lan": (["10.255.255.1"], None),
        "far": (["api.mistral.ai"], "FR"),
        "owned": (["ai.example.org"], "DE"),
    }
    assert "to api.mistral.ai (FR)." in run("doctor").stdout
