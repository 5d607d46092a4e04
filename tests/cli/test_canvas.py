"""`eclair canvas`: canvases and their versions are listed, printed, changed, exported and erased."""

from __future__ import annotations

import os
import re
import shlex
import signal
import sys
import time
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import apsw
import orjson
import pytest

from eclair.schema.canvases import Canvas, CanvasVersion, NewCanvasVersion
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.open import open_storage
from tests import forked
from tests.cli.test_cli import Eclair, Screen, environ
from tests.support import conversation

JUNE = 1_780_000_000_000
LETTER = Canvas("canv_a", "conv_a", "Letter", "markdown", JUNE, JUNE)
SCRIPT = Canvas("canv_b", "conv_a", "Sums", "python", 5, 5)


@pytest.fixture
async def run(tmp_path: Path) -> Eclair:
    """Return the command with a letter of two versions, the second by a person, and with a program."""
    run = Eclair(tmp_path / "home")
    run.folder.mkdir()
    storage = open_storage(run.folder)
    await conversation(storage)
    canvases = storage.canvases
    first = CanvasVersion(1, None, "model", "scripted", "Draft", JUNE)
    await canvases.add_canvas(LOCAL_PRINCIPAL, LETTER, [(first, "# Hello\n\nDear Ada,")])
    await canvases.add_canvas(LOCAL_PRINCIPAL, SCRIPT, [(CanvasVersion(1, None, "person", None, "", 5), "1 + 1\n")])
    await canvases.add_version(LOCAL_PRINCIPAL, "canv_a", NewCanvasVersion(1, "# Hello\n\nDear Grace,", "person"))
    await storage.close()
    return run


def test_there_are_none_at_first(tmp_path: Path) -> None:
    run = Eclair(tmp_path)
    assert run("chat", stdin="hello\n").returncode == 0
    assert run("canvas").stdout == "There are no canvases.\n"
    missing = run("canvas", "show", "canv_gone")
    assert (missing.returncode, "There is no canvas 'canv_gone'" in missing.stderr) == (2, True)


def test_canvases_and_versions_are_listed(run: Eclair) -> None:
    head, letter, script = (line.split() for line in run("canvas").stdout.splitlines())
    assert head == ["CHANGED", "LANGUAGE", "VERSION", "TITLE", "CANVAS"]
    assert letter[1:] == ["markdown", "2", "Letter", "canv_a"]
    assert script[1:] == ["python", "1", "Sums", "canv_b"]
    listed = orjson.loads(run("canvas", "list", "--json").stdout)
    assert [(each["id"], each["current"]) for each in listed] == [("canv_a", 2), ("canv_b", 1)]
    head, first, second = (line.split() for line in run("canvas", "versions", "canv_a").stdout.splitlines())
    assert head == ["VERSION", "WRITTEN", "BY", "FROM", "NAME"]
    assert (first[0], first[3:]) == ("1", ["scripted", "Draft"])
    assert (second[:2], second[4:]) == (["2", "(current)"], ["you", "1"])
    versions = orjson.loads(run("canvas", "versions", "canv_a", "--json").stdout)
    assert [(each["number"], each["author"], each["model"]) for each in versions] == [
        (1, "model", "scripted"),
        (2, "person", None),
    ]
    assert run("canvas", "versions", "canv_gone").returncode == 2


def test_a_text_is_printed_in_any_version(run: Eclair) -> None:
    assert run("canvas", "show", "canv_a").stdout == "# Hello\n\nDear Grace,\n"
    assert run("canvas", "show", "canv_a", "--version", "1").stdout == "# Hello\n\nDear Ada,\n"
    assert run("canvas", "show", "canv_b").stdout == "1 + 1\n"
    assert run("canvas", "show", "canv_a", "--version", "3").returncode == 2


def test_a_canvas_is_exported_and_replaces_nothing(run: Eclair, tmp_path: Path) -> None:
    exported = run("canvas", "export", "canv_b", "-o", str(tmp_path))
    assert exported.stdout == f"Exported to {tmp_path / 'Sums.py'} (6 bytes)\n"
    assert (tmp_path / "Sums.py").read_text() == "1 + 1\n"
    again = run("canvas", "export", "canv_b", "-o", str(tmp_path))
    assert (again.returncode, "already exists" in again.stderr) == (2, True)
    document = tmp_path / "letter.docx"
    assert run("canvas", "export", "canv_a", "--format", "docx", "-o", str(document)).returncode == 0
    with zipfile.ZipFile(document) as file:
        assert "Dear Grace," in file.read("word/document.xml").decode()
    marked = tmp_path / "letter.md"
    run("canvas", "export", "canv_a", "--format", "markdown", "--version", "1", "-o", str(marked))
    assert "Dear Ada," in marked.read_text()
    assert "scripted" in marked.read_text().partition("# Hello")[0]
    table = run("canvas", "export", "canv_b", "--format", "xlsx", "-o", str(tmp_path / "sums.xlsx"))
    assert table.returncode == 2
    assert not (tmp_path / "sums.xlsx").exists()


def until(is_so: Callable[[], bool]) -> None:
    """Wait for something of another process."""
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def handles(process: int | None, number: int) -> bool:
    """Tell whether a process has a handler for a signal."""
    [caught] = re.findall(r"^SigCgt:\s(\w+)$", Path(f"/proc/{process}/status").read_text(), re.MULTILINE)
    return bool(int(caught, 16) >> (number - 1) & 1)


def editor(folder: Path, body: str) -> str:
    """Return a command that does `body` to the file that it is given, `path`."""
    script = folder / "an editor.py"
    script.write_text(f"import sys, pathlib\npath = pathlib.Path(sys.argv[1])\n{body}\n")
    return shlex.join([sys.executable, str(script)])


def test_a_text_is_changed_in_an_editor(run: Eclair, tmp_path: Path) -> None:
    grace = editor(tmp_path, "assert path.name == 'Letter.md'\npath.write_text(path.read_text() + ' Hopper,\\n')")
    made = run("canvas", "edit", "canv_a", EDITOR=grace)
    assert made.stdout == "Letter is at version 3 now.\n"
    assert run("canvas", "show", "canv_a").stdout == "# Hello\n\nDear Grace, Hopper,\n"
    versions = orjson.loads(run("canvas", "versions", "canv_a", "--json").stdout)
    assert (versions[-1]["author"], versions[-1]["parent"]) == ("person", 2)
    same = editor(tmp_path, "path.write_text(path.read_text() + '\\n')")
    assert run("canvas", "edit", "canv_a", VISUAL=same).stdout == "Nothing changed.\n"


def test_what_was_written_is_kept_where_it_can_not_be_stored(run: Eclair, tmp_path: Path) -> None:
    failing = editor(tmp_path, "path.write_text('mine'); sys.exit(3)")
    made = run("canvas", "edit", "canv_a", EDITOR=failing, TMPDIR=str(tmp_path))
    assert made.returncode == 2
    kept = re.search(r"What you wrote is in (.+)\.", made.stderr)
    assert kept is not None
    assert Path(kept[1]).read_text() == "mine"
    assert "ended with 3; the canvas is as it was" in made.stderr
    missing = run("canvas", "edit", "canv_a", EDITOR="/nowhere/ed", TMPDIR=str(tmp_path))
    assert "can't be started: No such file" in missing.stderr
    assert "set EDITOR" in run("canvas", "edit", "canv_a", EDITOR="").stderr
    for name, given, said in (
        ("EDITOR", "ed '", """EDITOR is no command: "ed '" has no closing quotation.\n"""),
        ("VISUAL", "ed\\", "VISUAL is no command: 'ed\\\\' has no escaped character.\n"),
    ):
        refused = run("canvas", "edit", "canv_a", TMPDIR=str(tmp_path), **{name: given})
        assert (refused.returncode, refused.stderr) == (2, said)
    assert [path.name for path in tmp_path.glob("eclair-*")] == [Path(kept[1]).parent.name]
    assert run("canvas", "show", "canv_a", "--version", "3").returncode == 2


def test_ctrl_c_is_the_editors_own(run: Eclair, tmp_path: Path) -> None:
    waiting = "try:\n    print('Editing', flush=True)\n    time.sleep(60)"
    command = editor(tmp_path, f"import time\n{waiting}\nexcept KeyboardInterrupt:\n    path.write_text('mine')")
    screen = Screen(run.folder, "canvas", "edit", "canv_a", EDITOR=command, TMPDIR=str(tmp_path))
    try:
        screen.until("Editing")
        screen.type("\x03")
        screen.until("Letter is at version 3 now.")
        assert screen.end() == 0
    finally:
        screen.close()
    assert run("canvas", "show", "canv_a").stdout == "mine\n"
    assert not list(tmp_path.glob("eclair-*"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_what_was_written_is_kept_where_storing_it_is_stopped(
    run: Eclair, tmp_path: Path, number: int, code: int
) -> None:
    ready, go = tmp_path / "ready", tmp_path / "go"
    waiting = f"while not pathlib.Path({str(go)!r}).exists(): time.sleep(0.01)"
    body = f"import time\npath.write_text('mine')\npathlib.Path({str(ready)!r}).touch()\n{waiting}"
    env = environ(run.folder, EDITOR=editor(tmp_path, body), TMPDIR=str(tmp_path))
    with open(os.devnull, "rb") as stdin, (tmp_path / "said").open("w+b") as said:
        process = forked.start(("canvas", "edit", "canv_a"), env, stdin, said, said)
        until(ready.exists)
        with closing(apsw.Connection(str(run.folder / "eclair.db"))) as database:
            database.execute("BEGIN IMMEDIATE")  # nobody stores anything meanwhile
            go.touch()
            assert process.pid is not None
            until(lambda: handles(process.pid, signal.SIGTERM))
            os.kill(process.pid, number)
            time.sleep(0.3)  # it is told to end before it may store
        process.join(60)
    assert process.exitcode == code
    kept = re.fullmatch(r"What you wrote is in (.+)\.\n", (tmp_path / "said").read_text())
    assert kept is not None
    assert Path(kept[1]).read_text() == "mine"


def test_a_text_is_taken_from_a_file_or_a_pipe(run: Eclair, tmp_path: Path) -> None:
    file = tmp_path / "sums.py"
    file.write_bytes(b"2 + 2\r\n")
    assert run("canvas", "edit", "canv_b", "--file", str(file)).stdout == "Sums is at version 2 now.\n"
    assert run("canvas", "edit", "canv_b", "-f", "-", stdin="3 + 3\n").stdout == "Sums is at version 3 now.\n"
    assert run("canvas", "show", "canv_b").stdout == "3 + 3\n"
    file.write_bytes(b"a\0")
    assert "NUL" in run("canvas", "edit", "canv_b", "--file", str(file)).stderr
    assert run("canvas", "edit", "canv_gone", "--file", str(file)).returncode == 2


def test_a_text_written_elsewhere_meanwhile_stays_current(run: Eclair, tmp_path: Path) -> None:
    other = [sys.executable, "-m", "eclair.cli", "canvas", "edit", "canv_a", "--file", "-"]
    asked = f"subprocess.run({other!r}, input=b'theirs', check=True, env={environ(tmp_path / 'home')!r})"
    body = f"import subprocess\n{asked}\npath.write_text('mine')"
    made = run("canvas", "edit", "canv_a", EDITOR=editor(tmp_path, body))
    assert (made.returncode, "kept as version 4 beside it" in made.stderr) == (0, True)
    assert run("canvas", "show", "canv_a").stdout == "theirs\n"
    assert run("canvas", "restore", "canv_a", "4").stdout == "Letter is at version 5 now.\n"
    assert run("canvas", "show", "canv_a").stdout == "mine\n"


def test_a_version_is_restored_with_its_author(run: Eclair) -> None:
    assert run("canvas", "restore", "canv_a", "1").stdout == "Letter is at version 3 now.\n"
    assert run("canvas", "show", "canv_a").stdout == "# Hello\n\nDear Ada,\n"
    version = orjson.loads(run("canvas", "versions", "canv_a", "--json").stdout)[-1]
    assert [version[name] for name in ("author", "model", "name", "parent")] == ["model", "scripted", "Draft", 2]
    assert run("canvas", "restore", "canv_a", "3").stdout == "Version 3 is the current one.\n"
    assert run("canvas", "restore", "canv_a", "9").returncode == 2
    assert run("canvas", "restore", "canv_a", "0").returncode == 2


def test_canvases_are_erased_once_that_is_confirmed(run: Eclair) -> None:
    refused = run("canvas", "remove", "canv_a")
    assert (refused.returncode, "add --yes" in refused.stderr) == (2, True)
    assert run("canvas", "remove", "canv_a", "canv_gone", "--yes").returncode == 2
    assert len(orjson.loads(run("canvas", "--json").stdout)) == 2
    erased = run("canvas", "remove", "canv_a", "canv_b", "canv_a", "--yes")
    assert erased.stdout == "Erased Letter.\nErased Sums.\n"
    assert run("canvas").stdout == "There are no canvases.\n"
