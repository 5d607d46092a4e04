"""Cuts sound where nobody speaks. It runs inside the sandbox; Silero's network tells speech from other sound."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
WINDOW = 512
"""Samples of a window, for which the network says how likely speech is."""

_CONTEXT = 64
_BATCH_WINDOWS = 320
"""Windows that are looked at together: 10 s."""

THRESHOLD = 0.5
"""Windows at least as likely as this are speech."""

SILENT_PEAK = 0.0005
"""Ten seconds that are nowhere louder than this (-66 dB) are silent, and the network isn't asked."""

_PADDING_WINDOWS = 6
"""Windows around speech that belong to it: 0.2 s."""
_PAUSE_WINDOWS = 62
"""Windows without speech that end a stretch of speech: 2 s."""
_SHORT_PAUSE_WINDOWS = 9
"""Windows without speech that end a stretch which is long already: 0.3 s."""
_LONG_STRETCH_WINDOWS = 620
"""Windows of a stretch that is long: 20 s."""
_MAX_STRETCH_WINDOWS = 900
"""Windows of a stretch that is cut, speech or not: 28.8 s."""

MonoSound = NDArray[np.float32]
"""Samples at `SAMPLE_RATE`, from -1 to 1."""


class VoiceActivity:
    """Says how likely speech is in each window of a sound that comes in pieces."""

    def __init__(self, network: Path) -> None:
        onnxruntime: Any = importlib.import_module("onnxruntime")
        options = onnxruntime.SessionOptions()
        options.inter_op_num_threads = 1
        options.intra_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        self._session: Any = onnxruntime.InferenceSession(
            str(network), providers=["CPUExecutionProvider"], sess_options=options
        )
        self.reset()

    def reset(self) -> None:
        """Begin with another sound."""
        self._state: tuple[MonoSound, MonoSound] = (
            np.zeros((1, 1, 128), np.float32),
            np.zeros((1, 1, 128), np.float32),
        )
        self._context: MonoSound = np.zeros(_CONTEXT, np.float32)

    def probabilities(self, samples: MonoSound) -> MonoSound:
        """Return the probability of speech in each window; `samples` are whole windows."""
        windows = samples.reshape(-1, WINDOW)
        if np.max(np.abs(samples)) < SILENT_PEAK:
            self.reset()
            return np.zeros(len(windows), np.float32)
        contexts = np.vstack([self._context[None], windows[:-1, -_CONTEXT:]])
        self._context = windows[-1, -_CONTEXT:].copy()
        rows = np.concatenate([contexts, windows], axis=1)
        found, *state = self._session.run(None, {"input": rows, "h": self._state[0], "c": self._state[1]})
        self._state = (state[0], state[1])
        return np.asarray(found, np.float32).reshape(-1)


class SpeechCutter:
    """Cuts a sound into stretches of speech of at most half a minute, which begin and end where nobody speaks."""

    def __init__(self, activity: VoiceActivity) -> None:
        self._activity = activity
        self._held: MonoSound = np.zeros(0, np.float32)
        self._likely: MonoSound = np.zeros(0, np.float32)
        self._begin = 0
        """The sample at which `_held` begins."""
        self.speech_end_s: float | None = None
        """The second until which somebody spoke, as far as it has heard; None if nobody did."""

    def cut(self, pieces: Iterable[MonoSound]) -> Iterator[tuple[float, MonoSound]]:
        """Yield each stretch of speech with the second at which it begins; an empty one says how far it has heard."""
        self._activity.reset()
        count = 0
        for batch in _batches(pieces):
            count += len(batch)
            self._take(np.pad(batch, (0, -len(batch) % WINDOW)))
            yield from self._finished_stretches()
            yield self._begin / SAMPLE_RATE, batch[:0]
        yield from self._finished_stretches(is_end=True)
        yield count / SAMPLE_RATE, self._held[:0]

    def _take(self, samples: MonoSound) -> None:
        begin, likely = self._begin + len(self._held), self._activity.probabilities(samples)
        speech = np.flatnonzero(likely >= THRESHOLD)
        if len(speech):
            self.speech_end_s = (begin + (int(speech[-1]) + 1) * WINDOW) / SAMPLE_RATE
        self._held = np.concatenate([self._held, samples])
        self._likely = np.concatenate([self._likely, likely])

    def _finished_stretches(self, *, is_end: bool = False) -> Iterator[tuple[float, MonoSound]]:
        while True:
            speech = np.flatnonzero(self._likely >= THRESHOLD)
            if not len(speech):
                self._drop(len(self._likely) if is_end else max(0, len(self._likely) - _PADDING_WINDOWS))
                return
            first = max(0, int(speech[0]) - _PADDING_WINDOWS)
            end = _stretch_end(self._likely[first:], is_end=is_end)
            if end is None:
                self._drop(first)
                return
            yield (
                (self._begin / SAMPLE_RATE + first * WINDOW / SAMPLE_RATE),
                self._held[first * WINDOW :][: end * WINDOW],
            )
            self._drop(first + end)

    def _drop(self, windows: int) -> None:
        self._held = self._held[windows * WINDOW :]
        self._likely = self._likely[windows:]
        self._begin += windows * WINDOW


def _batches(pieces: Iterable[MonoSound]) -> Iterator[MonoSound]:
    """Gather pieces into batches that are looked at together; the last one may be shorter."""
    size = _BATCH_WINDOWS * WINDOW
    waiting: list[MonoSound] = []
    count = 0
    for piece in pieces:
        waiting.append(piece)
        count += len(piece)
        if count < size:
            continue
        gathered = np.concatenate(waiting)
        while len(gathered) >= size:
            yield gathered[:size]
            gathered = gathered[size:]
        waiting, count = [gathered], len(gathered)
    if count:
        yield np.concatenate(waiting)


def _stretch_end(likely: MonoSound, *, is_end: bool) -> int | None:
    """Return the windows of a stretch of speech that begins here; None if more must be heard to know."""
    quiet = last = 0
    for number, value in enumerate(likely[:_MAX_STRETCH_WINDOWS]):
        if value >= THRESHOLD:
            quiet, last = 0, number + 1
            continue
        quiet += 1
        if quiet >= (_SHORT_PAUSE_WINDOWS if number >= _LONG_STRETCH_WINDOWS else _PAUSE_WINDOWS):
            return last + min(_PADDING_WINDOWS, quiet)
    if len(likely) >= _MAX_STRETCH_WINDOWS:
        quietest = _LONG_STRETCH_WINDOWS + int(np.argmin(likely[_LONG_STRETCH_WINDOWS:_MAX_STRETCH_WINDOWS]))
        return quietest + 1
    return min(len(likely), last + _PADDING_WINDOWS) if is_end else None
