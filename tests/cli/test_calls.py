"""The terminal says how the calls of an answer ended: what they sent, printed and made, and why they failed."""

from __future__ import annotations

import io
import time
from pathlib import Path

import orjson
import pytest
from hypothesis import given, strategies

from eclair.cli._printer import Printer
from eclair.cli._terminal import Terminal
from eclair.generation.tool_loop import REPEATED
from eclair.schema.events import CallAsked, CallEnded, PartDelta, PartFinished, PartStarted
from eclair.schema.messages import CallOutcome
from tests.cli.test_cli import Eclair, Screen


class Tty(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def script(tool: str, **arguments: object) -> str:
    """Return the line that makes the scripted model call a tool."""
    written = orjson.dumps(arguments).decode().replace(" ", "\\u0020")
    return f"script: tool={tool}{written}\n"


def test_a_call_that_failed_says_why(tmp_path: Path) -> None:
    done = Eclair(tmp_path)("chat", stdin=script("scripted_read", text="tea", fail=True))
    assert done.stderr.splitlines()[:2] == ["Write “tea” · failed", "The scripted tool fails, as it was told to."]
    assert done.stdout.startswith("The quiet people")
    assert done.returncode == 0
    wrong = Eclair(tmp_path)("chat", stdin=script("scripted_read", wait="long"))
    assert wrong.stderr.startswith(
        "The model made a call that can't be made · failed\nThe model filled in the tool's input wrongly: text: Field"
    )
    assert "Call again" not in wrong.stderr
    assert Eclair(tmp_path)("chat", stdin=script("scripted_read", text="tea")).stderr == ""


@pytest.mark.parametrize(
    ("outcome", "sent", "said"),
    [
        ("done", 0, ""),
        ("done", 312, "Search the web · 312 bytes left this machine"),
        ("failed", 312, "Search the web · failed · 312 bytes left this machine"),
        ("late", 0, "Search the web · timed out"),
        ("declined", 0, "Search the web · declined"),
        ("stopped", 0, "Search the web · stopped"),
        ("unknown", 0, "Search the web · may or may not have been done; please check"),
    ],
)
def test_the_end_of_a_call_is_a_line(outcome: CallOutcome, sent: int, said: str) -> None:
    shown = Tty()
    printer = Printer(Terminal(Tty(), shown, plain=False, colors=False))
    printer.show(CallAsked("call_1", "search_web", "outbound", "Search the web"))
    printer.show(CallEnded("call_1", outcome, 1.0, sent))
    assert shown.getvalue().splitlines()[1:] == ([said] if said else [])


def shown_input(tool: str, arguments: object, step: int = 1) -> str:
    """Print a call whose arguments come in pieces of `step` characters, and return what a terminal shows."""
    return shown_text(tool, orjson.dumps(arguments).decode(), step)


def shown_text(tool: str, written: str, step: int = 1) -> str:
    out = Tty()
    printer = Printer(Terminal(out, Tty(), plain=False, colors=False))
    printer.show(PartStarted(0, "tool_call", "call_1", tool))
    for start in range(0, len(written), step):
        printer.show(PartDelta(0, written[start : start + step]))
    printer.show(PartFinished(0))
    return out.getvalue()


def test_a_canvas_is_shown_as_it_is_written_and_changed() -> None:
    letter = {"title": "Letter", "language": "markdown", "text": 'Dear "Ada",\n\nit is é.'}
    assert shown_input("open_canvas", letter) == 'open_canvas \nLetter\nDear "Ada",\n\nit is é.\n'
    changes = {"canvas": "canv_1", "changes": [{"old": "one\ntwo", "new": ""}, {"old": "a", "new": "b"}]}
    assert shown_input("edit_canvas", changes) == "edit_canvas \n- one\n- two\n+ \n- a\n+ b\n"
    assert shown_input("edit_canvas", {"canvas": "canv_1"}) == "edit_canvas \n"
    assert shown_input("edit_canvas", {"changes": [1, {"old": 2}], "x": None}) == "edit_canvas \n"
    assert shown_input("edit_canvas", [{"changes": [{"old": "a"}]}]) == "edit_canvas \n"
    assert shown_input("search_web", {"query": "tea"}) == 'search_web {"query":"tea"}\n'


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (r'{"text": "\u00e9 \ud83d\ude00 \\\/\"\t|"}', 'é 😀 \\/"\t|'),
        (r'{"text": "\ud83d, \ude00"}', "\ufffd, \ufffd"),
        (r'{"te\u0078t": "x"}', "x"),
        ('{"text": "one\ntwo"}', "one\ntwo"),
        (r'{"text": "C:\users"}', r"C:\users"),
        ('{"text": "cut of', "cut of"),
        ("}]no JSON", ""),
    ],
)
def test_a_canvas_is_read_as_json_is_and_as_models_write_it(written: str, said: str) -> None:
    assert shown_text("open_canvas", written, 1 << 20) == f"open_canvas \n{said}" + ("\n" if said else "")
    if "users" not in written:
        assert shown_text("open_canvas", written) == shown_text("open_canvas", written, 1 << 20)


def test_a_long_canvas_takes_no_longer_for_each_piece() -> None:
    def seconds(length: int) -> float:
        since = time.process_time()
        shown_input("open_canvas", {"title": "Long", "text": "long text " * (length // 10)})
        return time.process_time() - since

    seconds(1_000)
    assert seconds(80_000) < 30 * seconds(10_000), "it is linear, so about 8 times as long"


@given(strategies.text(), strategies.text(), strategies.integers(1, 9))
def test_what_is_shown_of_a_canvas_never_depends_on_the_pieces_it_comes_in(title: str, text: str, step: int) -> None:
    for tool, arguments in (
        ("open_canvas", {"text": text, "title": title}),
        ("edit_canvas", {"changes": [{"old": title, "new": text}, {"new": title, "old": text}]}),
    ):
        assert shown_input(tool, arguments, step) == shown_input(tool, arguments, 1 << 20)


def test_a_call_that_nobody_allowed_is_declined(tmp_path: Path) -> None:
    run = Eclair(tmp_path)
    for typed in ("", "n\n", "never\n"):
        done = run("chat", stdin=script("scripted_write", text="tea") + typed)
        assert "Write “tea” · declined\n" in done.stderr
        assert "The person declined" not in done.stderr


def test_a_repeated_call_says_so_without_what_the_model_is_told() -> None:
    shown = Tty()
    printer = Printer(Terminal(Tty(), shown, plain=False, colors=False))
    printer.show(CallAsked("call_1", "run_python", "compute", "Run 1 line of Python"))
    printer.show(CallEnded("call_1", "done", 0.0, fault=REPEATED))
    printer.show(PartStarted(0, "tool_result", "call_1", "run_python"))
    printer.show(PartDelta(0, "You made this call before, with the same arguments. Its result was:\nOutput:\n2"))
    printer.show(PartFinished(0))
    assert shown.getvalue().splitlines()[1:] == ["The same call was made before; it was not made again."]


def test_python_shows_its_output_its_error_and_its_files_which_are_saved(tmp_path: Path) -> None:
    run, folder = Eclair(tmp_path / "home"), tmp_path / "made"
    folder.mkdir()
    (folder / "a.csv").write_text("mine")
    code = "open('a.csv', 'w').write('x,y')\nopen('b.txt', 'w').write('é')\nprint('two files')"
    made = run("chat", stdin=script("run_python", code=code) + f"/save {folder}\n")
    assert made.stderr == "Output:\ntwo files\nFiles made: a.csv (3 bytes), b.txt (2 bytes)\n"
    assert made.stdout.splitlines()[-2:] == [f"{folder}/a-2.csv", f"{folder}/b.txt"]
    kept = {path.name: path.read_text() for path in folder.iterdir()}
    assert kept == {"a.csv": "mine", "a-2.csv": "x,y", "b.txt": "é"}
    broken = run("chat", stdin=script("run_python", code="print('before')\n1 / 0"))
    assert broken.stderr.startswith("Run 2 lines of Python · failed\nOutput:\nbefore\n\nError in line 2:\n")
    assert broken.stderr.endswith("ZeroDivisionError: division by zero\n")
    silent = run("chat", stdin=script("run_python", code="x = 1") + "/save\n")
    assert silent.stderr == "The last answer has no images, and made no files.\n"
    unable = run("chat", stdin=script("run_python", code="import torch"))
    assert "Note:" not in unable.stderr


def test_a_result_cannot_steer_the_terminal(tmp_path: Path) -> None:
    screen = Screen(tmp_path, "chat", NO_COLOR="1")
    try:
        screen.until("/help lists commands")
        screen.type(script("run_python", code="print('a\x1b[31mred')").replace("\n", "\r"))
        screen.until("a[31mred")
        screen.until("words · scripted")
    finally:
        screen.close()


def test_help_says_what_is_saved(tmp_path: Path) -> None:
    assert "the files that it made" in Eclair(tmp_path)("chat", stdin="/help\n").stdout
