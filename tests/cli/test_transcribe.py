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
