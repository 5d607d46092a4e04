"""Tuning a model: what is tried, in which order, and what is chosen.

First the engine that was compiled for this processor, where there is one, then the layout, as it brings most, then what
concerns the engine. Candidates take turns, and a gain below the noise is no gain. Nothing is kept before the end, so
that it may be broken off at any time.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, TypeVar

from eclair.errors import Conflict, EngineUnavailable
from eclair.llm.base import JSON
from eclair.llm.local import profile
from eclair.llm.local.profile import FileStamp, Quality, Speed, Trial, Tuning, TuningChoice
from eclair.llm.local.speculative import DRAFT_SETTINGS, DraftMode
from eclair.llm.tuning import quality
from eclair.llm.tuning.bandwidth import measure_bandwidth
from eclair.llm.tuning.measure import (
    CONTEXT_TOKENS,
    SampleSize,
    TuningEngine,
    exchange_seconds,
    median_speed,
    open_tuning_engine,
)
from eclair.llm.tuning.quality import MAX_CONCURRENT_QUESTIONS, ExamAnswers
from eclair.models import installed, memory
from eclair.models.gguf import tensors
from eclair.models.gguf.layouts import LAYOUTS, ORIGINAL_LAYOUT, TensorLayout, apply_layout, candidate_layouts
from eclair.models.gguf.quantize import requantize
from eclair.models.gguf.tensors import GgufContents, Tensor
from eclair.models.installed import InstalledModel
from eclair.settings import Settings
from eclair.util.cpu import available_cores

ROUNDS = 5
MIN_GAIN = 1.05
"""A gain below this is none: the same choice against itself drifts by three in a hundred."""

MAX_DRIFT = 0.25
"""A drift beyond which other programs have disturbed the measurement: a quiet machine's is below a tenth."""

BUSY_SHARE = 0.1
"""The part of the time for which another program is taken to keep a core busy, when threads are chosen."""

BUSY_SPEED_SHARE = 0.5
"""What a thread more leaves of the speed beside such a program, as measured on two cores, where it is not tried."""

BUSY_PROGRAM = """
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
while True: pass
"""

CURRENT = "now"
"""What candidates are measured against."""

MIN_DRAFTED_TOKENS = 24
"""Guessed tokens from which on their cost is known well enough."""

COMPILED_ENGINE = "compiled for this processor"
"""The trial of the engine that was compiled here."""

NO_GAIN = "no gain beyond the noise"

K = TypeVar("K", bound=str)

Speeds = dict[str, list[Speed]]
"""The samples of each candidate, round by round."""


@dataclass(frozen=True, slots=True)
class TuningStep:
    """What tuning is doing: `done` of `total` in this step."""

    what: str
    done: int
    total: int


ReportStep = Callable[[TuningStep], object]
CompileEngine = Callable[[Callable[[str, int, int], object]], Awaitable[object]]
"""Compiles the engine, and reports what it does, and how much of how much is done."""


async def tune(
    model: InstalledModel,
    settings: Settings,
    report: ReportStep,
    *,
    rounds: int = ROUNDS,
    thorough: bool = True,
    nice: int = 0,
    compiling: CompileEngine | None = None,
) -> Tuning:
    """Find how the model runs best here, and keep that: its layout and the threads that write, and if `thorough` all
    else. `compiling` has the engine compiled for this processor first; one that is there already is tried anyway.

    Raises ModelMissing where its file or the disk is at fault, UpstreamError where the engine is, EngineMissing where
    it cannot be compiled, and Conflict where somebody else tunes, or where nobody asked for it (not `thorough`) and
    other programs disturb it.
    """
    with profile.tuning_lock(settings.data_dir):
        try:
            if compiling is not None:
                await compiling(lambda what, done, total: report(TuningStep(what, done, total)))
            found = await _TuningRun(model, settings, report, rounds, nice).carry_out(thorough=thorough)
            if not thorough and found.drift > MAX_DRIFT:
                raise Conflict(f"Other programs disturbed the measurement, which drifted by {found.drift:.0%}.")
            await asyncio.to_thread(profile.save_tuning, settings.data_dir, model.entry.id, found)
        finally:
            await asyncio.to_thread(profile.delete_unused, settings.data_dir, model.entry.id)
    return found


class _TuningRun:
    def __init__(self, model: InstalledModel, settings: Settings, report: ReportStep, rounds: int, nice: int) -> None:
        self._model = model
        self._settings = settings
        self._report = report
        self._rounds = rounds
        self._nice = nice
        self._size = SampleSize()
        self._trials: list[Trial] = []
        self._before: ExamAnswers | None = None
        self._drift = 0.0

    async def carry_out(self, *, thorough: bool) -> Tuning:
        contents = await asyncio.to_thread(tensors.read_tensors, self._model.path)
        self._report(TuningStep("Reading memory", 0, 1))
        async with self._loaded(TuningChoice()) as engine:
            self._size = await SampleSize.fit(engine)
        choice = await self._layout(contents, await self._engine())
        choice = await self._threads(choice, thorough=thorough)
        usual, self._size = self._size, self._size.with_long_prompt(self._model.entry.context or 0)
        if thorough:
            choice = await self._settings_of(choice)
        choice = await self._guesses(choice)
        self._size = usual
        before, after = await self._confirmed(choice)
        read = bytes_per_token(contents, choice.layout)
        return Tuning(
            machine=profile.machine_id(),
            source=FileStamp.read(self._model.path),
            at=datetime.datetime.now(datetime.UTC).date().isoformat(),
            choice=choice,
            bandwidth=await asyncio.to_thread(measure_bandwidth, read, available_cores()),
            bytes=read,
            before=before,
            after=after,
            trials=tuple(self._trials),
            drift=self._drift,
            twice=duplicated_bytes(contents) if profile.supports_kernels() else 0,
        )

    async def _engine(self) -> TuningChoice:
        """The engine that was compiled for this processor, if it is faster and answers as well."""
        if not profile.is_compiled(self._settings.data_dir):
            return TuningChoice()
        name, choice = COMPILED_ENGINE, TuningChoice(is_compiled=True)
        speeds = await self._by_turns("Trying the compiled engine", {CURRENT: TuningChoice(), name: choice})
        if name not in speeds:
            return TuningChoice()
        if not _real(speeds[name], speeds[CURRENT]):
            self._add(name, speeds, name, NO_GAIN)
            return TuningChoice()
        return choice if await self._as_good(name, speeds, name, choice) else TuningChoice()

    async def _layout(self, contents: GgufContents, now: TuningChoice) -> TuningChoice:
        """The fastest layout that answers as well as the file as it came."""
        whole = len(installed.shard_names(self._model.path.name)) == 1
        names = [row.name for row in candidate_layouts(contents) if whole and self._fits(contents, row)]
        if not names:
            return now
        for name in names:
            await self._make(name)
        choices = {name: replace(now, layout=name) for name in names}
        speeds = await self._by_turns("Trying layouts", {CURRENT: now, **choices})
        chosen = now
        for name in _fastest_first(speeds):
            if chosen != now:
                self._add(f"layout {name}", speeds, name, f"no faster than {chosen.layout}")
            elif not _real(speeds[name], speeds[CURRENT]):
                self._add(f"layout {name}", speeds, name, NO_GAIN)
            elif await self._as_good(f"layout {name}", speeds, name, choices[name]):
                chosen = choices[name]
        return chosen

    async def _settings_of(self, choice: TuningChoice) -> TuningChoice:
        """Flash attention, keys and values, threads: each against what is done now, the winners together. A long
        question is read for that, as it is there that they differ."""
        changes: dict[str, dict[str, Any]] = {
            "flash attention off": {"flash_attention": "off"},
            "keys and values in q8_0": {"kv_type": "q8_0"},
        }
        if available_cores() > 2 and not self._settings.embedded_threads:
            half = available_cores() // 2
            changes[f"prompts read by {half} threads"] = {"prompt_threads": half}
        options = {name: replace(choice, **change) for name, change in changes.items()}
        speeds = await self._by_turns("Trying the engine's settings", {CURRENT: choice, **options})
        for name in _fastest_first(speeds):
            together = replace(choice, **changes[name])
            if not _real(speeds[name], speeds[CURRENT]):
                self._add(name, speeds, name, NO_GAIN)
            elif together.flash_attention == "off" and together.kv_type != "f16":
                self._add(name, speeds, name, "not with what brings more: such keys and values need flash attention")
            elif "kv_type" not in changes[name]:
                self._add(name, speeds, name, "faster", chosen=True)
                choice = together
            elif await self._as_good(name, speeds, name, together):
                choice = together
        return choice

    async def _threads(self, choice: TuningChoice, *, thorough: bool) -> TuningChoice:
        """More threads that write, or fewer, where that pays beside a busy neighbour too: they wait for each other all
        the time. A neighbour is made for that if `thorough`, and else thought of as one that halves the speed."""
        most = available_cores()
        counts = sorted({1, 2, most // 2, most} - {0, choice.decode_threads}) if most > 1 else []
        if not counts:
            return choice
        options = {
            f"{count} thread{'s write' if count > 1 else ' writes'}": replace(choice, decode_threads=count)
            for count in counts
        }
        alone = await self._by_turns("Trying threads", {CURRENT: choice, **options})
        quiet = {name: _written(alone[name], alone[CURRENT]) for name in options if name in alone}
        busy = await self._beside(choice, options) if thorough else dict.fromkeys(options, BUSY_SPEED_SHARE)
        spent = {name: (1 - BUSY_SHARE) / quiet[name] + BUSY_SHARE / busy[name] for name in quiet if name in busy}
        if not spent:
            return choice
        best = min(spent, key=lambda name: spent[name])
        for name in spent:
            verdict = f"writes x {quiet[name]:.2f} alone"
            if thorough:
                verdict += f", x {busy[name]:.2f} beside a program that keeps a core busy"
            self._add(name, alone, name, verdict, chosen=name == best and spent[best] < 1 / MIN_GAIN)
        return options[best] if spent[best] < 1 / MIN_GAIN else choice

    async def _beside(self, choice: TuningChoice, options: Mapping[str, TuningChoice]) -> dict[str, float]:
        """How much faster each option writes than `choice` while another program keeps a core busy."""
        drift = self._drift
        async with _neighbour():
            speeds = await self._by_turns("Trying threads beside a busy program", {CURRENT: choice, **options})
        self._drift = drift
        return {name: _written(speeds[name], speeds[CURRENT]) for name in options if name in speeds}

    async def _guesses(self, choice: TuningChoice) -> TuningChoice:
        """How far ahead is guessed: what is the fastest for usual answers, as a guessed token costs here after a long
        question."""
        entry = self._model.entry
        seeing = installed.projector_of(self._model.path) is not None
        if self._settings.speculation == "off" or entry.speculation == "none" or seeing:
            return choice
        taken: dict[DraftMode, list[JSON]] = {way: [] for way in DRAFT_SETTINGS}
        for way in self._turns("Trying guesses", taken, self._rounds // 2 + 1):
            async with self._loaded(choice, window=self._size.window, guesses=way) as engine:
                taken[way].append(await engine.time_repetition(self._size))
        costs: dict[DraftMode, float] = {
            way: found for way, rows in taken.items() if (found := draft_cost(rows, taken["none"])) is not None
        }
        if not costs:
            return choice
        gains: dict[DraftMode, float] = {way: DRAFT_SETTINGS[way].speedup(each) for way, each in costs.items()}
        best = max(gains, key=lambda way: gains[way])
        best = best if gains[best] >= 1 else "none"
        for way, gain in gains.items():
            what = f"guesses of {DRAFT_SETTINGS[way].draft_tokens} tokens"
            verdict = f"a guessed token takes {costs[way]:.2f} of one that is written"
            self._trials.append(Trial(what, None, gain, verdict, way == best))
        return replace(choice, drafting=best, draft_cost=costs.get(best, min(costs.values())))

    async def _as_good(self, what: str, speeds: Speeds, name: str, choice: TuningChoice) -> bool:
        """Whether the model answers as well with that choice as it did as it came."""
        before, now = await self._answers(TuningChoice()), await self._answers(choice)
        fault = quality.find_loss(now, before)
        worth = quality.compare(now, before)
        self._add(what, speeds, name, fault or "answers as well", chosen=fault is None, worth=worth)
        return fault is None

    async def _confirmed(self, choice: TuningChoice) -> tuple[Speed, Speed]:
        """The speed as it was and as it is now, by turns."""
        if choice == TuningChoice():
            speed = median_speed((await self._by_turns("Measuring the choice", {CURRENT: choice}))[CURRENT])
            return speed, speed
        speeds = await self._by_turns("Measuring the choice", {CURRENT: choice, "before": TuningChoice()})
        return median_speed(speeds["before"]), median_speed(speeds[CURRENT])

    def _fits(self, contents: GgufContents, layout: TensorLayout) -> bool:
        more = sum(tensor.size for tensor in apply_layout(contents, layout)) - sum(row.size for row in contents.tensors)
        return memory.fits(memory.needed_by_installed(self._model, self._settings) + more)

    async def _make(self, layout: str) -> None:
        """The model's file in that layout, unless it is there from the last time."""
        target = profile.layout_path(self._settings.data_dir, self._model.entry.id, layout)
        if await asyncio.to_thread(profile.is_layout_current, target, self._model.path):
            return
        what = f"Writing {layout}"
        await requantize(
            self._model.path,
            target,
            layout,
            lambda done, total: self._report(TuningStep(what, done, total)),
            nice=self._nice,
        )

    async def _answers(self, choice: TuningChoice) -> ExamAnswers:
        """What the model says with that choice; the file as it came is asked once."""
        if choice == TuningChoice() and self._before is not None:
            return self._before
        what = f"Asking it as {choice.layout}" if choice.layout != ORIGINAL_LAYOUT else "Asking it as it came"
        async with self._loaded(choice, MAX_CONCURRENT_QUESTIONS) as engine:
            answers = await quality.examine(engine, lambda done, total: self._report(TuningStep(what, done, total)))
        if choice == TuningChoice():
            self._before = answers
        return answers

    async def _by_turns(self, what: str, choices: Mapping[str, TuningChoice]) -> Speeds:
        """A sample of each in every round, the order turned round each time. One that this model does not run with, as
        some have heads of an odd width, is left out."""
        speeds: Speeds = {name: [] for name in choices}
        for name in self._turns(what, speeds, self._rounds):
            try:
                async with self._loaded(choices[name], window=self._size.window) as engine:
                    speeds[name].append(await engine.measure_speed(self._size))
            except EngineUnavailable:
                if name == CURRENT:
                    raise
                del speeds[name]
        times = [exchange_seconds(speed) for speed in speeds[CURRENT]]
        self._drift = max(self._drift, (max(times) - min(times)) / median(times))
        return speeds

    def _turns(self, what: str, names: Mapping[K, object], rounds: int) -> Iterator[K]:
        """Each of the names that are there in every round, the order turned round each time; progress is reported."""
        for number in range(rounds):
            row = list(names) if number % 2 == 0 else list(names)[::-1]
            for at, name in enumerate(row):
                self._report(TuningStep(what, number * len(row) + at, rounds * len(row)))
                yield name

    @contextlib.asynccontextmanager
    async def _loaded(
        self, choice: TuningChoice, parallel: int = 1, window: int = CONTEXT_TOKENS, guesses: DraftMode = "none"
    ) -> AsyncGenerator[TuningEngine]:
        came = choice.layout == ORIGINAL_LAYOUT
        made = profile.layout_path(self._settings.data_dir, self._model.entry.id, choice.layout)
        path = self._model.path if came else made
        async with open_tuning_engine(path, choice, self._settings, parallel, self._nice, window, guesses) as engine:
            yield engine

    def _add(
        self, what: str, speeds: Speeds, name: str, verdict: str, *, chosen: bool = False, worth: Quality | None = None
    ) -> None:
        gain = _gain(speeds[name], speeds[CURRENT])
        self._trials.append(Trial(what, median_speed(speeds[name]), gain, verdict, chosen, worth))


def bytes_per_token(contents: GgufContents, layout: str) -> int:
    """How many bytes of the weights are read for one token: all, but of embeddings that are not the output too, a
    row."""
    rows: Sequence[Tensor] = contents.tensors if layout == ORIGINAL_LAYOUT else apply_layout(contents, LAYOUTS[layout])
    apart = any(tensor.name == "output.weight" for tensor in rows)
    return sum(tensor.size for tensor in rows if not (apart and tensor.name == "token_embd.weight"))


def duplicated_bytes(contents: GgufContents) -> int:
    """Bytes that an engine holds twice where it lays out matrices anew: embeddings that are the output too."""
    sizes = {tensor.name: tensor.size for tensor in contents.tensors}
    return 0 if "output.weight" in sizes else sizes.get("token_embd.weight", 0)


def _fastest_first(speeds: Speeds) -> list[str]:
    return sorted(speeds.keys() - {CURRENT}, key=lambda name: -_gain(speeds[name], speeds[CURRENT]))


def _gain(new: Sequence[Speed], old: Sequence[Speed]) -> float:
    """By how much a usual exchange is faster: the median of the rounds, for neighbours in time have the same
    neighbours."""
    return median(exchange_seconds(before) / exchange_seconds(after) for after, before in zip(new, old, strict=True))


def _written(new: Sequence[Speed], old: Sequence[Speed]) -> float:
    return median(after.decode / before.decode for after, before in zip(new, old, strict=True))


def draft_cost(rows: Sequence[JSON], plain: Sequence[JSON]) -> float | None:
    """What a guessed token took in these timings, as a part of one that is written; None where few were guessed."""
    drafted = sum(row.get("draft_n", 0) for row in rows)
    taken = sum(
        row["predicted_ms"] * one["predicted_n"] / one["predicted_ms"] for row, one in zip(rows, plain, strict=True)
    )
    written = sum(row["predicted_n"] - row.get("draft_n_accepted", 0) for row in rows)
    return max(0.0, (taken - written) / drafted) if drafted >= MIN_DRAFTED_TOKENS else None


def _real(new: Sequence[Speed], old: Sequence[Speed]) -> bool:
    """Whether it is faster beyond the noise: in the middle, and in all rounds but one."""
    better = sum(exchange_seconds(after) < exchange_seconds(before) for after, before in zip(new, old, strict=True))
    return _gain(new, old) >= MIN_GAIN and better >= len(new) - 1


@contextlib.asynccontextmanager
async def _neighbour() -> AsyncGenerator[None]:
    """Another program that keeps one core busy; it ends with this one, however that ends."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", "-c", BUSY_PROGRAM), stdin=asyncio.subprocess.PIPE
    )
    try:
        yield
    finally:
        process.kill()
        await process.wait()
