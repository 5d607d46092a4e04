"""How long it takes to hear an hour of sound, in what memory, and how much slower everything else gets meanwhile.

The sound is made of the short sentences of the tests (`tests/speech/sounds`, five languages, SVOX Pico's voice), one
after the other with pauses of half a second and noise 40 dB below the speech, until it is long enough; no recordings of
people. It is heard from a file by one process with one thread, as recordings that are documents are, but at the
usual priority. Times are those of the processor, so that what else runs on the machine doesn't count; the share of a
core that it got is printed beside them. What an answer loses is measured with a stand-in for the engine: processes that
only compute, one a core, beside the hearing of a document and without it.
"""

from __future__ import annotations

import asyncio
import importlib
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from harness import Goals, options, run, table
from numpy.typing import NDArray

from eclair.settings import Settings
from eclair.speech.listening_parts import ListeningParts
from eclair.speech.recognition import RecognitionOptions, SpeechRecognizer
from eclair.speech.recognition_protocol import SoundHeard, SpokenSegment
from eclair.speech.sound_decoding import PYAV

SOUNDS = Path(__file__).parents[1] / "tests" / "speech" / "sounds"
RATE = 16_000
PAUSE_S = 0.5
NOISE = 0.01
"""Of the loudest sample."""
MINUTES, QUICK_MINUTES = 60, 1
HOUR_GOAL_MIN = 12.0
FACTOR_GOAL = 0.3
SLOWER_GOAL = 0.1
COMPUTED_S = 10.0
ROUNDS = 3

Samples = NDArray[np.int16]


def main() -> None:
    parser = options(__doc__ or "")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="of sound")
    wanted = parser.parse_args()
    run(bench(QUICK_MINUTES if wanted.quick else wanted.minutes, quick=wanted.quick))


async def bench(minutes: float, *, quick: bool) -> None:
    parts = ListeningParts(Settings().data_dir)
    goals = Goals()
    with tempfile.TemporaryDirectory(prefix="eclair-bench-") as folder:
        path = Path(folder) / "talk.flac"
        await asyncio.to_thread(make, parts.folder, path, minutes * 60)
        recognizer = SpeechRecognizer(parts)
        try:
            await hear(recognizer, path, minutes * 60, goals)
            if not quick:
                await compare(recognizer, path, goals)
        finally:
            await recognizer.close()
    goals.print()


def make(packages: Path, path: Path, seconds: float) -> None:
    """Write the sound as FLAC."""
    sys.path.append(os.fspath(packages))
    av: Any = importlib.import_module(PYAV)
    random = np.random.default_rng(1)
    sentences = [decoded(av, each) for each in sorted(SOUNDS.iterdir())]
    with av.open(os.fspath(path), "w", format="flac") as container:
        stream = container.add_stream("flac", rate=RATE, layout="mono")
        for piece in pieces(sentences, round(seconds * RATE)):
            noise = random.normal(0, NOISE * np.iinfo(np.int16).max, len(piece))
            noisy = np.clip(piece + noise, -32768, 32767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(noisy[None], format="s16", layout="mono")
            frame.sample_rate = RATE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def decoded(av: Any, path: Path) -> Samples:
    with av.open(os.fspath(path)) as container:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        frames = [piece for frame in container.decode(audio=0) for piece in resampler.resample(frame)]
        return np.concatenate([piece.to_ndarray()[0] for piece in (*frames, *resampler.resample(None))])


def pieces(sentences: list[Samples], count: int) -> Iterator[Samples]:
    """Yield the sentences in turn, each a few times before the next language, up to `count` samples."""
    pause = np.zeros(round(PAUSE_S * RATE), np.int16)
    turn = 0
    while count > 0:
        piece = np.concatenate([sentences[turn // 8 % len(sentences)], pause])[:count]
        yield piece
        count -= len(piece)
        turn += 1


async def hear(recognizer: SpeechRecognizer, path: Path, seconds: float, goals: Goals) -> None:
    """Hear the whole sound, and say how long that took."""
    began, words, worker_s, peak = time.monotonic(), 0, 0.0, 0
    async for result in recognizer.recognize(path, path.name, RecognitionOptions()):
        if isinstance(result, SpokenSegment):
            words += len(result.text.split())
        elif isinstance(result, SoundHeard):
            worker_s, peak = spent(worker_s, peak)
    clock_s = time.monotonic() - began
    factor = worker_s / seconds
    table(
        ("minutes of sound", "words", "processor, s", "clock, s", "share of a core", "memory, MB"),
        [
            (
                f"{seconds / 60:.0f}",
                f"{words:,}",
                f"{worker_s:.0f}",
                f"{clock_s:.0f}",
                f"{worker_s / clock_s:.0%}",
                f"{peak / 1e6:.0f}",
            )
        ],
    )
    goals.at_most("real-time factor, processor time", factor, FACTOR_GOAL)
    goals.at_most("an hour of sound, processor time", factor * 60, HOUR_GOAL_MIN, " min")


def spent(before_s: float, peak: int) -> tuple[float, int]:
    """The most processor time and memory that a process below this one has taken so far."""
    for child in psutil.Process().children(recursive=True):
        try:
            times, memory = child.cpu_times(), child.memory_info().rss
        except psutil.NoSuchProcess:
            continue
        before_s, peak = max(before_s, times.user + times.system), max(peak, memory)
    return before_s, peak


async def compare(recognizer: SpeechRecognizer, path: Path, goals: Goals) -> None:
    """Compute alone and beside the hearing, in turn."""
    alone, beside = 0, 0
    for _ in range(ROUNDS):
        alone += await asyncio.to_thread(computed)
        listening = asyncio.create_task(listen(recognizer, path))
        await asyncio.sleep(COMPUTED_S * 2)  # until its first minute is over
        beside += await asyncio.to_thread(computed)
        listening.cancel()
        await asyncio.wait([listening])
    goals.at_most("slower beside it", 1 - beside / alone, SLOWER_GOAL)


async def listen(recognizer: SpeechRecognizer, path: Path) -> None:
    async for _ in recognizer.recognize(path, path.name, RecognitionOptions(in_background=True)):
        pass


def computed() -> int:
    """Compute on all cores for a while; return how much."""
    cores = os.cpu_count() or 1
    with multiprocessing.get_context("spawn").Pool(cores) as pool:
        return sum(pool.map(multiplications, [COMPUTED_S] * cores))


def multiplications(seconds: float) -> int:
    matrix = np.random.default_rng(1).random((128, 128), np.float32)
    count, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        for _ in range(50):
            matrix @ matrix  # pyright: ignore[reportUnusedExpression]
        count += 50
    return count


if __name__ == "__main__":
    main()
