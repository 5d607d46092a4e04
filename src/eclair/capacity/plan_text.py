"""A plan in English sentences and rows, as the terminal and the documentation show it."""

from __future__ import annotations

from collections.abc import Iterator

from eclair.capacity.capacity_plan import HEADROOM, BreakingPoint, CapacityPlan, DailyUse
from eclair.capacity.figures import Figure
from eclair.capacity.workload import WORDS_PER_TOKEN

BREAKING_POINTS: dict[BreakingPoint, str] = {
    "slots": "answers wait for a slot",
    "kv": "answers wait for room for their keys and values",
    "prefill": "prompts wait for others to be read",
    "speed": "answers become slower than wanted",
    "none": "nothing yet",
}

SI = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def plan_lines(plan: CapacityPlan) -> Iterator[str]:
    """Yield the lines of a plan."""
    request = plan.request
    precision = f", {plan.precision.upper()}" if plan.precision else ""
    yield f"{plan.model_name} on {plan.accelerator_name}{precision}, {request.country}"
    yield basis_sentence(plan)
    yield ""
    yield (
        f"People: {request.people:,}, who ask {format_count(plan.questions_per_day)} questions a day, "
        f"{format_count(plan.peak_rate * 3600)} of them in the busiest hour."
    )
    if plan.hardware is None or plan.load is None:
        yield (
            f"The targets can't be met: with a replica for themselves, 95 of 100 answers begin within "
            f"{format_number(plan.alone_first_word_s)} s and have {format_number(plan.alone_words_per_s)} words/s; "
            f"wanted are {format_number(request.first_word_s)} s and {format_number(request.words_per_s)} words/s. "
            "Choose faster hardware, a smaller model, shorter prompts or other targets."
        )
    else:
        yield ""
        yield from (f"{name:<24}{text}" for name, text in plan_rows(plan))
    if plan.old:
        yield ""
        yield f"Facts older than 180 days: {', '.join(plan.old)}. Look at their sources again."


def plan_rows(plan: CapacityPlan) -> Iterator[tuple[str, str]]:
    """Yield name and text of each result of a plan that can be met."""
    hardware, load = plan.hardware, plan.load
    if hardware is None or load is None:
        return
    size = f", {hardware.accelerators_per_replica} accelerators each" if hardware.accelerators_per_replica > 1 else ""
    yield "Replicas", f"{hardware.replicas:,} and {hardware.spare} spare{size}"
    yield "Accelerators", format_figure(hardware.accelerators)
    yield "Machines", format_figure(hardware.machines)
    yield "First word, half within", f"{format_figure(load.first_p50_s)} s"
    yield "First word, 95 % within", f"{format_figure(load.first_p95_s)} s"
    yield "First word, 99 % within", f"{format_figure(load.first_p99_s)} s"
    yield "Slowest 5 % of answers", f"{format_figure(load.slowest_tokens_per_s.times(WORDS_PER_TOKEN))} words/s"
    yield "All answers together", f"{format_count(plan.words_per_s)} words/s in the busiest hour"
    yield "A replica holds", f"{format_number(plan.knee_rate)} questions/s; planned for {HEADROOM:.0%} of that"
    yield "With more load first", BREAKING_POINTS[plan.breaks_first]
    if hardware.site_kw is not None:
        yield "Power", f"{format_figure(hardware.site_kw.times(1000), si=True)}W"
    if hardware.purchase_usd is not None:
        yield "To buy", f"{format_figure(hardware.purchase_usd, si=True)}USD for accelerators without their servers"
    if plan.always_on is not None:
        yield from _daily_rows("a day", plan.always_on)
    if plan.autoscaled is not None and plan.day is not None:
        yield from _daily_rows("a day, scaled", plan.autoscaled)
        yield "Late when scaled", f"questions wait for a replica in {plan.day.late_minutes} of 1,440 minutes"


def _daily_rows(when: str, use: DailyUse) -> Iterator[tuple[str, str]]:
    yield f"Energy {when}", f"{format_figure(use.kwh.times(1000), si=True)}Wh"
    yield f"Electricity {when}", f"{format_figure(use.electricity_eur, si=True)}EUR"
    yield f"CO2 {when}", format_mass(use.carbon_kg)
    yield f"Water {when}", f"{format_figure(use.water_l, si=True)}l"
    if use.rent_usd is not None:
        yield f"Rent {when}", f"{format_figure(use.rent_usd, si=True)}USD"


def basis_sentence(plan: CapacityPlan) -> str:
    if plan.measured is not None:
        return f"Measured here on {plan.measured.isoformat()}."
    fact = next((each for each in plan.facts if each.name == "correction"), None)
    if fact is None:
        return "Not measured here."
    return (
        f"From published figures of {plan.accelerator_name}, at {format_number(fact.likely)} "
        f"({format_number(fact.low)} to {format_number(fact.high)}) of what its bytes and operations allow; "
        "not measured here."
    )


def format_figure(figure: Figure, *, si: bool = False) -> str:
    """Format a figure with its range; with `si` in thousands, millions or billions of its unit."""
    factor, prefix = next((each for each in SI if figure.likely >= each[0]), (1.0, "")) if si else (1.0, "")
    low, likely, high = (format_number(each / factor) for each in (figure.low, figure.likely, figure.high))
    text = likely if low == likely == high else f"{likely} ({low} to {high})"
    return f"{text} {prefix}" if si else text


def format_mass(kilograms: Figure) -> str:
    """Format a mass in grams, kilograms or tonnes."""
    if kilograms.likely < 1:
        return f"{format_figure(kilograms.times(1000))} g"
    if kilograms.likely < 1000:
        return f"{format_figure(kilograms)} kg"
    return f"{format_figure(kilograms.times(0.001))} t"


def format_count(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else format_number(value)


def format_number(value: float) -> str:
    """Format a number with three digits at least."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
