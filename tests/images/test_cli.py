"""`eclair draw` as a person has it."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from tests.cli.test_cli import Eclair, Screen
from tests.images.support import opened
from tests.provenance.made import encoded, photo


@pytest.fixture
def run(tmp_path: Path) -> Eclair:
    return Eclair(tmp_path / "home")


def test_pictures_are_drawn_to_files_that_are_marked(run: Eclair, tmp_path: Path) -> None:
    out = tmp_path / "apple.jpg"
    done = run("draw", "a", "blue apple", "-o", str(out), "--count", "2", "--size", "128x64", "--style", "photo")
    assert (done.returncode, done.stderr) == (0, "")
    paths = [tmp_path / "apple-1.jpg", tmp_path / "apple-2.jpg"]
    assert done.stdout.splitlines() == [str(path) for path in paths]
    assert [(opened(path.read_bytes()).format, opened(path.read_bytes()).size) for path in paths] == [
        ("JPEG", (128, 64))
    ] * 2
    checked = run("check-mark", "--json", str(paths[0]))
    (report,) = orjson.loads(checked.stdout)
    assert (report["made"], report["credentials"]["model"], report["credentials"]["trust"]) == (
        "created",
        "scripted-picture",
        "own",
    )


def test_a_photo_is_changed(run: Eclair, tmp_path: Path) -> None:
    before, out = tmp_path / "photo.png", tmp_path / "after.webp"
    before.write_bytes(encoded(photo(96, 64)))
    done = run("draw", "make it red", "--edit", str(before), "-o", str(out), "--strength", "0.2")
    assert done.returncode == 0
    assert (opened(out.read_bytes()).format, opened(out.read_bytes()).size) == ("WEBP", (96, 64))
    (report,) = orjson.loads(run("check-mark", "--json", str(out)).stdout)
    assert report["made"] == "edited"


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["x", "--model", "none"], 2, "There is no image model 'none'"),
        (["x", "--model", "scripted-absent"], 3, "run `eclair pull scripted-absent`"),
        (["x", "--size", "big"], 2, "'big' is not a size"),
        (["x", "--size", "77x64"], 2, "ask for 80 × 64"),
        (["x", "-o", "x.gif"], 2, "use .png, .jpg or .webp"),
        (["x", "-o", "nowhere/x.png"], 2, "There is no folder"),
        (["x", "--edit", "none.png"], 2, "There is no file none.png"),
        (["script: fail=1"], 4, "broke off"),
    ],
)
def test_what_cannot_be_drawn_is_said_in_a_sentence(
    run: Eclair, arguments: list[str], code: int, sentence: str
) -> None:
    done = run("draw", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert sentence in done.stderr


def test_a_terminal_shows_how_far_it_is_and_ctrl_c_stops_it(tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    screen = Screen(tmp_path / "home", "draw", "script: pause=0.5", "--steps", "100", "-o", str(out))
    try:
        screen.until("step 2 of 100")
        screen.type("\x03")
        assert screen.end() == 130
    finally:
        screen.close()
    assert not out.exists()


def test_what_draws_is_listed_below_what_answers(run: Eclair) -> None:
    done = run("models")
    assert done.returncode == 0
    table = done.stdout.split("\n\n")[1].splitlines()
    assert table[0].split()[:3] == ["IMAGES", "NAME", "LICENSE"]
    rows = {line.split()[0]: line for line in table[1:]}
    assert rows["scripted-picture"].endswith("ready")
    assert "`eclair pull scripted-absent`" in rows["scripted-absent"]
    assert "needs a key" in rows["scripted-locked"]
