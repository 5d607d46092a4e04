"""Write the tables of docs/capacity.md, computed by the planner itself.

`python docs/capacity.py` writes; `python docs/capacity.py --check` prints what differs and exits with 1.
"""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

from eclair.capacity.arrivals import Lengths, draw_questions
from eclair.capacity.capacity_facts import load_facts
from eclair.capacity.capacity_plan import HEADROOM, CapacityPlan, make_plan
from eclair.capacity.figures import Figure
from eclair.capacity.hardware_speed import ModelSize, default_precision, derive_speed, needed_accelerators
from eclair.capacity.load_search import LoadSearch
from eclair.capacity.plan_request import DEFAULT_LENGTHS, CapacityRequest
from eclair.capacity.plan_text import format_count, format_figure, format_mass, format_number
from eclair.capacity.simulation import simulate
from eclair.capacity.workload import WORDS_PER_TOKEN, Workload
from eclair.models.catalog import load_entries

PAGE = Path(__file__).parent / "capacity.md"
TODAY = date(2026, 11, 29)
"""The day on which the facts were looked at."""

FACTS = load_facts()
MODELS = load_entries()

EXAMPLES = (
    CapacityRequest(
        model="ministral-3-3b",
        accelerator="m4-max",
        people=1,
        busy_share=1,
        questions_per_day=30,
        first_word_s=5,
        spare=0,
    ),
    CapacityRequest(model="mistral-small-3.2", accelerator="l40s", people=500),
    CapacityRequest(model="gpt-oss-120b", accelerator="h100", people=20_000),
    CapacityRequest(model="mistral-large-3", accelerator="h200", people=1_000_000, country="FR"),
    CapacityRequest(model="mistral-large-3", accelerator="gb200", people=2_500_000_000, country="SE"),
)

FAST_MODEL = "gpt-oss-120b"
FAST_WORDS_PER_S = 1000
FAST_PEOPLE = 1_000_000
FAST_ACCELERATORS = ("m4-max", "l40s", "h100", "h200", "mi300x", "b200", "gb200")


def main() -> int:
    before = PAGE.read_text("utf-8")
    after = before
    for name, write in TABLES.items():
        block = "\n".join(write())
        after = re.sub(
            rf"(<!-- {name} -->\n)[^<]*(<!-- end -->)",
            lambda found, block=block: f"{found[1]}\n{block}\n\n{found[2]}",
            after,
            flags=re.DOTALL,
        )
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(after, "utf-8")
        return 0
    for line in difflib.unified_diff(before.split("\n"), after.split("\n"), PAGE.name, "docs/capacity.py", lineterm=""):
        print(line)
    return int(before != after)


def published() -> Iterator[str]:
    yield "| model | hardware | published tokens/s | simulated | corrected | published ÷ corrected |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for each in FACTS.published:
        accelerator = FACTS.find_accelerator(each.accelerator)
        assert accelerator is not None
        model = ModelSize.from_entry(MODELS[each.model], FACTS)
        speed = replace(derive_speed(model, accelerator, each.gpus, each.precision), slots=each.at_once)
        drawn = draw_questions(10, 150, Lengths(each.prompt_tokens, each.answer_tokens, 0), 0, 1)
        run = simulate(speed, [replace(question, at=0.0) for question in drawn])
        prompts = 1 if each.counted == "total" else 0
        tokens = sum(question.answer_tokens + prompts * question.prompt_tokens for question in drawn)
        simulated, correction = tokens / run.ended_at, accelerator.correction.likely
        yield (
            f"| {model.name} {each.precision.upper()} | {each.gpus} × {accelerator.name} | "
            f"{each.tokens_per_s.likely:,.0f} ({each.counted}) | {simulated:,.0f} | {simulated * correction:,.0f} | "
            f"{each.tokens_per_s.likely / simulated / correction:.2f} |"
        )


def examples() -> Iterator[str]:
    yield "| | " + " | ".join(f"{format_count(each.people)}" for each in EXAMPLES) + " |"
    yield "| --- |" + " --- |" * len(EXAMPLES)
    plans = [make_plan(each, FACTS, MODELS, {}, TODAY) for each in EXAMPLES]
    for name, cell in ROWS.items():
        yield f"| {name} | " + " | ".join(cell(plan) for plan in plans) + " |"


def _hardware(plan: CapacityPlan) -> str:
    return f"{plan.accelerator_name}, {plan.request.country}"


def _power(plan: CapacityPlan) -> str:
    assert plan.hardware is not None
    assert plan.hardware.site_kw is not None
    return f"{format_figure(plan.hardware.site_kw.times(1000), si=True)}W"


def _daily(name: str, unit: str) -> Callable[[CapacityPlan], str]:
    def cell(plan: CapacityPlan) -> str:
        figure: Figure | None = getattr(plan.always_on, name)
        return "no price" if figure is None else f"{format_figure(figure, si=True)}{unit}"

    return cell


def _of_hardware(name: str) -> Callable[[CapacityPlan], str]:
    return lambda plan: format_figure(getattr(plan.hardware, name))


ROWS: dict[str, Callable[[CapacityPlan], str]] = {
    "model": lambda plan: f"{plan.model_name} {(plan.precision or '').upper()}",
    "hardware, country": _hardware,
    "questions in the busiest hour": lambda plan: format_count(plan.peak_rate * 3600),
    "accelerators": _of_hardware("accelerators"),
    "machines": _of_hardware("machines"),
    "first word, 95 % within": lambda plan: f"{format_figure(plan.load.first_p95_s)} s" if plan.load else "",
    "power": _power,
    "electricity a day": _daily("electricity_eur", "EUR"),
    "CO₂ a day": lambda plan: format_mass(plan.always_on.carbon_kg) if plan.always_on else "",
    "water a day": _daily("water_l", "l"),
    "rent a day": _daily("rent_usd", "USD"),
}


def fast_alone() -> Iterator[str]:
    model = ModelSize.from_entry(MODELS[FAST_MODEL], FACTS)
    held = DEFAULT_LENGTHS.prompt_tokens
    yield "| hardware | words/s of one answer | with 3 tokens a step | a step takes | of it reading memory |"
    yield "| --- | --- | --- | --- | --- |"
    for id in FAST_ACCELERATORS:
        accelerator = FACTS.find_accelerator(id)
        assert accelerator is not None
        precision = default_precision(model, accelerator)
        least = needed_accelerators(model, accelerator, precision)
        sizes = [each for each in (1, 2, 4, 8) if least <= each <= accelerator.per_machine]
        speeds = {each: derive_speed(model, accelerator, each, precision) for each in sizes}
        count = max(speeds, key=lambda each: speeds[each].alone_tokens_per_s(held))
        speed = speeds[count].slowed(accelerator.correction.likely)
        plain, drafted = (speed.with_speculation(tokens).alone_tokens_per_s(held) for tokens in (1, 3))
        step = speed.step_s(1, held)
        reading = speed.weights_s * speed.active_share + speed.kv_token_s * held
        yield (
            f"| {count} × {accelerator.name} | {plain * WORDS_PER_TOKEN:,.0f} | {drafted * WORDS_PER_TOKEN:,.0f} | "
            f"{step * 1000:.1f} ms | {reading * 1000:.2f} ms |"
        )
    needed_s = WORDS_PER_TOKEN / FAST_WORDS_PER_S
    yield f"| needed for {FAST_WORDS_PER_S:,} words/s | {FAST_WORDS_PER_S:,} | | {needed_s * 1000:.1f} ms | |"


def fast_fleet() -> Iterator[str]:
    tokens_per_s = FAST_WORDS_PER_S / WORDS_PER_TOKEN
    office = CapacityRequest(model=FAST_MODEL, accelerator="gb200", people=FAST_PEOPLE, country="FR")
    rate, length = office.demand.peak_rate, office.answer_tokens
    seconds = length / tokens_per_s
    accelerator = FACTS.find_accelerator("gb200")
    assert accelerator is not None
    plan = make_plan(office, FACTS, MODELS, {}, TODAY)
    assert plan.hardware is not None
    assert plan.hardware.site_kw is not None
    model = ModelSize.from_entry(MODELS[FAST_MODEL], FACTS)
    count = plan.hardware.accelerators_per_replica
    speed = derive_speed(model, accelerator, count, "fp4").slowed(accelerator.correction.likely)
    search = LoadSearch(speed, Workload(Lengths(500, 2000, 0.6), 0.0))
    knee = search.find_knee(replace(office, words_per_s=5.5, first_word_s=10).targets)
    of_one = knee * HEADROOM * 2000 / count
    correction = accelerator.correction
    unsure = Figure(correction.likely / correction.high, 1, correction.likely / correction.low)
    needed = unsure.times(FAST_PEOPLE * tokens_per_s / of_one)
    power = needed.times(1 / accelerator.per_machine).times(accelerator.machine_kw.figure).times(FACTS.site.pue.figure)
    yield "| | asking as in an office | all reading at once |"
    yield "| --- | --- | --- |"
    yield f"| answers under way | {format_number(rate * seconds)} | {FAST_PEOPLE:,} |"
    yield f"| tokens/s together | {format_count(rate * length)} | {format_count(FAST_PEOPLE * tokens_per_s)} |"
    cards, site_w = plan.hardware.accelerators, plan.hardware.site_kw.times(1000)
    both = f"{format_figure(cards)} | {format_figure(needed)}"
    yield f"| accelerators of {accelerator.name} that write as many | {both} |"
    watts = " | ".join(f"{format_figure(each, si=True)}W" for each in (site_w, power.times(1000)))
    yield f"| power with the site | {watts} |"
    assert plan.load is not None
    slow = plan.load.slowest_tokens_per_s.times(WORDS_PER_TOKEN)
    yield f"| words/s that each answer then has | {format_figure(slow)} or more | 5.5 or more |"


TABLES: dict[str, Callable[[], Iterator[str]]] = {
    "published": published,
    "examples": examples,
    "alone": fast_alone,
    "fleet": fast_fleet,
}

if __name__ == "__main__":
    sys.exit(main())
