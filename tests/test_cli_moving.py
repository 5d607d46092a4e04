"""`eclair export` and `eclair import`, as a person has them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import orjson
import pytest

from tests.archive.support import SAMPLES
from tests.test_cli import Eclair, Screen


@pytest.fixture
def run(tmp_path: Path) -> Eclair:
    return Eclair(tmp_path / "home")


def test_in_and_out_and_in_again(run: Eclair, tmp_path: Path) -> None:
    checked = run("import", str(SAMPLES / "chatgpt.json"), "--check")
    assert checked.returncode == 0
    assert checked.stdout == "chatgpt.json is from ChatGPT: 2 conversations, 5 messages.\n"
    assert "Left out: pictures (1 in 1 conversation)." in checked.stderr
    assert run("import", str(SAMPLES / "chatgpt.json")).stdout.splitlines()[1:] == [
        "New here: 2 conversations, 5 messages. Here already: 0."
    ]
    whole = tmp_path / "all.zip"
    assert run("export", "-o", str(whole)).stdout == f"Exported to {whole}\n"
    with zipfile.ZipFile(whole) as archive:
        assert archive.testzip() is None
        (name,) = (name for name in archive.namelist() if name.startswith("json/Sourdough"))
        id = orjson.loads(archive.read(name))["conversation"]["id"]
    assert "Here already: 2." in run("import", str(whole)).stdout
    assert "New here: 2 conversations" in Eclair(tmp_path / "other")("import", str(whole)).stdout
    page = tmp_path / "bread.html"
    assert run("export", id, "--format", "html", "--output", str(page)).returncode == 0
    assert "It proved too long." in page.read_text("utf-8")
    assert run("export", id, "-o", str(tmp_path)).stdout == f"Exported to {tmp_path / 'Sourdough.md'}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["import", "none.json"], "none.json cannot be read: No such file or directory."),
        (["import", __file__], "neither JSON nor a zip"),
        (["import"], "FILE"),
        (["export", "conv_none"], "There is no conversation 'conv_none'"),
        (["export", "--format", "json"], "name one to choose its format"),
        (["export", "x", "--format", "pdf"], "pdf"),
        (["export", "-o", __file__], "is there already; choose another name with --output."),
        (["export", "-o", "/nowhere/at/all.zip"], "/nowhere/at/all.zip cannot be written"),
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
