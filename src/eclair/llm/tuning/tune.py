"""Tunes a model: tries options and chooses the best.

First the compiled engine, if there is one, then the layout, which matters most, then the engine's options. Candidates
are measured in turns, and a gain within the noise doesn't count. Nothing is saved before the end, so that tuning can
be cancelled at any time.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, TypeVar

from eclair.errors import Conflict, EngineUnavailable
from eclair.llm.base import JSON
from eclair.llm.local import profile
from eclair.llm.local.kernels import Kernels, choose_kernels, find_kernels
from eclair.llm.local.profile import FileStamp, Quality, Speed, Trial, Tuning, TuningChoice
from eclair.llm.local.speculative import DRAFT_SETTINGS, DraftMode
from eclair.llm.tuning import quality
from eclair.llm.tuning.bandwidth import measure_bandwidth
from eclair.llm.tuning.busy_program import busy_program
from eclair.llm.tuning.measure import (
    CONTEXT_TOKENS,
    SampleSize,
    TuningEngine,
    draft_cost,
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
"""A smaller gain is noise: one choice measured against itself drifts by 3 %."""

MAX_DRIFT = 0.25
"""A larger drift means that other programs disturbed the measurement.

A quiet machine drifts by less than a tenth."""

BUSY_SHARE = 0.1
"""The assumed share of time in which another program keeps a core busy."""

BUSY_SPEED_SHARE = 0.5
"""Speed share that one more thread, or native kernels, leave beside such a program, measured on two cores."""

CURRENT = "now"
"""The name of the option that candidates are measured against."""

COMPILED_ENGINE = "compiled for this processor"
"""The name of the compiled engine's trial."""

KERNEL_TRIALS: Mapping[Kernels, str] = {"native": "kernels for this processor", "generic": "kernels for any processor"}

NO_GAIN = "no gain beyond the noise"

K = TypeVar("K", bound=str)

Speeds = dict[str, list[Speed]]
"""The samples of each candidate, one per round."""

Gain = Callable[[Sequence[Speed], Sequence[Speed]], float]
"""Compares two candidates: how many times as fast the first is."""


@dataclass(frozen=True, slots=True)
class TuningStep:
    """Progress of tuning: `done` of `total` in this step."""

    what: str
    done: int
    total: int


ReportTuningStep = Callable[[TuningStep], object]
CompileEngine = Callable[[Callable[[str, int, int], object]], Awaitable[object]]
"""Compiles the engine; reports the step, and what is done of what total."""


async def tune(
    model: InstalledModel,
    settings: Settings,
    report: ReportTuningStep,
    *,
    rounds: int = ROUNDS,
    thorough: bool = True,
    nice: int = 0,
    compiling: CompileEngine | None = None,
) -> Tuning:
    """Find how the model runs best here, and save that.

    It tunes the layout and the decoding threads, and with `thorough` everything else. `compiling` compiles the engine
    first; an existing one is tried anyway. Raises ModelMissing if its file or the disk fails, UpstreamError if the
    engine does, EngineMissing if it can't be compiled, and Conflict if another tuning is running, or if other
    programs disturb one that isn't `thorough`.
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
    def __init__(
        self, model: InstalledModel, settings: Settings, report: ReportTuningStep, rounds: int, nice: int
    ) -> None:
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
        choice = await self._choose_layout(contents, await self._choose_engine(thorough=thorough))
        choice = await self._choose_threads(choice, thorough=thorough)
        usual, self._size = self._size, self._size.with_long_prompt(self._model.entry.context or 0)
        if thorough:
            choice = await self._choose_options(choice)
        choice = await self._choose_drafting(choice)
        self._size = usual
        before, after = await self._measure_choice(choice)
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

    async def _choose_engine(self, *, thorough: bool) -> TuningChoice:
        """Choose other kernels or the compiled engine if that is faster and answers as well."""
        options = await self._other_engines()
        if not options:
            return TuningChoice()
        speeds = await self._measure_in_turns("Trying the engine's kernels", {CURRENT: TuningChoice(), **options})
        chosen = TuningChoice()
        for name in _fastest_first(speeds):
            if chosen != TuningChoice():
                self._add_trial(name, speeds, name, "no faster than what is chosen")
            elif not _is_faster(speeds[name], speeds[CURRENT]):
                self._add_trial(name, speeds, name, NO_GAIN)
            elif options[name].kernels == "native" and not await self._pays_beside_others(
                name, speeds, options[name], thorough=thorough
            ):
                self._add_trial(name, speeds, name, "slower beside other programs")
            elif await self._keeps_quality(name, speeds, name, options[name]):
                chosen = options[name]
        return chosen

    async def _pays_beside_others(self, name: str, speeds: Speeds, choice: TuningChoice, *, thorough: bool) -> bool:
        """Return whether native kernels gain though their threads wait for each other without sleeping."""
        busy = {name: BUSY_SPEED_SHARE}
        if thorough:
            busy = await self._gains_beside_busy_program(TuningChoice(), {name: choice}, _gain)
        gain = _gain(speeds[name], speeds[CURRENT])
        return name in busy and (1 - BUSY_SHARE) / gain + BUSY_SHARE / busy[name] < 1 / MIN_GAIN

    async def _other_engines(self) -> dict[str, TuningChoice]:
        """Return the choices with other kernels than a model of this size has by itself."""
        options: dict[str, TuningChoice] = {}
        if find_kernels() is not None:
            other: Kernels = "generic" if choose_kernels("auto", self._model.path) == "native" else "native"
            async with self._loaded(TuningChoice(kernels="native")) as engine:
                if engine.kernels:  # else this CPU has no better ones
                    options[KERNEL_TRIALS[other]] = TuningChoice(kernels=other)
        if profile.is_compiled(self._settings.data_dir):
            options[COMPILED_ENGINE] = TuningChoice(is_compiled=True)
        return options

    async def _choose_layout(self, contents: GgufContents, now: TuningChoice) -> TuningChoice:
        """Choose the fastest layout that answers as well as the original file."""
        is_single_file = len(installed.shard_names(self._model.path.name)) == 1
        names = [row.name for row in candidate_layouts(contents) if is_single_file and self._fits(contents, row)]
        if not names:
            return now
        for name in names:
            await self._write_layout(name)
        choices = {name: replace(now, layout=name) for name in names}
        speeds = await self._measure_in_turns("Trying layouts", {CURRENT: now, **choices})
        chosen = now
        for name in _fastest_first(speeds):
            if chosen != now:
                self._add_trial(f"layout {name}", speeds, name, f"no faster than {chosen.layout}")
            elif not _is_faster(speeds[name], speeds[CURRENT]):
                self._add_trial(f"layout {name}", speeds, name, NO_GAIN)
            elif await self._keeps_quality(f"layout {name}", speeds, name, choices[name]):
                chosen = choices[name]
        return chosen

    async def _choose_options(self, choice: TuningChoice) -> TuningChoice:
        """Choose flash attention, the KV format and prompt threads; combine what wins.

        Each is measured with a long prompt, which is where they differ.
        """
        changes: dict[str, dict[str, Any]] = {
            "flash attention off": {"flash_attention": "off"},
            "keys and values in q8_0": {"kv_type": "q8_0"},
        }
        if available_cores() > 2 and not self._settings.embedded_threads:
            half = available_cores() // 2
            changes[f"prompts read by {half} threads"] = {"prompt_threads": half}
        options = {name: replace(choice, **change) for name, change in changes.items()}
        speeds = await self._measure_in_turns("Trying the engine's settings", {CURRENT: choice, **options})
        for name in _fastest_first(speeds):
            together = replace(choice, **changes[name])
            if not _is_faster(speeds[name], speeds[CURRENT]):
                self._add_trial(name, speeds, name, NO_GAIN)
            elif together.flash_attention == "off" and together.kv_type != "f16":
                self._add_trial(
                    name, speeds, name, "not with what brings more: such keys and values need flash attention"
                )
            elif "kv_type" not in changes[name]:
                self._add_trial(name, speeds, name, "faster", chosen=True)
                choice = together
            elif await self._keeps_quality(name, speeds, name, together):
                choice = together
        return choice

    async def _choose_threads(self, choice: TuningChoice, *, thorough: bool) -> TuningChoice:
        """Choose the decoding threads, allowing for a busy neighbor: threads wait for each other.

        With `thorough` a busy program is started for that; else it is assumed to halve the speed.
        """
        available = available_cores()
        counts = sorted({1, 2, available // 2, available} - {0, choice.decode_threads}) if available > 1 else []
        if not counts:
            return choice
        options = {
            f"{count} thread{'s write' if count > 1 else ' writes'}": replace(choice, decode_threads=count)
            for count in counts
        }
        alone = await self._measure_in_turns("Trying threads", {CURRENT: choice, **options})
        alone_gains = {name: _decode_gain(alone[name], alone[CURRENT]) for name in options if name in alone}
        busy_gains = (
            await self._gains_beside_busy_program(choice, options, _decode_gain)
            if thorough
            else dict.fromkeys(options, BUSY_SPEED_SHARE)
        )
        times = {
            name: (1 - BUSY_SHARE) / alone_gains[name] + BUSY_SHARE / busy_gains[name]
            for name in alone_gains
            if name in busy_gains
        }
        if not times:
            return choice
        best = min(times, key=lambda name: times[name])
        for name in times:
            verdict = f"writes x {alone_gains[name]:.2f} alone"
            if thorough:
                verdict += f", x {busy_gains[name]:.2f} beside a program that keeps a core busy"
            self._add_trial(name, alone, name, verdict, chosen=name == best and times[best] < 1 / MIN_GAIN)
        return options[best] if times[best] < 1 / MIN_GAIN else choice

    async def _gains_beside_busy_program(
        self, choice: TuningChoice, options: Mapping[str, TuningChoice], gain: Gain
    ) -> dict[str, float]:
        """Measure how much faster each option is than `choice` beside a busy program."""
        drift = self._drift
        async with busy_program():
            speeds = await self._measure_in_turns("Trying it beside a busy program", {CURRENT: choice, **options})
        self._drift = drift
        return {name: gain(speeds[name], speeds[CURRENT]) for name in options if name in speeds}

    async def _choose_drafting(self, choice: TuningChoice) -> TuningChoice:
        """Choose how far to draft: the fastest for typical answers at the measured cost."""
        entry = self._model.entry
        seeing = installed.projector_of(self._model.path) is not None
        if self._settings.speculation == "off" or entry.speculation == "none" or seeing:
            return choice
        timings: dict[DraftMode, list[JSON]] = {mode: [] for mode in DRAFT_SETTINGS}
        for mode in self._alternate("Trying drafts", timings, self._rounds // 2 + 1):
            async with self._loaded(choice, window=self._size.window, drafting=mode) as engine:
                timings[mode].append(await engine.time_repetition(self._size))
        costs: dict[DraftMode, float] = {
            mode: found for mode, rows in timings.items() if (found := draft_cost(rows, timings["none"])) is not None
        }
        if not costs:
            return choice
        gains: dict[DraftMode, float] = {mode: DRAFT_SETTINGS[mode].speedup(each) for mode, each in costs.items()}
        best = max(gains, key=lambda mode: gains[mode])
        best = best if gains[best] >= 1 else "none"
        for mode, gain in gains.items():
            what = f"drafts of {DRAFT_SETTINGS[mode].draft_tokens} tokens"
            verdict = f"a drafted token costs {costs[mode]:.2f} times one that is written"
            self._trials.append(Trial(what, None, gain, verdict, mode == best))
        return replace(choice, drafting=best, draft_cost=costs.get(best, min(costs.values())))

    async def _keeps_quality(self, what: str, speeds: Speeds, name: str, choice: TuningChoice) -> bool:
        """Return whether the model answers as well with that choice as it did originally."""
        before, now = await self._answers(TuningChoice()), await self._answers(choice)
        fault = quality.find_loss(now, before)
        worth = quality.compare(now, before)
        self._add_trial(what, speeds, name, fault or "answers as well", chosen=fault is None, worth=worth)
        return fault is None

    async def _measure_choice(self, choice: TuningChoice) -> tuple[Speed, Speed]:
        """Measure the speed before and after, in turns."""
        if choice == TuningChoice():
            speed = median_speed((await self._measure_in_turns("Measuring the choice", {CURRENT: choice}))[CURRENT])
            return speed, speed
        speeds = await self._measure_in_turns("Measuring the choice", {CURRENT: choice, "before": TuningChoice()})
        return median_speed(speeds["before"]), median_speed(speeds[CURRENT])

    def _fits(self, contents: GgufContents, layout: TensorLayout) -> bool:
        more = sum(tensor.size for tensor in apply_layout(contents, layout)) - sum(row.size for row in contents.tensors)
        return memory.fits(memory.needed_by_installed(self._model, self._settings) + more)

    async def _write_layout(self, layout: str) -> None:
        """Write the model's file in that layout, unless it exists."""
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
        """Return the model's answers with that choice; those of the original are cached."""
        if choice == TuningChoice() and self._before is not None:
            return self._before
        what = f"Asking it as {choice.layout}" if choice.layout != ORIGINAL_LAYOUT else "Asking it as it came"
        async with self._loaded(choice, MAX_CONCURRENT_QUESTIONS) as engine:
            answers = await quality.examine(engine, lambda done, total: self._report(TuningStep(what, done, total)))
        if choice == TuningChoice():
            self._before = answers
        return answers

    async def _measure_in_turns(self, what: str, choices: Mapping[str, TuningChoice]) -> Speeds:
        """Measure each candidate in every round, reversing the order each time.

        A candidate that the model can't run with, such as for heads of an odd width, is dropped.
        """
        speeds: Speeds = {name: [] for name in choices}
        for name in self._alternate(what, speeds, self._rounds):
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

    def _alternate(self, what: str, names: Mapping[K, object], rounds: int) -> Iterator[K]:
        """Yield each remaining name in every round, in alternating order; report progress."""
        for number in range(rounds):
            row = list(names) if number % 2 == 0 else list(names)[::-1]
            for at, name in enumerate(row):
                self._report(TuningStep(what, number * len(row) + at, rounds * len(row)))
                yield name

    @contextlib.asynccontextmanager
    async def _loaded(
        self, choice: TuningChoice, parallel: int = 1, window: int = CONTEXT_TOKENS, drafting: DraftMode = "none"
    ) -> AsyncGenerator[TuningEngine]:
        is_original = choice.layout == ORIGINAL_LAYOUT
        made = profile.layout_path(self._settings.data_dir, self._model.entry.id, choice.layout)
        path = self._model.path if is_original else made
        async with open_tuning_engine(path, choice, self._settings, parallel, self._nice, window, drafting) as engine:
            yield engine

    def _add_trial(
        self, what: str, speeds: Speeds, name: str, verdict: str, *, chosen: bool = False, worth: Quality | None = None
    ) -> None:
        gain = _gain(speeds[name], speeds[CURRENT])
        self._trials.append(Trial(what, median_speed(speeds[name]), gain, verdict, chosen, worth))


def bytes_per_token(contents: GgufContents, layout: str) -> int:
    """Return the bytes of weights read per token.

    That is everything but separate input embeddings, of which one row is read.
    """
    rows: Sequence[Tensor] = contents.tensors if layout == ORIGINAL_LAYOUT else apply_layout(contents, LAYOUTS[layout])
    has_output = any(tensor.name == "output.weight" for tensor in rows)
    return sum(tensor.size for tensor in rows if not (has_output and tensor.name == "token_embd.weight"))


def duplicated_bytes(contents: GgufContents) -> int:
    """Return the bytes that an engine that repacks matrices holds twice: tied embeddings."""
    sizes = {tensor.name: tensor.size for tensor in contents.tensors}
    return 0 if "output.weight" in sizes else sizes.get("token_embd.weight", 0)


def _fastest_first(speeds: Speeds) -> list[str]:
    return sorted(speeds.keys() - {CURRENT}, key=lambda name: -_gain(speeds[name], speeds[CURRENT]))


def _gain(new: Sequence[Speed], old: Sequence[Speed]) -> float:
    """Return how much faster a typical exchange is: the median over the rounds.

    Measurements of one round are close in time, so that they share disturbances.
    """
    return median(exchange_seconds(before) / exchange_seconds(after) for after, before in zip(new, old, strict=True))


def _decode_gain(new: Sequence[Speed], old: Sequence[Speed]) -> float:
    return median(after.decode / before.decode for after, before in zip(new, old, strict=True))


def _is_faster(new: Sequence[Speed], old: Sequence[Speed]) -> bool:
    """Return whether it is faster beyond noise: in the median, and in all rounds but one."""
    better = sum(exchange_seconds(after) < exchange_seconds(before) for after, before in zip(new, old, strict=True))
    return _gain(new, old) >= MIN_GAIN and better >= len(new) - 1
