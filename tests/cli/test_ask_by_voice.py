"""`eclair ask --voice` and `--speak`, with programs on PATH that stand in for a recorder and a player."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from eclair.settings import Settings
from tests.cli.test_cli import Eclair, Screen
from tests.speech.conftest import lend_listening, lend_speaking
from tests.speech.recordings import silence, spoken


class SoundPrograms:
    """A folder of programs, which comes first on PATH; `heard` is what the player was given."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "programs"
        self._folder.mkdir()
        self.heard = folder / "heard"
        self.path = f"{self._folder}{os.pathsep}{os.environ['PATH']}"

    def add(self, name: str, script: str) -> None:
        program = self._folder / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    def record(self, sound: Path) -> None:
        """Have a recorder give a sound, then silence for ever."""
        self.add("parecord", "echo Connection refused >&2; exit 1")
        self.add("arecord", f"cat {sound}; exec cat /dev/zero")

    def play(self) -> None:
        """Have the second player play."""
        self.add("pacat", "echo Connection refused >&2; exit 1")
        self.add("aplay", f"exec cat > {self.heard}")


@pytest.fixture
def programs(tmp_path: Path) -> SoundPrograms:
    return SoundPrograms(tmp_path)


@pytest.fixture
def listening(tmp_path: Path) -> Eclair:
    lend_listening(replace(Settings(), data_dir=tmp_path / "home"))
    return Eclair(tmp_path / "home")


def test_a_question_is_heard_until_silence(tmp_path: Path, listening: Eclair, programs: SoundPrograms) -> None:
    sound = tmp_path / "question"
    sound.write_bytes(spoken("english.webm").tobytes())
    programs.record(sound)
    said = listening("ask", "--voice", "--language", "en", PATH=programs.path)
    assert said.returncode == 0, said.stderr
    assert "harbour master" in said.stderr
    assert said.stdout.strip()


def test_enter_ends_the_recording(tmp_path: Path, listening: Eclair, programs: SoundPrograms) -> None:
    sound = tmp_path / "question"
    sound.write_bytes(spoken("german.mp3").tobytes())
    programs.record(sound)
    programs.add("arecord", f"cat {sound}; exec sleep 600")
    screen = Screen(tmp_path / "home", "ask", "--voice", PATH=programs.path)
    screen.until("Listening")
    screen.type("\n")
    screen.until("Writing it down")
    assert screen.wait() in (0, 2)  # Enter may come before the first word


@pytest.mark.usefixtures("listening")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_recording(
    tmp_path: Path, programs: SoundPrograms, number: signal.Signals, code: int
) -> None:
    recorder = tmp_path / "recorder"
    programs.add("arecord", f"echo $$ > {recorder}; head -c 4096 /dev/zero; exec sleep 600")
    screen = Screen(tmp_path / "home", "ask", "--voice", PATH=programs.path)
    screen.until("Listening")
    screen.signal(number)
    assert screen.end() == code, screen.raw
    screen.close()
    with pytest.raises(ProcessLookupError):
        os.kill(int(recorder.read_text()), 0)


def test_without_a_microphone_it_says_so(listening: Eclair, programs: SoundPrograms) -> None:
    none = listening("ask", "--voice", PATH=programs.path)
    assert none.returncode == 3
    assert "No program records sound here (parecord, arecord, rec)" in none.stderr
    programs.add("arecord", "echo 'arecord: main:831: audio open error: No such file or directory' >&2; exit 1")
    broken = listening("ask", "--voice", PATH=programs.path)
    assert broken.returncode == 3
    assert "No microphone gives sound (arecord: arecord: main:831: audio open error: No such" in broken.stderr
    assert listening("ask", "--voice", "--language", "xx", PATH=programs.path).returncode == 2


def test_silence_is_no_question(tmp_path: Path, listening: Eclair, programs: SoundPrograms) -> None:
    sound = tmp_path / "question"
    sound.write_bytes(silence(1).tobytes())
    programs.add("arecord", f"exec cat {sound}")
    said = listening("ask", "--voice", PATH=programs.path)
    assert said.returncode == 2
    assert "Nobody was heard speaking; check" in said.stderr
    programs.add("arecord", "exec cat /dev/zero")  # a microphone that is muted gives silence for ever
    muted = listening("ask", "--voice", PATH=programs.path)
    assert muted.returncode == 2
    assert "Nobody was heard speaking for 15 seconds; check" in muted.stderr


def test_without_the_parts_it_says_how_to_install_them(tmp_path: Path, programs: SoundPrograms) -> None:
    bare = Eclair(tmp_path / "home")
    assert "eclair speech install" in bare("ask", "--voice", PATH=programs.path).stderr
    assert "eclair speech install speaking" in bare("ask", "--speak", "Hello.", PATH=programs.path).stderr


def test_nobody_speaks_in_vain(listening: Eclair, programs: SoundPrograms) -> None:
    programs.add("arecord", "exec cat /dev/zero")
    both = listening("ask", "--voice", "--speak", PATH=programs.path)
    assert both.returncode == 3
    assert "eclair speech install speaking" in both.stderr
    typed = listening("ask", "--language", "fr", "Bonjour.")
    assert typed.returncode == 2
    assert "add `--voice`, or leave it out" in typed.stderr


def test_the_answer_is_read_aloud(tmp_path: Path, programs: SoundPrograms) -> None:
    lend_speaking(replace(Settings(), data_dir=tmp_path / "home"))
    run = Eclair(tmp_path / "home")
    silent = run("ask", "--speak", "Hello.", PATH=programs.path)
    assert silent.returncode == 3
    assert "No program plays sound here (pacat, aplay, play)" in silent.stderr
    programs.play()
    said = run("ask", "--speak", "script: words=12", PATH=programs.path)
    assert said.returncode == 0, said.stderr
    assert "Read aloud by a synthetic voice." in said.stderr
    assert "cannot be read aloud" not in said.stderr
    usual_bytes = programs.heard.stat().st_size
    assert 24_000 < usual_bytes < 40 * 48_000
    chosen = ("--speak-voice", "bm_george", "--speak-speed", "2")
    assert run("ask", "--speak", *chosen, "script: words=12", PATH=programs.path).returncode == 0
    assert 0.3 * usual_bytes < programs.heard.stat().st_size < 0.8 * usual_bytes
    programs.add("aplay", "echo 'no sound card' >&2; exit 1")
    said = run("ask", "--speak", "script: words=12", PATH=programs.path)
    assert said.returncode == 0
    assert "The answer cannot be read aloud (pacat: Connection refused; aplay: no sound card)." in said.stderr
    assert said.stdout.strip()


def test_a_voice_or_speed_that_there_is_not_is_refused(tmp_path: Path, programs: SoundPrograms) -> None:
    run = Eclair(tmp_path / "home")
    for wrong, told in (
        (("--speak", "--speak-voice", "nobody"), "There is no voice 'nobody'; choose one of af_heart,"),
        (("--speak", "--speak-speed", "9"), "The speed must be between 0.25 and 4."),
        (("--speak-speed", "2"), "say how an answer is read aloud; add `--speak`."),
    ):
        refused = run("ask", *wrong, "Hello.", PATH=programs.path)
        assert (refused.returncode, told in refused.stderr) == (2, True), refused.stderr


def test_ctrl_c_silences_at_once(tmp_path: Path, programs: SoundPrograms) -> None:
    lend_speaking(replace(Settings(), data_dir=tmp_path / "home"))
    number = tmp_path / "number"
    programs.add("aplay", f"echo $$ > {number}.new; mv {number}.new {number}; exec sleep 600")
    process = Eclair(tmp_path / "home").start("ask", "--speak", "script: words=400 rate=20", PATH=programs.path)
    deadline = time.monotonic() + 60
    while not number.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    with pytest.raises(ProcessLookupError):
        os.kill(int(number.read_text()), 0)
