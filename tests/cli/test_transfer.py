"""`eclair export`, `eclair import` and `eclair delete`, as a person has them."""

from __future__ import annotations

import asyncio
import functools
import re
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from eclair.schema.events import encode
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.batches import BatchDetails, BatchFile, StoredBatch
from eclair.storage.open import open_storage
from eclair.storage.responses import StoredResponse
from eclair.storage.runs import EventChunk
from tests.cli.test_cli import Eclair, Screen
from tests.support import Ids, conversation, new_turn
from tests.transfer.support import SAMPLES


@pytest.fixture
def run(tmp_path: Path) -> Eclair:
    return Eclair(tmp_path / "home")


def test_in_and_out_and_in_again(run: Eclair, tmp_path: Path) -> None:
    checked = run("import", str(SAMPLES / "chatgpt.json"), "--check")
    assert checked.returncode == 0
    assert checked.stdout == "chatgpt.json is from ChatGPT: 2 conversations, 5 messages.\n"
    assert "Left out: images (1 in 1 conversation)." in checked.stderr
    assert run("import", str(SAMPLES / "chatgpt.json")).stdout.splitlines()[1:] == [
        "New here: 2 conversations, 5 messages. Here already: 0."
    ]
    whole = tmp_path / "all.zip"
    assert run("export", "-o", str(whole)).stdout.startswith(f"Exported to {whole} (")
    with zipfile.ZipFile(whole) as archive:
        assert archive.testzip() is None
        (name,) = (name for name in archive.namelist() if name.startswith("json/Sourdough"))
        id = orjson.loads(archive.read(name))["conversation"]["id"]
    assert "Here already: 2." in run("import", str(whole)).stdout
    assert "New here: 2 conversations" in Eclair(tmp_path / "other")("import", str(whole)).stdout
    page = tmp_path / "bread.html"
    assert run("export", id, "--format", "html", "--output", str(page)).returncode == 0
    assert "It proved too long." in page.read_text("utf-8")
    document = tmp_path / "bread.pdf"
    assert run("export", id, "--format", "pdf", "--output", str(document)).returncode == 0
    assert document.read_bytes().startswith(b"%PDF-")
    assert run("export", id, "-o", str(tmp_path)).stdout.startswith(f"Exported to {tmp_path / 'Sourdough.md'} (")


def test_what_came_in_and_went_out_is_recorded(run: Eclair, tmp_path: Path) -> None:
    run("import", str(SAMPLES / "chatgpt.json"))
    run("export", "-o", str(tmp_path / "all.zip"))
    assert run("export", "nothing").returncode == 2
    run("egress", "--csv")
    acts = [orjson.loads(line) for line in run("audit", "export").stdout.splitlines()]
    kept = ("conversations.imported", "export.made")
    assert [(act["action"], act["details"]) for act in acts if act["action"] in kept] == [
        ("conversations.imported", {"from": "chatgpt", "conversations": 2}),
        ("export.made", {"all": True}),
        ("export.made", {"what": "outgoing calls", "format": "csv"}),
    ]
    assert {act["actor"] for act in acts if act["action"] in kept} == {"local"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["import", "none.json"], "none.json cannot be read: No such file or directory."),
        (["import", __file__], "neither JSON nor a zip"),
        (["import"], "FILE"),
        (["export", "conv_none"], "There is no conversation 'conv_none'"),
        (["export", "--format", "json"], "one conversation to choose its format"),
        (["export", "x", "--format", "epub"], "epub"),
        (["export", "-o", __file__], "already exists; choose another name with --output."),
        (["export", "-o", "/nowhere/at/all.zip"], "/nowhere/at/all.zip cannot be written"),
        (["delete", "--undo", "1"], "Nothing is left to restore"),
        (["delete", "--undo", "1", "--responses"], "Responses are deleted for good"),
        (["delete", "--undo", "yesterday"], "'yesterday' is not a whole number"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(run: Eclair, arguments: list[str], said: str) -> None:
    before = Path(__file__).read_bytes()
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert Path(__file__).read_bytes() == before


def test_progress_is_shown_at_a_terminal(tmp_path: Path) -> None:
    screen = Screen(tmp_path / "home", "import", str(SAMPLES / "claude.json"))
    try:
        screen.until("2 of 2")
        screen.until("New here: 2 conversations")
        assert screen.end() == 0
    finally:
        screen.close()


def test_everything_is_deleted_and_brought_back(run: Eclair, tmp_path: Path) -> None:
    assert run("delete").stdout == "There is nothing to delete.\n"
    run("import", str(SAMPLES / "chatgpt.json"))
    refused = run("delete")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "There is no terminal to ask before deleting 2 conversations; add --yes" in refused.stderr
    deleted, undo = run("delete", "--yes").stdout.splitlines()
    assert deleted == "Deleted 2 conversations."
    assert run("delete", "--yes").stdout == "There is nothing to delete.\n"
    moment = undo.partition("--undo ")[2].partition("`")[0]
    assert run("delete", "--undo", moment).stdout == "Restored 2 conversations.\n"
    assert run("delete", "--undo", moment).returncode == 2
    assert "Here already: 2." in run("import", str(SAMPLES / "chatgpt.json")).stdout


async def test_what_the_api_stored_is_deleted(run: Eclair, tmp_path: Path) -> None:
    nothing = await asyncio.to_thread(run, "delete", "--responses", "--yes")
    assert nothing.stdout == "There is nothing to delete.\n"
    storage = open_storage(tmp_path / "home")
    done = StoredResponse(id="resp_a", process="", status="completed", body={"text": "storedzq"})
    await storage.responses.add_response(LOCAL_PRINCIPAL, done, [])
    file = BatchFile(id="file_a", owner="local", name="in.jsonl", created=1, size=9)
    await storage.batches.add_file(LOCAL_PRINCIPAL, file, [b"batchedzq"])
    details = BatchDetails(endpoint="/v1/embeddings", input_file="file_a", window="24h", expires=10**14)
    await storage.batches.add_batch(LOCAL_PRINCIPAL, StoredBatch("batch_a", "local", 1, "validating", details))
    await storage.close()
    refused = await asyncio.to_thread(run, "delete", "--responses")
    assert "before deleting 1 response, 0 conversations, 1 batch and 1 file of the API; add --yes" in refused.stderr
    deleted = await asyncio.to_thread(run, "delete", "--responses", "--yes")
    assert deleted.stdout == "Deleted 1 response, 0 conversations, 1 batch and 1 file of the API.\n"
    data = await asyncio.to_thread((tmp_path / "home" / "eclair.db").read_bytes)
    assert b"storedzq" not in data
    assert b"batchedzq" not in data


@pytest.mark.parametrize(("typed", "said"), [("n\n", "Nothing was deleted."), ("y\n", "Deleted 2 conversations.")])
def test_deleting_asks_first_at_a_terminal(run: Eclair, tmp_path: Path, typed: str, said: str) -> None:
    run("import", str(SAMPLES / "chatgpt.json"))
    screen = Screen(tmp_path / "home", "delete")
    try:
        screen.until("Delete 2 conversations, with what is in the archive and what is shared? [y/N]")
        screen.type(typed)
        screen.until(said)
        assert screen.end() == 0
    finally:
        screen.close()


async def test_nothing_is_deleted_while_another_process_answers(run: Eclair, tmp_path: Path) -> None:
    storage = open_storage(tmp_path / "home")
    await conversation(storage)
    await conversation(storage, "conv_b")
    turn, started = new_turn(storage, Ids())
    opened = await storage.runs.open_turn(
        replace(turn, first=EventChunk(started.run, 1, encode(replace(started, seq=1))))
    )
    refused = await asyncio.to_thread(run, "delete", "--yes")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "Another Éclair writes this answer and does not stop" in refused.stderr
    assert await storage.conversations.count_conversations(LOCAL_PRINCIPAL) == 2
    assert (await storage.runs.list_running())[0].id == opened.id
    await storage.close()
    assert "Deleted 2 conversations." in run("delete", "--yes").stdout, "its process is gone"


def test_a_question_is_left_with_ctrl_c(run: Eclair, tmp_path: Path) -> None:
    run("import", str(SAMPLES / "chatgpt.json"))
    screen = Screen(tmp_path / "home", "delete")
    try:
        screen.until("[y/N]")
        screen.type("\x03")
        assert screen.end() == 130
    finally:
        screen.close()
    assert "Deleted 2 conversations." in run("delete", "--yes").stdout


async def test_what_a_limit_would_erase_is_said(run: Eclair) -> None:
    storage = open_storage(run.folder)
    now = int(time.time() * 1000)
    for name, days in (("conv_a", 400), ("conv_b", 100), ("conv_c", 1)):
        await conversation(storage, name, at=now - days * 86_400_000)
    await storage.close()
    said = await asyncio.to_thread(run, "retention")
    assert said.stdout == "Conversations are kept until they are deleted; keep_days sets a limit.\n"
    said = await asyncio.to_thread(run, "retention", "90")
    assert re.fullmatch(
        r"With 90 days, 2 conversations would be erased now, with last messages from [\d-]{10} to [\d-]{10}\.",
        said.stdout.splitlines()[1],
    )
    said = await asyncio.to_thread(run, "retention", "500")
    assert said.stdout.splitlines()[1] == "With 500 days, nothing would be erased now."
    said = await asyncio.to_thread(functools.partial(run, "retention", ECLAIR_KEEP_DAYS="200"))
    set_, asked = said.stdout.splitlines()
    assert set_ == "Conversations are erased 200 days after their last message (keep_days)."
    assert asked.startswith("With 200 days, 1 conversation would be erased now")
