"""`eclair key`: keys made, listed, used and revoked."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import aiohttp
import orjson
import pytest

from tests.cli.test_cli import Eclair, sentence
from tests.support import Process


@pytest.fixture
def run(tmp_path: Path) -> Eclair:
    return Eclair(tmp_path)


async def test_a_key_is_shown_once_and_lets_in(run: Eclair, tmp_path: Path, http: aiohttp.ClientSession) -> None:
    made = run("key", "new", "laptop")
    key = made.stdout.strip()
    assert made.returncode == 0
    assert key.startswith("eclair_")
    assert len(key) >= len("eclair_") + 43, "256 bits"
    assert "only now" in made.stderr
    server = await Process.start(tmp_path, http, ECLAIR_API_KEY="another-key-of-24-letters")
    try:
        assert (await server.get("/api/conversations", {"Authorization": f"Bearer {key}"})).status == 200
        assert (await server.get("/api/conversations")).status == 401
    finally:
        await server.close()
    (listed,) = orjson.loads(run("key", "list", "--json").stdout)
    today = date.today().isoformat()
    assert (listed["name"], listed["used"], listed["scope"], listed["expires"]) == ("laptop", today, "all", None)
    assert run("key").stdout.splitlines()[1].split() == ["laptop", "all", "anywhere", today, today, "never"]
    assert key not in run("key", "--json").stdout
    assert find_in_files(tmp_path, key) == []


def find_in_files(folder: Path, text: str) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


async def test_a_key_is_limited(run: Eclair, tmp_path: Path, http: aiohttp.ClientSession) -> None:
    key = run(
        "key", "new", "tool", "--for", "v1", "--from", "127.0.0.0/8", "--from", "::1", "--days", "30"
    ).stdout.strip()
    away = run("key", "new", "away", "--from", "192.0.2.0/24").stdout.strip()
    (listed, _) = orjson.loads(run("key", "list", "--json").stdout)
    assert (listed["scope"], listed["networks"]) == ("v1", ["127.0.0.0/8", "::1/128"])
    assert listed["expires"] == listed["created"] + 30 * 86_400_000
    server = await Process.start(tmp_path, http, ECLAIR_API_KEY="another-key-of-24-letters")
    try:
        assert (await server.get("/v1/models", {"Authorization": f"Bearer {key}"})).status == 200
        for given, path, words in (
            (key, "/api/conversations", "for programs under /v1"),
            (away, "/v1/models", "127.0.0.1"),
        ):
            reply = await server.get(path, {"Authorization": f"Bearer {given}"})
            assert reply.status == 403
            assert words in reply.error["message"]
    finally:
        await server.close()


def test_keys_are_revoked_by_name(run: Eclair) -> None:
    assert run("key").stdout == "There are no keys; `eclair key new NAME` makes one.\n"
    first, second = run("key", "new", "a b").stdout, run("key", "new", "phone").stdout
    assert first != second
    assert run("key", "list").stdout.split().count("never") == 4
    assert run("key", "revoke", "a b").stdout.startswith("Revoked a b;")
    assert "a b" not in run("key").stdout


def test_what_is_wrong_is_one_sentence(run: Eclair) -> None:
    run("key", "new", "laptop")
    for arguments, words in (
        (["new", "laptop"], "There is a key 'laptop' already"),
        (["new", "a\nb"], "A key's name"),
        (["new", ""], "A key's name"),
        (["new", "x" * 61], "A key's name"),
        (["new"], "NAME"),
        (["revoke", "none"], "There is no key 'none'"),
    ):
        done = run("key", *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert words in sentence(done.stderr)


def test_the_doctor_says_who_needs_a_key(run: Eclair) -> None:
    def key(**env: str) -> tuple[str, str]:
        report = orjson.loads(run("doctor", "--json", **env).stdout)
        (check,) = [check for check in report["checks"] if check["name"] == "Key"]
        return check["state"], check["detail"]

    exposed = {"ECLAIR_ALLOWED_HOSTS": "ai.example.org"}
    assert key() == ("ok", "none is needed by this account; other accounts of this machine need one")
    assert key(ECLAIR_LOOPBACK_ACCOUNTS="all") == ("ok", "none is needed by any account of this machine")
    assert key(**exposed)[0] == "broken"
    assert "fewer than 24 characters" in key(**exposed, ECLAIR_API_KEY="short")[1]
    assert key(**exposed, ECLAIR_API_KEY="k" * 24)[0] == "ok"
    run("key", "new", "phone")
    assert key(**exposed) == ("ok", "every request must carry one of `eclair key list`")


def test_budgets_are_set_listed_and_removed(run: Eclair) -> None:
    assert run("budget").stdout.startswith("There are no budgets")
    assert run("budget", "set", "--tokens", "1000", "--per", "day").stdout.startswith("everyone: 1,000 tokens a day (")
    run("key", "new", "bot")
    made = run("budget", "set", "--for", "key:bot", "--money", "2.5", "--currency", "EUR", "--warn-only", "--soft", "0")
    assert made.stdout.startswith("key:key_")
    everyone, bot = orjson.loads(run("budget", "list", "--json").stdout)
    assert (everyone["amount"], everyone["each"], everyone["soft"], everyone["used"]) == (1000, True, 80, 0)
    assert (bot["unit"], bot["currency"], bot["amount"], bot["hard"], bot["soft"]) == (
        "money",
        "EUR",
        2_500_000,
        False,
        None,
    )
    assert run("budget", "remove", everyone["id"]).returncode == 0
    assert len(orjson.loads(run("budget", "--json").stdout)) == 1
    for wrong in (("--for", "nobody"), ("--for", "key:none"), ("--money", "2"), ("--currency", "EUR")):
        tokens = () if "--money" in wrong else ("--tokens", "1")
        assert run("budget", "set", *wrong, *tokens).returncode == 2
