"""`eclair transcribe` as a person has it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson

from eclair.settings import Settings
from tests.cli.test_cli import Eclair
from tests.speech.conftest import SOUNDS, lend_listening


def test_a_recording_is_printed_as_text_and_with_times(tmp_path: Path) -> None:
    run = Eclair(tmp_path / "home")
    missing = run("transcribe", str(SOUNDS / "english.webm"))
    assert missing.returncode == 3
    assert "eclair speech install" in missing.stderr
    lend_listening(replace(Settings(), data_dir=tmp_path / "home"))
    said = run("transcribe", str(SOUNDS / "english.webm"), "--language", "en", "--format", "json")
    (first, *_) = orjson.loads(said.stdout)["sentences"]
    assert "harbour master" in first["text"]
    assert 0 <= first["start"] < 1 < first["end"] < 8
    subtitles = run("transcribe", str(SOUNDS / "german.mp3"), "--format", "srt")
    assert subtitles.stdout.startswith("1\n00:00:0")
    assert "Hafenmeister" in subtitles.stdout
    assert run("transcribe", str(SOUNDS / "german.mp3"), "--language", "xx").returncode == 2
    assert run("transcribe", str(tmp_path / "none.mp3")).returncode == 2


def test_the_models_that_hear_are_listed_and_chosen(tmp_path: Path) -> None:
    run = Eclair(tmp_path / "home")
    listed = run("speech", "recognizers")
    assert listed.returncode == 0, listed.stderr
    lines = {line.split()[0]: line for line in listed.stdout.splitlines()}
    assert "not here: `eclair speech install listening`" in lines["whisper-base"]
    assert "not here: `eclair pull whisper-medium`" in lines["whisper-medium"]
    report = orjson.loads(run("speech", "recognizers", "--json").stdout)
    assert (report["chosen"], report["used"], report["fault"]) == ("auto", "whisper-base", None)
    wrong = run("transcribe", str(SOUNDS / "english.webm"), "--model", "whisper-huge")
    assert (wrong.returncode, "choose one of whisper-base, whisper-small" in wrong.stderr) == (2, True)
    lend_listening(replace(Settings(), data_dir=tmp_path / "home"))
    absent = run("transcribe", str(SOUNDS / "english.webm"), "--model", "whisper-medium")
    assert (absent.returncode, "eclair pull whisper-medium" in absent.stderr) == (3, True)
