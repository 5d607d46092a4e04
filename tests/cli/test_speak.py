"""`eclair speak` as a person has it."""

from __future__ import annotations

import os
import wave
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from eclair.settings import Settings
from eclair.speech.sound_encoder import with_length
from tests.cli.test_cli import Eclair, Screen
from tests.speech.conftest import lend_speaking

TEXT = "# Abfahrt\n\nDer Zug fährt heute nicht ab. [Hier](https://example.org) wartet niemand.\n\n```\ncode\n```\n"
HEADS = {".mp3": b"ID3", ".opus": b"OggS", ".wav": b"RIFF"}


def speaker(folder: Path) -> Eclair:
    """Éclair with the voices."""
    lend_speaking(replace(Settings(), data_dir=folder / "home"))
    return Eclair(folder / "home")


def seconds(path: Path) -> float:
    with wave.open(str(path)) as file:
        return file.getnframes() / file.getframerate()


def test_a_text_becomes_a_marked_sound_file(tmp_path: Path) -> None:
    run = speaker(tmp_path)
    text = tmp_path / "answer.md"
    text.write_text(TEXT)
    sounds = [tmp_path / f"answer{suffix}" for suffix in HEADS]
    sounds[-1].touch()
    sounds[-1].chmod(0o640)
    for sound in sounds:
        made = run("speak", str(text), "-o", str(sound))
        assert (made.returncode, made.stdout, made.stderr) == (0, "", "")
        assert sound.read_bytes().startswith(HEADS[sound.suffix])
    checked = run("check-mark", *map(str, sounds)).stdout
    assert checked.count("A model made it, by its marks.") == len(sounds)
    sound = sounds[-1]
    assert sound.stat().st_mode & 0o777 == 0o640, "a file that is there keeps its mode"
    assert 2 < seconds(sound) < 15
    pipe = tmp_path / "pipe.wav"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as pool:
        reading = pool.submit(pipe.read_bytes)
        assert run("speak", str(text), "-o", str(pipe)).returncode == 0
        assert with_length(reading.result()) == sound.read_bytes()
    fast = tmp_path / "fast.wav"
    piped = run("speak", "-", "-o", str(fast), "--speed", "2", "--voice", "pico_de", stdin=TEXT)
    assert piped.returncode == 0, piped.stderr
    assert 0.3 * seconds(sound) < seconds(fast) < 0.8 * seconds(sound)


def test_what_cannot_be_spoken_says_why_and_leaves_no_file(tmp_path: Path) -> None:
    text, latin, polish = (tmp_path / f"{name}.md" for name in ("answer", "latin", "polish"))
    text.write_text("Der Zug fährt heute nicht ab.")
    folder = tmp_path / "folder.mp3"
    folder.mkdir()
    polish.write_text("Dzień dobry, jak się masz, czy to jest dobre?")
    latin.write_bytes("Der Zug fährt heute nicht ab.".encode("latin-1"))
    sound = tmp_path / "sounds" / "answer.mp3"
    absent = Eclair(tmp_path / "home")("speak", str(text), "-o", str(sound))
    assert (absent.returncode, "eclair speech install speaking" in absent.stderr) == (3, True)
    run = speaker(tmp_path)
    for arguments, told in (
        (
            (str(text), "-o", str(tmp_path / "answer.aac")),
            "doesn't end like a sound file's; use .mp3, .opus, .ogg, .flac or .wav.",
        ),
        ((str(text), "-o", str(sound), "--speed", "9"), "The speed must be between 0.25 and 4."),
        ((str(tmp_path / "none.md"), "-o", str(sound)), "none.md cannot be read: No such file or directory."),
        ((str(latin), "-o", str(sound)), "latin.md is not UTF-8 (byte 10); convert it first."),
        ((str(polish), "-o", str(sound)), "No voice speaks Polish; the voices speak English,"),
        ((str(text), "-o", str(sound)), "answer.mp3 cannot be written: No such file or directory."),
        ((str(text), "-o", str(folder)), "folder.mp3 cannot be written: Is a directory."),
        (("-", "-o", str(sound)), "The text has nothing that can be spoken."),
    ):
        refused = run("speak", *arguments)
        assert (refused.returncode, told in refused.stderr) == (2, True), refused.stderr
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["answer.md", "folder.mp3", "home", "latin.md", "polish.md"]


def test_it_shows_its_progress_and_ctrl_c_leaves_no_file(tmp_path: Path) -> None:
    speaker(tmp_path)
    text, sound = tmp_path / "answer.md", tmp_path / "answer.mp3"
    text.write_text("Der Zug fährt heute nicht ab. " * 4000)
    screen = Screen(tmp_path / "home", "speak", str(text), "-o", str(sound))
    try:
        screen.until("Speaking, sentence 3 of 4,000")
        assert not sound.exists()
        screen.type("\x03")
        assert screen.end() == 130, screen.raw
    finally:
        screen.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answer.md", "home"]
