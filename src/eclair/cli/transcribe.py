"""`eclair transcribe`: prints what is said in a recording, as text or with times; nothing is stored."""

from __future__ import annotations

import argparse
import time
from contextlib import aclosing
from dataclasses import asdict, replace
from pathlib import Path

import orjson

from eclair.cli._arguments import load_settings
from eclair.cli._logging import log_if_debugging
from eclair.cli._signals import run_async
from eclair.cli._terminal import Terminal
from eclair.errors import InvalidInput, UnreadableFile
from eclair.settings import Settings
from eclair.speech.captions import write_srt, write_vtt
from eclair.speech.listening_parts import ListeningParts
from eclair.speech.recognition import LANGUAGES, RecognitionOptions, recording_recognizer
from eclair.speech.recognition_protocol import SoundHeard, SoundOpened, SpokenSegment
from eclair.speech.recognizer_choice import with_speech_settings
from eclair.speech.whisper_models import BASE_MODEL, WHISPER_MODELS, find_whisper_model
from eclair.util.humanize import format_duration, format_moment

MIN_ESTIMATED_S = 5.0
"""Seconds of work after which the rest is estimated."""


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = with_speech_settings(load_settings(arguments).settings)
    if arguments.model is not None:
        if arguments.model != BASE_MODEL and find_whisper_model(arguments.model) is None:
            names = ", ".join((BASE_MODEL, *(model.id for model in WHISPER_MODELS)))
            raise InvalidInput(f"There is no Whisper model {arguments.model}; choose one of {names}.")
        settings = replace(settings, transcriber=arguments.model)
    log_if_debugging(settings)
    if arguments.language is not None and arguments.language not in LANGUAGES:
        raise InvalidInput(f"{arguments.language} is no language that is recognized; send a code such as fr.")
    if not arguments.file.is_file():
        raise UnreadableFile(f"{arguments.file} is no file; name a recording.")
    options = RecognitionOptions(arguments.language, "translate" if arguments.translate else "transcribe")
    return run_async(_transcribe(settings, arguments.file.resolve(), options, arguments.format, terminal))


async def _transcribe(
    settings: Settings, path: Path, options: RecognitionOptions, form: str, terminal: Terminal
) -> int:
    recognizer = recording_recognizer(settings, ListeningParts(settings.data_dir))
    segments: list[SpokenSegment] = []
    duration_s, began = 0.0, time.monotonic()
    terminal.status(f"Listening to {path.name}…")
    try:
        async with aclosing(recognizer.recognize(path, path.name, options)) as results:
            async for result in results:
                match result:
                    case SoundOpened():
                        duration_s, began = result.duration_s, time.monotonic()
                    case SpokenSegment():
                        segments.append(result)
                        if form == "text":
                            terminal.line(result.text)
                    case SoundHeard(until_s=until_s):
                        terminal.status(_progress(path.name, until_s, duration_s, time.monotonic() - began))
    finally:
        terminal.status("")
        await recognizer.close()
    match form:
        case "srt":
            terminal.write_bytes(write_srt(segments).encode())
        case "vtt":
            terminal.write_bytes(write_vtt(segments).encode())
        case "json":
            sentences = [{key: asdict(each)[key] for key in ("start", "end", "text", "language")} for each in segments]
            terminal.write_bytes(orjson.dumps({"sentences": sentences}, option=orjson.OPT_INDENT_2) + b"\n")
        case _ if not segments:
            terminal.warn(f"Nobody was heard speaking in {path.name}.")
        case _:
            pass
    return 0


def _progress(name: str, until_s: float, duration_s: float, worked_s: float) -> str:
    """Describe the progress, as in `Listening to talk.mp3, 12:40 of 1:02:05, 5 min 3 s left…`."""
    if not duration_s:
        return f"Listening to {name}, {format_moment(until_s)}…"
    text = f"Listening to {name}, {format_moment(until_s)} of {format_moment(duration_s)}"
    if worked_s < MIN_ESTIMATED_S or not until_s:
        return f"{text}…"
    left_s = max(0.0, duration_s - until_s) * worked_s / until_s
    return f"{text}, {format_duration(left_s * 1000)} left…"
