"""`eclair speak`: speaks Markdown into a sound file, with the installed voices."""

from __future__ import annotations

import argparse
import sys
from contextlib import aclosing
from pathlib import Path
from typing import BinaryIO

from eclair.cli._arguments import load_settings
from eclair.cli._logging import log_if_debugging
from eclair.cli._signals import run_async
from eclair.cli._terminal import Terminal
from eclair.errors import InvalidInput
from eclair.settings import Settings
from eclair.speech.sound_encoder import wav_header
from eclair.speech.speaking_parts import SpeakingParts
from eclair.speech.speech_request import SpeechRequest, find_voiced_sentences
from eclair.speech.synthesis import SpeechSynthesizer, check_speed
from eclair.speech.synthesis_protocol import SoundForm, VoicedSentence
from eclair.speech.voices import check_voice
from eclair.util.file_replacement import replace_file
from eclair.util.humanize import format_moment

FORMS: dict[str, SoundForm] = {".mp3": "mp3", ".opus": "opus", ".ogg": "opus", ".flac": "flac", ".wav": "wav"}
"""The form of a file's sound, by the end of its name."""


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    form = FORMS.get(arguments.output.suffix.lower())
    if form is None:
        *most, last = FORMS
        raise InvalidInput(
            f"The name {arguments.output} doesn't end like a sound file's; use {', '.join(most)} or {last}."
        )
    if arguments.voice is not None:
        check_voice(arguments.voice)
    check_speed(arguments.speed)
    voices = () if arguments.voice is None else (arguments.voice,)
    request = SpeechRequest(_read(arguments.file), form, voices, arguments.speed, arguments.language)
    return run_async(_speak(settings, request, arguments.output, terminal))


async def _speak(settings: Settings, request: SpeechRequest, output: Path, terminal: Terminal) -> int:
    """Speak into the file, which appears once it is complete. Raises InvalidInput, ModelMissing and EngineBroken."""
    synthesizer = SpeechSynthesizer(SpeakingParts(settings.data_dir))
    synthesizer.check_ready()
    sentences = find_voiced_sentences(request)
    try:
        with replace_file(output, terminal.umask) as file:
            seconds = await _write(file, synthesizer, sentences, request, terminal)
    except OSError as error:
        raise InvalidInput(f"{output} cannot be written: {error.strerror}.") from error
    finally:
        terminal.status("")
        await synthesizer.close()
    terminal.note(f"{output} · {format_moment(seconds)} · synthetic voice")
    return 0


async def _write(
    file: BinaryIO,
    synthesizer: SpeechSynthesizer,
    sentences: list[VoicedSentence],
    request: SpeechRequest,
    terminal: Terminal,
) -> float:
    """Write the sound as it is made; return its length in seconds. The head of a WAV in a pipe has no length."""
    spoken, seconds, size = 0, 0.0, 0
    terminal.status(_progress(spoken, len(sentences), seconds))
    async with aclosing(synthesizer.speak(sentences, request.speed, request.form, use="file")) as sounds:
        async for sound in sounds:
            size += file.write(sound.data)
            seconds += sound.seconds
            spoken = min(spoken + 1, len(sentences))  # the last piece may end the file only
            terminal.status(_progress(spoken, len(sentences), seconds))
    if request.form == "wav" and file.seekable():
        file.seek(0)
        file.write(wav_header(size - len(wav_header())))
    return seconds


def _progress(spoken: int, count: int, seconds: float) -> str:
    return f"Speaking, sentence {min(spoken + 1, count):,} of {count:,}, {format_moment(seconds)} so far…"


def _read(file: Path) -> str:
    """Read the file, or standard input for `-`. Raises InvalidInput."""
    is_piped = file == Path("-")
    name = "The piped text" if is_piped else str(file)
    try:
        data = sys.stdin.buffer.read() if is_piped else file.read_bytes()
        return data.decode()
    except OSError as error:
        raise InvalidInput(f"{name} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{name} is not UTF-8 (byte {error.start + 1:,}); convert it first.") from None
