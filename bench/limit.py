"""How near the embedded engine comes to what the machine allows, and where the rest goes.

The machine's limits: memory read at its bandwidth, and the engine's own matrix kernels without anything around them.
Each model here is run on the engine's own kernels and on those for this processor, by turns. Then the shipped model is
tuned as `eclair tune` does it, and what was found is set against the shipped default.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import Goals, link_models, options, run, shown, table
from kernels import Kernels as MatrixKernels
from kernels import of_one_kind, products

from eclair.llm.local import profile
from eclair.llm.local.kernels import Kernels
from eclair.llm.local.profile import FileStamp, Speed, Trial, Tuning, TuningChoice
from eclair.llm.tuning.bandwidth import measure_bandwidth
from eclair.llm.tuning.measure import SampleSize, median_speed, open_tuning_engine
from eclair.llm.tuning.tune import ROUNDS, TuningStep, bytes_per_token, tune
from eclair.models import catalog, installed
from eclair.models.gguf import tensors
from eclair.models.gguf.layouts import LAYOUTS, ORIGINAL_LAYOUT, apply_layout
from eclair.models.gguf.quantize import requantize
from eclair.models.gguf.tensors import GgufContents, Tensor
from eclair.models.installed import InstalledModel
from eclair.settings import Settings
from eclair.util.cpu import available_cores

BATCH = 512
LARGE = 4096
"""Sides of a matrix that keeps the kernels at their best."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the machine allows a choice, in milliseconds: a token's weights read from memory; a token's products
    alone, and those of BATCH tokens alone; and those if the kernels were as fast as with large matrices."""

    memory: float
    products: float
    batch: float
    ideal: float


async def main() -> None:
    parser = options(__doc__ or "")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="rounds in which candidates take turns")
    parser.add_argument("--choice", metavar="LAYOUT,THREADS", help="measure this choice in place of tuning")
    parser.add_argument("--kernels", action="store_true", help="compare the kernels alone")
    parser.add_argument("--compiled", type=Path, metavar="FOLDER", help="a data folder in which it was compiled")
    arguments = parser.parse_args()
    quick: bool = arguments.quick
    with tempfile.TemporaryDirectory(prefix="eclair-bench-") as folder:
        data = Path(folder)
        link_models(data)
        if arguments.compiled is not None:
            # A copy, as tuning deletes one that it does not choose.
            shutil.copytree(arguments.compiled / "compiled", data / "compiled")
            if not profile.is_compiled(data):
                parser.error(f"what {arguments.compiled} has compiled is not for this machine and these kernels")
        settings = Settings(data_dir=data, catalog=data / "none.toml")
        models = installed.installed_models(catalog.load_entries(settings.catalog), data)
        await _compare_kernels(models.values(), settings, 1 if quick else arguments.rounds)
        if arguments.kernels:
            return
        model = models[catalog.STARTER_MODEL]
        contents = tensors.read_tensors(model.path)
        _memory(bytes_per_token(contents, ORIGINAL_LAYOUT))
        if arguments.choice or quick:
            layout, _, threads = (arguments.choice or "Q4_0+Q8_0,2").partition(",")
            choice = TuningChoice(
                layout=layout, decode_threads=int(threads or 1), is_compiled=profile.is_compiled(data)
            )
            rounds = 1 if quick else arguments.rounds
            found = await _compared(model, contents, settings, choice, rounds)
        else:
            found = await tune(model, settings, _told, rounds=arguments.rounds)
        if found.trials:
            _tried(found)
        rows: list[list[str]] = []
        for name, choice, speed in (("shipped", TuningChoice(), found.before), ("best", found.choice, found.after)):
            kernels = MatrixKernels(profile.compiled_folder(data) if choice.is_compiled else None)
            limits = await asyncio.to_thread(_limits, contents, choice, kernels, 0.2 if quick else 2.0)
            rows += _lost(name, limits, speed)
    print()
    table(("", "ms", "of the whole", "is"), rows)
    _judge(found)


async def _compare_kernels(models: Iterable[InstalledModel], settings: Settings, rounds: int) -> None:
    """Print each model's speed on either kernels, by turns."""
    rows: list[list[str]] = []
    for model in models:
        names: set[str] = set()
        size: SampleSize | None = None
        speeds: dict[Kernels, list[Speed]] = {"generic": [], "native": []}
        for number in range(rounds):
            for kernels in list(speeds)[:: 1 if number % 2 else -1]:
                async with open_tuning_engine(model.path, TuningChoice(kernels=kernels), settings) as engine:
                    size = size or await SampleSize.fit(engine)
                    await engine.time_exchange(32, 4)
                    speeds[kernels].append(await engine.measure_speed(size))
                    names |= {engine.kernels}
        own, best = median_speed(speeds["generic"]), median_speed(speeds["native"])
        rows.append([model.entry.name, *(shown(value) for value in (own.prefill, best.prefill))])
        rows[-1] += [f"{best.prefill / own.prefill:.2f}", shown(own.decode), shown(best.decode)]
        rows[-1] += [f"{best.decode / own.decode:.2f}", " ".join(names - {""}) or "none better"]
    table(("model", "reads on its own kernels", "on this CPU's", "x", "writes", "on this CPU's", "x", "kernels"), rows)
    print()


async def _compared(
    model: InstalledModel, contents: GgufContents, settings: Settings, choice: TuningChoice, rounds: int
) -> Tuning:
    """The shipped default and one choice by turns, in place of tuning."""
    path = model.path
    if choice.layout != ORIGINAL_LAYOUT:
        path = profile.layout_path(settings.data_dir, model.entry.id, choice.layout)
        await requantize(model.path, path, choice.layout, lambda done, total: None)
    before: list[Speed] = []
    after: list[Speed] = []
    for _ in range(rounds):
        for file, how, speeds in ((model.path, TuningChoice(), before), (path, choice, after)):
            async with open_tuning_engine(file, how, settings) as engine:
                await engine.time_exchange(32, 4)
                speeds.append(await engine.measure_speed(SampleSize()))
    read = bytes_per_token(contents, choice.layout)
    source, rate = FileStamp.read(model.path), measure_bandwidth(read, choice.decode_threads)
    return Tuning(profile.machine_id(), source, "", choice, rate, read, median_speed(before), median_speed(after))


def _memory(size: int) -> None:
    every = available_cores()
    rates = [
        f"{measure_bandwidth(count, threads) / 1e9:.0f} GB/s ({threads} thread{'s' * (threads > 1)}, {count >> 20} MB)"
        for count in (size, 512 << 20)
        for threads in sorted({1, every})
    ]
    print(f"Memory is read at {', '.join(rates)}.")


def _limits(contents: GgufContents, choice: TuningChoice, kernels: MatrixKernels, patience: float) -> Limits:
    layout = choice.layout
    all_of_it: Sequence[Tensor] = (
        contents.tensors if layout == ORIGINAL_LAYOUT else apply_layout(contents, LAYOUTS[layout])
    )
    groups = of_one_kind(products(all_of_it))
    every = choice.prompt_threads or available_cores()
    ideal = 0.0
    for group in groups:
        large = Tensor("large", (LARGE, LARGE), group[0].type, 0)
        seconds = kernels.seconds([large], BATCH, every, patience)
        ideal += seconds * sum(tensor.count for tensor in group) / large.count
    # Of a prompt the output is wanted for the last token alone.
    inner = [
        [tensor for tensor in group if tensor.name not in ("token_embd.weight", "output.weight")] for group in groups
    ]
    ideal *= sum(tensor.count for group in inner for tensor in group) / sum(
        tensor.count for group in groups for tensor in group
    )
    read = bytes_per_token(contents, layout)
    return Limits(
        memory=read / measure_bandwidth(read, choice.decode_threads) * 1000,
        products=sum(kernels.seconds(group, 1, choice.decode_threads, patience) for group in groups) * 1000,
        batch=sum(kernels.seconds(group, BATCH, every, patience) for group in inner if group) * 1000,
        ideal=ideal * 1000,
    )


def _lost(name: str, limits: Limits, speed: Speed) -> list[list[str]]:
    token, batch = 1000 / speed.decode, BATCH * 1000 / speed.prefill
    small, beyond = limits.batch - limits.ideal, limits.products - limits.memory

    def row(what: str, part: float, whole: float, note: str) -> list[str]:
        return [what, shown(part), f"{part / whole:.2f}", note]

    return [
        row(f"{name}: a token", token, token, f"{speed.decode:.0f} tokens/s"),
        row("  its weights, read from memory", limits.memory, token, "the limit"),
        row("  the kernels, beyond that", beyond, token, "computing"),
        row("  the rest", token - limits.products, token, "attention, norms, sampling"),
        row(f"{name}: {BATCH} tokens of a prompt", batch, batch, f"{speed.prefill:.0f} tokens/s"),
        row("  the kernels, as with large matrices", limits.ideal, batch, "the limit"),
        row("  that these matrices are small", small, batch, "computing"),
        row("  the rest", batch - limits.batch, batch, "attention, norms"),
    ]


def _speeds(trial: Trial) -> list[str]:
    speed = trial.speed
    return ["", "", ""] if speed is None else [shown(value) for value in (speed.prefill, speed.decode, speed.deep)]


def _tried(found: Tuning) -> None:
    print()
    table(
        ("tried", "prefill tok/s", "decode", "decode after a long text", "gain", "chosen", "why"),
        [
            (
                trial.what,
                *_speeds(trial),
                f"{trial.gain:.2f}",
                "yes" if trial.chosen else "",
                trial.verdict,
            )
            for trial in found.trials
        ],
    )


def _judge(found: Tuning) -> None:
    goals = Goals()
    goals.at_least("best: prefill, of the shipped default's", found.after.prefill / found.before.prefill, 1.5)
    goals.at_least("best: decode, of the shipped default's", found.after.decode / found.before.decode, 1.25)
    for trial in found.trials:
        if trial.chosen and trial.quality is not None:
            quality = trial.quality
            english, german, documents = quality.asked
            print(
                f"\nThe chosen layout: {quality.answers} of {english} answers, {quality.german} of {german} in German, "
                f"{quality.json} of {documents} documents valid, {quality.facts} right; "
                f"{quality.worse:+.3f} ± {quality.error:.3f} nats a token against the file as it came."
            )
            goals.at_most("best: nats a token lost", quality.worse, 0.02)
    print(f"\nDecode reaches {found.after.decode * found.bytes / found.bandwidth:.2f} of bandwidth ÷ bytes a token.")
    goals.print()


def _told(step: TuningStep) -> None:
    if sys.stderr.isatty():
        print(f"\r{step.what} {step.done}/{step.total}\033[K", end="", file=sys.stderr)


if __name__ == "__main__":
    run(main())
