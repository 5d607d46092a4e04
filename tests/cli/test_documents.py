"""`eclair add`, `libraries`, `files`, and questions that are answered from files, as a person has them."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import aiohttp
import orjson
import pytest

from eclair.cli._arguments import parse
from eclair.cli.ask import read_options
from eclair.llm.scripted import prose
from eclair.schema.events import Cited, RunFinished, SourceFound, decode
from tests.cli.test_cli import ECLAIR, Eclair, Screen, environ
from tests.documents import photos
from tests.documents.files import pdf
from tests.support import JSON, Process, check_log

TOLD = "".join(prose(12))
"""A sentence of the scripted engine's, which no question holds."""
ASKED = "Which people were in the square?\nscript: words=12"
OFF = {"ECLAIR_EMBEDDER": "off"}


@pytest.fixture
def run(tmp_path: Path) -> Eclair:
    return Eclair(tmp_path / "home")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "handbook"
    (folder / "deep").mkdir(parents=True)
    (folder / "tower.txt").write_text(f"{TOLD} It was built in 1903.\n")
    (folder / "deep" / "bread.md").write_text("# Bread\n\nSourdough rises for 24 hours.\n")
    return folder


def listed(run: Eclair, *arguments: str) -> list[JSON]:
    found: list[JSON] = orjson.loads(run(*arguments, "--json").stdout)
    return found


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def ended(process: subprocess.Popen[bytes]) -> tuple[str, str]:
    out, err = process.communicate(timeout=30)
    return out.decode(), err.decode()


def test_a_quote_is_found_on_its_own_page(run: Eclair, tmp_path: Path) -> None:
    lines = ["The harbour lies to the north of the town.", TOLD]
    (tmp_path / "coast.pdf").write_bytes(pdf([[(72, 100, 9, line)] for line in lines]))
    done = run("ask", "-f", str(tmp_path / "coast.pdf"), ASKED, **OFF)
    assert done.stdout == f"{TOLD}\n"
    assert "[1] coast.pdf › page 2: “" in done.stderr


def test_a_question_is_answered_from_a_file_of_which_nothing_is_kept(run: Eclair, folder: Path) -> None:
    temporary = run.folder.parent / "tmp"
    temporary.mkdir()
    done = run("ask", "-f", str(folder / "tower.txt"), ASKED, TMPDIR=str(temporary), **OFF)
    assert (done.returncode, done.stdout) == (0, f"{TOLD}\n")
    assert done.stderr.splitlines() == [f"[1] tower.txt: “{TOLD}”"]
    assert list(temporary.iterdir()) == []
    assert not (run.folder / "eclair.db").exists()


def test_what_can_be_told_of_a_photo_is_printed(run: Eclair, folder: Path) -> None:
    photo = folder / "photo.heic"
    photo.write_bytes(photos.every(photos.exif(place=(48.8584, 2.2945)))["photo.heic"])
    done = run("ask", "-f", str(photo), ASKED, **OFF)
    assert (done.returncode, done.stdout) == (0, f"{TOLD}\n")
    assert "This is a picture of 128 × 128 pixels (HEIC)." in done.stderr
    assert "17 May 2024" in done.stderr
    assert "scripted does not see images" in done.stderr.lower()
    assert "48.85" not in done.stderr


def test_a_claim_that_the_files_do_not_support_is_marked(run: Eclair, folder: Path) -> None:
    done = run("ask", "-f", str(folder / "deep" / "bread.md"), ASKED, **OFF)
    assert (done.returncode, done.stdout) == (0, f"{TOLD}\n")
    assert done.stderr.splitlines() == [f"[?] No passage says so: “{TOLD}”"]


def test_the_events_say_what_an_answer_rests_on(run: Eclair, folder: Path) -> None:
    done = run("ask", "--json", "-f", str(folder / "tower.txt"), ASKED, **OFF)
    events = [decode(line) for line in done.stdout.encode().splitlines()]
    check_log(events)
    assert [event.passage.name for event in events if isinstance(event, SourceFound)] == ["tower.txt"]
    assert [event.citation.quote for event in events if isinstance(event, Cited)] == [TOLD]
    assert isinstance(events[-1], RunFinished)
    assert done.stderr == ""


def test_a_long_document_is_read_in_full_if_asked_to(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = parse(["ask", "--thorough", "-f", "log.md", "Summarize it"])
    assert read_options(arguments).thorough
    assert not read_options(parse(["ask", "-f", "log.md", "Summarize it"])).thorough
    with pytest.raises(SystemExit):
        parse(["ask", "--help"])
    assert "--thorough" in capsys.readouterr().out


def test_a_conversation_by_voice_asks_for_an_answer_to_listen_to() -> None:
    assert read_options(parse(["ask", "--voice", "--speak"])).spoken
    assert not read_options(parse(["ask", "--speak", "Hello"])).spoken


def test_a_library_is_asked_beside_a_file(run: Eclair, folder: Path) -> None:
    assert run("add", str(folder / "deep"), "--library", "kitchen", **OFF).returncode == 0
    done = run("ask", "--library", "kitchen", "-f", str(folder / "tower.txt"), ASKED, **OFF)
    assert (done.returncode, done.stdout) == (0, f"{TOLD}\n")
    assert "[1] tower.txt: " in done.stderr
    assert [file["name"] for file in listed(run, "files")] == ["bread.md"]
    events = run("ask", "--json", "--library", "kitchen", "How long does sourdough rise?", **OFF).stdout
    found = [decode(line) for line in events.encode().splitlines()]
    assert [event.passage.name for event in found if isinstance(event, SourceFound)] == ["bread.md"]


def test_a_folder_is_added_and_then_what_changed(run: Eclair, folder: Path) -> None:
    (folder / ".hidden").touch()
    (folder / "link").symlink_to("/etc/hostname")
    done = run("add", str(folder), **OFF)
    assert (done.returncode, done.stdout) == (0, "documents: 2 added.\n")
    assert done.stderr == "Left out: what is hidden (1), links (1).\n"
    (folder / "tower.txt").write_text("The tower fell down.\n")
    (folder / "deep" / "bread.md").unlink()
    assert run("add", str(folder), **OFF).stdout == "documents: 1 changed.\n"
    assert len(listed(run, "files")) == 2, "what has gone is kept"
    assert run("add", str(folder), "--sync", **OFF).stdout == "documents: 1 removed, 1 unchanged.\n"
    (file,) = listed(run, "files", "--library", "documents")
    assert (file["name"], file["state"], file["path"]) == ("tower.txt", "ready", str(folder / "tower.txt"))
    (library,) = listed(run, "libraries")
    assert (library["name"], library["files"], library["waiting"], library["failed"]) == ("documents", 1, 0, 0)


def test_failures_are_told_one_by_one_and_the_rest_is_there(run: Eclair, folder: Path) -> None:
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7\nrubbish")
    (folder / "empty.txt").touch()
    done = run("add", str(folder), "--library", "handbook", **OFF)
    assert (done.returncode, done.stdout) == (2, "handbook: 3 added.\n")
    assert sorted(done.stderr.splitlines()) == [
        f"{folder}/empty.txt is empty.",
        "broken.pdf is damaged and cannot be read; save it again from the program that made it.",
    ]
    assert "handbook  3" in run("libraries").stdout
    assert "1 unreadable" in run("libraries").stdout
    assert "broken.pdf is damaged" in run("files").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add", "nowhere"], "nowhere cannot be read: No such file or directory."),
        (["add"], "PATH"),
        (["add", ".", "--library", "two words"], "'two words' is not a valid library name"),
        (["ask", "-f", "nowhere.pdf", "What?"], "nowhere.pdf cannot be read: No such file or directory."),
        (["ask", "-f", "/", "What?"], "/ cannot be read: Is a directory."),
        (["ask", "--library", "none", "What?"], "There is no library 'none'."),
        (["files", "--library", "none"], "There is no library 'none'."),
        (["files", "remove", "file_none", "--yes"], "There is no file 'file_none'."),
        (["libraries", "remove", "none", "--yes"], "There is no library 'none'."),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(run: Eclair, arguments: list[str], said: str) -> None:
    done = run(*arguments, **OFF)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_files_and_libraries_are_removed_once_that_is_meant(run: Eclair, folder: Path) -> None:
    run("add", str(folder), "--library", "handbook", **OFF)
    first = listed(run, "files")[0]
    refused = run("files", "remove", first["id"])
    assert (refused.returncode, refused.stdout) == (2, "")
    assert f"There is no terminal to ask before removing the file {first['name']}; add --yes" in refused.stderr
    assert run("files", "remove", first["id"], "--yes").stdout == f"Removed the file {first['name']}.\n"
    screen = Screen(run.folder, "libraries", "remove", "handbook")
    try:
        screen.until("Remove the library handbook with its 1 file from Éclair for good? [y/N]")
        screen.type("y\n")
        screen.until("Removed the library handbook with its 1 file.")
        assert screen.end() == 0
    finally:
        screen.close()
    assert run("libraries").stdout == "There are none; `eclair add FOLDER` adds files.\n"
    assert [path for path in (run.folder / "files").rglob("*") if path.is_file()] == []


def test_a_watched_folder_is_followed_until_ctrl_c(run: Eclair, folder: Path) -> None:
    watching = run.start("add", str(folder), "--library", "handbook", "--watch", **OFF)
    try:
        until(lambda: len(listed(run, "files")) == 2)
        (folder / "new.txt").write_text("It is new.\n")
        (folder / "tower.txt").unlink()
        assert watching.stdout is not None
        assert watching.stdout.readline() == b"handbook: 2 added.\n"
        while "1 removed" not in (said := watching.stdout.readline().decode()):
            assert said == "handbook: 1 added.\n"
        until(lambda: {file["name"] for file in listed(run, "files")} == {"bread.md", "new.txt"})
    finally:
        watching.send_signal(signal.SIGINT)
        _, err = ended(watching)
    assert watching.returncode == 130
    assert err == "Watching; Ctrl-C ends it.\n"


def test_files_go_along_with_a_message_of_a_conversation(run: Eclair, folder: Path) -> None:
    run("add", str(folder / "deep"), "--library", "kitchen", **OFF)
    lines = [f"/file {folder}/tower.txt", "script: words=12", "/library kitchen", "/file", "/library none", "/library"]
    done = run("chat", stdin="\n".join(lines), **OFF)
    assert done.stderr.splitlines() == [
        f"[1] tower.txt: “{TOLD}”",
        "Which file? Write its path after /file.",
        "There is no library 'none'.",
    ]
    assert done.stdout == f"{TOLD}\n  kitchen (1 file)\n"


def test_what_was_taken_in_stays_when_it_is_stopped(run: Eclair, tmp_path: Path) -> None:
    book = tmp_path / "book.txt"
    book.write_text("".join(f"Line {number} of a long book about towers.\n" for number in range(300_000)))
    adding = run.start("add", str(book), **OFF)
    until(lambda: any(file["state"] == "reading" for file in listed(run, "files")))
    adding.send_signal(signal.SIGINT)
    out, err = ended(adding)
    assert (adding.returncode, out) == (130, "")
    assert err == "The files added so far stay; the next `eclair add` or `eclair serve` goes on reading.\n"
    assert run("add", str(book), **OFF).stdout == "documents: 1 unchanged.\n"
    (file,) = listed(run, "files")
    assert (file["state"], file["pages"]) == ("ready", file["pages_read"])


async def file_of(server: Process, id: str, state: str) -> JSON:
    async with asyncio.timeout(60):
        while True:
            file: JSON = (await server.get(f"/api/files/{id}")).body
            if file["state"] == state and (file["pages_read"] or state == "ready"):
                return file
            await asyncio.sleep(0.02)


async def test_a_server_that_is_killed_while_it_reads_goes_on(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    text = "".join(f"Line {number} of a long book about towers.\n" for number in range(20_000))
    server = await Process.start(tmp_path, http, **OFF)
    try:
        reply = await server.post("/api/files?name=book.txt", data=text.encode())
        id = reply.body["id"]
        await file_of(server, id, "reading")
        await server.kill()
        server = await Process.start(tmp_path, http, **OFF)
        file = await file_of(server, id, "ready")
        assert (file["pages"], file["fault"], file["remarks"]) == (file["pages_read"], None, [])
        pages = [
            (await server.get(f"/api/files/{id}/pages/{number}")).body["text"] for number in range(1, file["pages"] + 1)
        ]
        assert [line for line in "\n".join(pages).split("\n") if line] == text.splitlines()
        assert [path for path in (tmp_path / "files").glob("coming-*") if time.time() - path.stat().st_mtime > 60] == []
    finally:
        await server.close()


async def test_a_server_and_a_command_share_the_data(run: Eclair, folder: Path, http: aiohttp.ClientSession) -> None:
    server = await Process.start(run.folder, http, **OFF)
    try:
        async with server.open("/api/changes") as changes:
            await changes.content.readuntil(b"\n\n")
            done = await asyncio.to_thread(run, "add", str(folder), "--library", "handbook", **OFF)
            assert done.stdout == "handbook: 2 added.\n"
            async with asyncio.timeout(5):
                change = await changes.content.readuntil(b"\n\n")
            assert orjson.loads(change.removeprefix(b"data: "))["conversation"] is None
        (library,) = (await server.get("/api/libraries")).body
        assert (library["name"], library["files"], library["waiting"]) == ("handbook", 2, 0)
        answer = await server.say(await server.begin(), ASKED, libraries=["handbook"])
        assert len(answer["citations"]) == 1
        assert (await server.call("DELETE", f"/api/libraries/{library['id']}")).status == 204
        assert await asyncio.to_thread(listed, run, "libraries") == []
    finally:
        await server.close()


def test_a_write_that_the_system_refuses_is_said_and_nothing_is_lost(run: Eclair, folder: Path) -> None:
    """No file may grow beyond 3 MB, which stands for a full disk: that would take a file system of its own."""
    assert run("add", str(folder), **OFF).returncode == 0
    (folder / "large.txt").write_bytes(b"A line of a large file.\n" * 200_000)
    limited = ["bash", "-c", 'ulimit -f 3000 && exec "$@"', "bash", *ECLAIR, "add", str(folder)]
    done = subprocess.run(limited, env=environ(run.folder, **OFF), capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (3, b"")
    assert b"A file cannot be kept" in done.stderr
    assert b"File too large" in done.stderr
    assert {file["state"] for file in listed(run, "files")} == {"ready"}
