"""`eclair tune`: finds and explains a model's fastest settings on this machine."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

import orjson

from eclair.cli._arguments import load_settings
from eclair.cli._signals import run_async
from eclair.cli._terminal import Terminal
from eclair.errors import InvalidInput, ModelMissing
from eclair.llm.local import profile
from eclair.llm.local.profile import Quality, Speed, Tuning, TuningChoice, tuning_json
from eclair.llm.tuning.build import MIN_FREE_BYTES, SOURCES, build_engine
from eclair.llm.tuning.tune import COMPILED_ENGINE, KERNEL_TRIALS, MAX_DRIFT, TuningStep, tune
from eclair.models import catalog, installed, memory
from eclair.models.default_model import choose_default
from eclair.models.gguf.layouts import ORIGINAL_LAYOUT
from eclair.models.installed import InstalledModel
from eclair.network.egress_log import open_gate
from eclair.settings import Settings
from eclair.util.humanize import format_size

COLUMNS = ("TRIED", "READS", "WRITES", "AFTER A LONG TEXT", "GAIN", "", "WHY")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    model = _model(arguments.model, settings)
    if arguments.reset:
        with profile.tuning_lock(settings.data_dir):
            freed = profile.delete_tuning(settings.data_dir, model.entry.id)
        terminal.line(f"{model.entry.name} is back to its original settings; that frees {format_size(freed)}")
        return 0
    _ask(model, terminal, accepted=arguments.yes, build=arguments.build and not profile.is_compiled(settings.data_dir))
    found: list[Tuning] = []

    async def compiling(report: Callable[[str, int, int], object]) -> None:
        async with open_gate(settings) as gate:
            await build_engine(settings.data_dir, report, gate=gate)

    async def work() -> int:
        report = partial(_progress, terminal)
        found.append(await tune(model, settings, report, compiling=compiling if arguments.build else None))
        return 0

    try:
        code = run_async(work())
    finally:
        terminal.status("")
    if not found:  # stopped by a signal
        return code
    if arguments.json:
        terminal.write_bytes(orjson.dumps(tuning_json(found[0]), option=orjson.OPT_INDENT_2) + b"\n")
    else:
        _show(model, found[0], terminal)
        if arguments.build and not profile.is_compiled(settings.data_dir):
            terminal.line("The engine compiled here was deleted again, because it gained too little.")
    return 0


def _model(name: str | None, settings: Settings) -> InstalledModel:
    here = installed.installed_models(catalog.load_entries(settings.catalog), settings.data_dir)
    name = name or settings.model or choose_default(here, settings).id
    if name not in here:
        available = f" Available: {', '.join(here)}." if here else ""
        raise ModelMissing(f"The model {name} is not on this machine.{available} `eclair pull` downloads others.")
    model = here[name]
    if not memory.fits(memory.needed_by_installed(model, settings)):
        raise InvalidInput(f"{model.entry.name} is too large for this machine; `eclair models --all` shows what fits.")
    return model


def _ask(model: InstalledModel, terminal: Terminal, *, accepted: bool, build: bool) -> None:
    """Say how long it takes and ask for confirmation. Raises InvalidInput if declined."""
    if accepted or not terminal.can_ask:
        return
    terminal.warn(
        f"{model.entry.name} is measured for some minutes, which needs up to {format_size(4 * model.size)} of disk "
        "meanwhile and a machine that has little else to do. Ctrl-C ends it and changes nothing."
    )
    if build:
        terminal.warn(
            f"First the engine is compiled for this processor out of its own sources ({format_size(SOURCES.size)} from "
            f"the package index), which takes some ten minutes of all cores and {format_size(MIN_FREE_BYTES)} of disk. "
            "It is kept if it is faster."
        )
    if not terminal.confirm("Start?", "There is no terminal to ask; add --yes."):
        raise InvalidInput("Nothing was measured; --yes skips this question.")


def _progress(terminal: Terminal, step: TuningStep) -> None:
    if terminal.is_interactive:
        terminal.status(f"{step.what} · {step.done / step.total:.0%}")
    elif step.done == 0:
        terminal.warn(f"{step.what}…")


def _show(model: InstalledModel, found: Tuning, terminal: Terminal) -> None:
    rows = [COLUMNS, ("as it came", *_speeds(found.before), "", "", "tokens a second")]
    for trial in found.trials:
        mark = "chosen" if trial.chosen else ""
        rows.append((trial.what, *_speeds(trial.speed), f"x {trial.gain:.2f}", mark, trial.verdict))
    rows.append(("as chosen", *_speeds(found.after), "", "", "tokens a second"))
    widths = [max(len(row[at]) for row in rows) for at in range(len(COLUMNS) - 1)]
    for number, row in enumerate(rows):
        text = "  ".join([*(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)), row[-1]])
        (terminal.dim_line if number == 0 else terminal.line)(text)
    if not any(trial.what.startswith("layout") for trial in found.trials):
        terminal.line("There is no other weight layout to try.")
    asked = [(trial.what, trial.quality) for trial in found.trials if trial.quality is not None]
    for name, quality in asked:
        terminal.line(f"{name}: {_describe_quality(quality)}")
    limit = found.bandwidth / found.bytes
    terminal.line()
    if found.drift > MAX_DRIFT:
        terminal.line(
            f"The same settings varied by {found.drift:.0%}: other programs were running. Tune again when idle."
        )
    for sentence in (
        f"{model.entry.name} runs {describe_choice(found.choice)}: it reads prompts "
        f"{found.after.prefill / found.before.prefill:.2f} times and writes "
        f"{found.after.decode / found.before.decode:.2f} times as fast as before.",
        f"This machine reads {found.bandwidth / 1e9:.0f} GB/s from memory, and {format_size(found.bytes)} for each "
        f"token: it could write {limit:.0f} tokens/s at most, and {found.after.decode / limit:.0%} of that is reached.",
        f"This holds for {found.machine}, from the model's next start on.",
        *_suggest_kernels(found),
    ):
        for line in terminal.wrap(sentence, 0):
            terminal.line(line)


def _suggest_kernels(found: Tuning) -> list[str]:
    if (
        found.choice.is_compiled
        or any(trial.what == COMPILED_ENGINE for trial in found.trials)
        or not profile.supports_kernels()
    ):
        return []
    return [
        "For this processor Éclair has kernels of its own, with which the engine read prompts more than twice as fast "
        "where that was measured: `eclair tune --build` compiles it with them."
    ]


def describe_choice(choice: TuningChoice) -> str:
    """Describe a choice in words, for the middle of a sentence."""
    threads = "one thread writes" if choice.decode_threads == 1 else f"{choice.decode_threads} threads write"
    parts = ["as it came" if choice.layout == ORIGINAL_LAYOUT else f"as {choice.layout}", threads]
    parts += ["on the engine compiled here"] if choice.is_compiled else []
    parts += [KERNEL_TRIALS[choice.kernels]] if choice.kernels != "auto" else []
    parts += ["no flash attention"] if choice.flash_attention == "off" else []
    parts += [f"keys and values in {choice.kv_type}"] if choice.kv_type != "f16" else []
    parts += [f"{choice.prompt_threads} threads read"] if choice.prompt_threads else []
    parts += {"long": [], "short": ["short drafts"], "none": ["no drafted tokens"]}[choice.drafting]
    return ", ".join(parts)


def _describe_quality(quality: Quality) -> str:
    english, german, documents = quality.asked
    return (
        f"{quality.answers} of {english} answers, {quality.german} of {german} in German, "
        f"{quality.json} of {documents} documents valid and {quality.facts} right; "
        f"{quality.worse:+.3f} ± {quality.error:.3f} nats a token"
    )


def _speeds(speed: Speed | None) -> tuple[str, str, str]:
    if speed is None:
        return "", "", ""
    return f"{speed.prefill:.0f}", f"{speed.decode:.0f}", f"{speed.deep:.0f}"
