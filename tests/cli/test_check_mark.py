"""`eclair check-mark` as a person has it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson
import pytest

from eclair.provenance.provenance_report import Origin
from eclair.provenance.service import Provenance
from eclair.provenance.watermark_keys import WatermarkKeys
from eclair.settings import Settings
from tests.cli.test_cli import Eclair
from tests.provenance.made import encoded, marked_words, photo


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """One that a model edited, the same altered, one without marks, one that bears none, and one that is not there."""
    marks = Provenance.configured(Settings(data_dir=tmp_path / "other"))
    marked = asyncio.run(marks.mark(encoded(photo(320, 240)), Origin("edited", "Kontext")))
    spots = bytearray(marked)
    spots[-3000] ^= 1
    data = {"edited.png": marked, "altered.png": bytes(spots), "plain.jpg": encoded(photo(320, 240), "JPEG")}
    for name, content in {**data, "notes.bin": b"\0\1\2\3"}.items():
        (tmp_path / name).write_bytes(content)
    return [str(tmp_path / name) for name in (*data, "notes.bin", "missing.png")]


def test_it_says_what_the_marks_say(tmp_path: Path, files: list[str]) -> None:
    run = Eclair(tmp_path / "home")
    said = run("check-mark", *files)
    assert said.returncode == 2
    edited, altered, plain = (said.stdout.partition(name)[2].partition(f"{tmp_path}")[0] for name in files[:3])
    assert "A model had a part in it, by its marks." in edited
    assert "signed by Éclair, whom nobody here has checked, unaltered since" in edited
    assert "by chance with a probability of" in edited
    assert "It has been altered since it was signed." in altered
    assert "That proves nothing" in plain
    assert "notes.bin is damaged, or of a kind" in said.stderr
    assert "There is no file" in said.stderr


def test_as_json(tmp_path: Path, files: list[str]) -> None:
    said = Eclair(tmp_path / "home")("check-mark", "--json", *files)
    edited, altered, plain, notes, missing = orjson.loads(said.stdout)
    assert (edited["made"], edited["altered"], edited["credentials"]["model"]) == ("edited", False, "Kontext")
    assert (altered["made"], altered["altered"]) == ("edited", True)
    assert (plain["made"], plain["watermark"]["state"]) == (None, "absent")
    assert (notes["error"]["code"], missing["error"]["code"]) == ("unreadable_file", "not_found")


def test_texts_from_files_and_pipes_are_tested_for_the_watermark(tmp_path: Path) -> None:
    run = Eclair(tmp_path / "home")
    key = WatermarkKeys.configured(Settings(data_dir=tmp_path / "home")).current()
    (tmp_path / "ours.md").write_text(marked_words(key, 60, 0.9), "utf-8")
    (tmp_path / "notes.txt").write_text("Hello.", "utf-8")
    said = run("check-mark", str(tmp_path / "ours.md"), str(tmp_path / "notes.txt"))
    ours, _, notes = said.stdout.partition("notes.txt")
    assert "likely made by this Éclair" in ours
    assert "cannot tell" in notes
    assert said.returncode == 0
    piped = run("check-mark", "--json", "-", stdin=marked_words(key, 60, 0.9))
    (found,) = orjson.loads(piped.stdout)
    assert (found["file"], found["media"], found["text_watermark"]) == ("-", "text/plain", {"state": "likely"})


def test_the_doctor_says_until_when_marks_are_signed(tmp_path: Path, files: list[str]) -> None:
    run = Eclair(tmp_path / "home")
    checks = {each["name"]: each for each in orjson.loads(run("doctor", "--json").stdout)["checks"]}
    assert "is made when the first image is marked" in checks["Marks"]["detail"]
    other = {"ECLAIR_DATA_DIR": str(tmp_path / "other")}
    checks = {each["name"]: each for each in orjson.loads(run("doctor", "--json", **other).stdout)["checks"]}
    assert "renewed automatically" in checks["Marks"]["detail"]
