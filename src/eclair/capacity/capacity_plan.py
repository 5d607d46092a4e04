"""A plan: how many replicas, accelerators and machines a demand takes, and what they use.

`make_plan` chooses the speed of a replica, finds the load that it holds, counts replicas, and adds power, water, money
and emissions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from typing import Literal

from eclair.capacity.autoscaling import Fleet, ScaledDay, simulate_day
from eclair.capacity.calibration import MeasuredSpeed
from eclair.capacity.capacity_facts import (
    Accelerator,
    CapacityFacts,
    CountryFacts,
    Fact,
    Precision,
    named_facts,
    old_facts,
)
from eclair.capacity.figures import Figure
from eclair.capacity.hardware_speed import (
    REPLICA_SIZES,
    ModelSize,
    default_precision,
    derive_speed,
    needed_accelerators,
)
from eclair.capacity.load_search import LoadBand, LoadSearch, SearchReport
from eclair.capacity.plan_request import CapacityRequest
from eclair.capacity.replica import ReplicaSpeed
from eclair.capacity.simulation import Bottleneck
from eclair.capacity.workload import WORDS_PER_TOKEN
from eclair.errors import InvalidInput, NotFound
from eclair.models.catalog import CatalogEntry, find_entry

HERE = "here"
"""Names this machine, or the server that `eclair plan --measure` measured, in place of an accelerator."""

HEADROOM = 0.65
"""Share of the knee that a replica is planned for: past it a burst decides how long people wait."""

LARGEST_TRIED = 8
"""Accelerators of the largest replica that is tried unless a request names a number."""

CURVE_SHARES = (0.2, 0.4, 0.6, 0.8, 1.0, 1.15)
CURVE_SEEDS = (21, 22, 23)


BreakingPoint = Bottleneck | Literal["speed"]
"""Keeps a replica from more: its slots, its room for keys and values, reading prompts, or the speed of answers."""


@dataclass(frozen=True, slots=True)
class DailyUse:
    """Use of all machines in a day; money is None where no price is known."""

    kwh: Figure
    electricity_eur: Figure
    carbon_kg: Figure
    water_l: Figure
    rent_usd: Figure | None


@dataclass(frozen=True, slots=True)
class UsedFact:
    """A fact that the plan rests on, with the text of its source."""

    name: str
    likely: float
    low: float
    high: float
    source: str
    checked: date


@dataclass(frozen=True, slots=True)
class Hardware:
    """Hardware that holds the load, with the spare. Ranges follow from how sure the speed of a replica is."""

    replicas: int
    spare: int
    accelerators_per_replica: int
    accelerators: Figure
    machines: Figure
    site_kw: Figure | None
    purchase_usd: Figure | None


@dataclass(frozen=True, slots=True)
class CapacityPlan:
    """The answer to a request. Without a knee the targets can't be met, and there is no hardware.

    Rates are questions a second, of one replica but for the peak's. With a replica for themselves, 95 of
    100 answers have `alone_words_per_s` or more, and their first word within `alone_first_word_s`.
    """

    request: CapacityRequest
    model_name: str
    accelerator_name: str
    precision: Precision | None
    basis: Literal["measured", "published"]
    measured: date | None
    peak_rate: float
    questions_per_day: float
    alone_words_per_s: float
    alone_first_word_s: float
    knee_rate: float
    planned_rate: float
    load: LoadBand | None
    words_per_s: float
    hardware: Hardware | None
    always_on: DailyUse | None
    autoscaled: DailyUse | None
    day: ScaledDay | None
    curve: tuple[LoadBand, ...]
    breaks_first: BreakingPoint
    facts: tuple[UsedFact, ...]
    old: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Replica:
    """A replica with what is known about it."""

    speed: ReplicaSpeed
    correction: Figure
    count: int
    precision: Precision | None
    model_name: str
    accelerator: Accelerator | None
    measured: date | None


def make_plan(
    request: CapacityRequest,
    facts: CapacityFacts,
    models: dict[str, CatalogEntry],
    measured: dict[str, MeasuredSpeed],
    today: date,
    report: SearchReport = lambda _: None,
) -> CapacityPlan:
    """Plan for a request; it depends on nothing else, chance included. Raises InvalidInput and NotFound."""
    country, replicas = _check(request, facts, models, measured)
    demand = request.demand
    replica, search, knee = _choose_replica(replicas, request, report)
    alone = search.serve_alone()
    planned = knee * HEADROOM
    curve = tuple(search.show(knee * share, CURVE_SEEDS) for share in CURVE_SHARES) if knee > 0 else ()
    hardware, day, load, daily = None, None, None, (None, None)
    if knee > 0:
        needed = int(_needed_replicas(request, knee))
        hardware = _count_hardware(request, replica, facts, demand.peak_rate / planned)
        load = search.show(demand.peak_rate / needed)
        day = simulate_day(demand, Fleet(knee, planned, needed, request.spare), request.burst)
        daily = _use(hardware, replica, facts, country, day, request)
    rows: list[object] = [facts.site, country, *([replica.accelerator] if replica.accelerator else [])]
    speed = alone.slowest_tokens_per_s if math.isfinite(alone.slowest_tokens_per_s) else 0.0
    return CapacityPlan(
        request=request,
        model_name=replica.model_name,
        accelerator_name=replica.accelerator.name if replica.accelerator else HERE,
        precision=replica.precision,
        basis="published" if replica.measured is None else "measured",
        measured=replica.measured,
        peak_rate=demand.peak_rate,
        questions_per_day=demand.per_day,
        alone_words_per_s=speed * WORDS_PER_TOKEN,
        alone_first_word_s=alone.first_p95_s,
        knee_rate=knee,
        planned_rate=planned,
        load=load,
        words_per_s=demand.peak_rate * request.answer_tokens * WORDS_PER_TOKEN,
        hardware=hardware,
        always_on=daily[0],
        autoscaled=daily[1],
        day=day,
        curve=curve,
        breaks_first=_breaks_first(curve, request),
        facts=_used(rows, facts, request.model if replica.measured is None else None),
        old=tuple(old_facts(rows, today)),
    )


def check_request(
    request: CapacityRequest,
    facts: CapacityFacts,
    models: dict[str, CatalogEntry],
    measured: dict[str, MeasuredSpeed],
) -> None:
    """Raise InvalidInput or NotFound if there is no plan for a request."""
    _check(request, facts, models, measured)


def _check(
    request: CapacityRequest,
    facts: CapacityFacts,
    models: dict[str, CatalogEntry],
    measured: dict[str, MeasuredSpeed],
) -> tuple[CountryFacts, list[_Replica]]:
    request.check()
    _ = request.demand
    country = facts.find_country(request.country)
    if country is None:
        codes = ", ".join(each.code for each in facts.country)
        raise NotFound(f"There are no facts about {request.country!r}; choose one of {codes}.", param="country")
    return country, _find_replicas(request, facts, models, measured)


def _choose_replica(
    replicas: list[_Replica], request: CapacityRequest, report: SearchReport
) -> tuple[_Replica, LoadSearch, float]:
    """Return the replica of which the fewest accelerators are needed, its search, and its knee."""
    found: list[tuple[float, _Replica, LoadSearch, float]] = []
    simulated = 0
    for replica in replicas:
        search = LoadSearch(replica.speed, request.workload, report, simulated)
        knee = search.find_knee(request.targets)
        simulated = search.simulated
        needed = _needed_replicas(request, knee) + request.spare
        found.append((needed * replica.count, replica, search, knee))
        if needed - request.spare == 1 or found[0][0] < found[-1][0] < math.inf:
            break
    _, replica, search, knee = min(found, key=lambda each: each[0])
    return replica, search, knee


def _needed_replicas(request: CapacityRequest, knee: float) -> float:
    return max(1, math.ceil(request.demand.peak_rate / (knee * HEADROOM))) if knee > 0 else math.inf


def _find_replicas(
    request: CapacityRequest,
    facts: CapacityFacts,
    models: dict[str, CatalogEntry],
    measured: dict[str, MeasuredSpeed],
) -> list[_Replica]:
    """Return the replicas that may serve the request, the smallest first. Raises InvalidInput and NotFound."""
    if request.accelerator == HERE:
        found = measured.get(request.model)
        if found is None:
            raise NotFound(
                f"{request.model} hasn't been measured here; `eclair plan --measure {request.model}` does that.",
                param="accelerator",
            )
        speed = found.speed.with_speculation(request.tokens_per_step)
        return [_Replica(speed, Figure.exactly(1), 1, None, request.model, None, found.measured)]
    accelerator = facts.find_accelerator(request.accelerator)
    if accelerator is None:
        ids = ", ".join(each.id for each in facts.accelerator)
        raise NotFound(f"There are no facts about {request.accelerator!r}; choose one of {ids}.", param="accelerator")
    model = ModelSize.from_entry(find_entry(models, request.model), facts)
    precision = request.precision or default_precision(model, accelerator)
    least = needed_accelerators(model, accelerator, precision)
    most = accelerator.per_machine
    if request.accelerators is not None and not least <= request.accelerators <= most:
        raise InvalidInput(
            f"A replica of {model.name} takes {least} to {most} of {accelerator.name}.", param="accelerators"
        )
    tried = [each for each in REPLICA_SIZES if least <= each <= min(most, LARGEST_TRIED)] or [least]
    correction = accelerator.correction.figure
    unsure = Figure(correction.likely / correction.high, 1, correction.likely / correction.low)
    return [
        _Replica(
            derive_speed(model, accelerator, count, precision)
            .slowed(correction.likely)
            .with_speculation(request.tokens_per_step),
            unsure,
            count,
            precision,
            model.name,
            accelerator,
            None,
        )
        for count in ([request.accelerators] if request.accelerators is not None else tried)
    ]


def _breaks_first(curve: tuple[LoadBand, ...], request: CapacityRequest) -> BreakingPoint:
    """Return what fails at a load past the knee."""
    if not curve:
        return "none"
    past, targets = curve[-1], request.targets
    if past.slowest_tokens_per_s.low < targets.tokens_per_s and past.first_p95_s.high <= targets.first_word_s:
        return "speed"
    return past.bottleneck


def _count_hardware(request: CapacityRequest, replica: _Replica, facts: CapacityFacts, load: float) -> Hardware:
    """FactCount what carries `load` times what a replica is planned for."""
    replicas = Figure(*(max(1.0, math.ceil(load * each)) + request.spare for each in _bounds(replica.correction)))
    accelerators = replicas.times(replica.count)
    accelerator = replica.accelerator
    per_machine = accelerator.per_machine // replica.count * replica.count if accelerator else 1
    machines = Figure(*(math.ceil(each / per_machine) for each in _bounds(accelerators)))
    power = None if accelerator is None else accelerator.machine_kw.figure.times(_pue(accelerator, facts))
    # Of a machine that isn't full only what is used counts, so that one card in a server is no whole server.
    filled = accelerators.times(1 / accelerator.per_machine) if accelerator else machines
    price = accelerator.purchase_usd if accelerator else None
    return Hardware(
        int(replicas.likely) - request.spare,
        request.spare,
        replica.count,
        accelerators,
        machines,
        None if power is None else power.times(filled),
        None if price is None else price.figure.times(accelerators),
    )


def _use(
    hardware: Hardware,
    replica: _Replica,
    facts: CapacityFacts,
    country: CountryFacts,
    day: ScaledDay,
    request: CapacityRequest,
) -> tuple[DailyUse | None, DailyUse | None]:
    """Return a day's use of machines that are always on, and of those that start and stop with the load."""
    if hardware.site_kw is None or replica.accelerator is None:
        return None, None
    running = min(1.0, day.replica_hours / (24 * (hardware.replicas + request.spare)))

    pue, site_kw, rent = _pue(replica.accelerator, facts), hardware.site_kw, replica.accelerator.rent_usd_per_hour
    is_site = replica.accelerator.per_machine > 1
    cooling = facts.site.water_l_per_kwh.figure if is_site else Figure.exactly(0)

    def use(share: float) -> DailyUse:
        kwh = site_kw.times(24 * share)
        machines_kwh = Figure(kwh.low / pue.low, kwh.likely / pue.likely, kwh.high / pue.high)
        return DailyUse(
            kwh,
            kwh.times(country.electricity_eur_per_kwh.figure),
            kwh.times(country.carbon_g_per_kwh.figure).times(0.001),
            kwh.times(country.water_l_per_kwh.figure).plus(machines_kwh.times(cooling)),
            None if rent is None else rent.figure.times(hardware.accelerators).times(24 * share),
        )

    return use(1.0), use(running)


def _pue(accelerator: Accelerator, facts: CapacityFacts) -> Figure:
    """Return the energy of the site for each of its machines'; a computer on a desk has no site."""
    return facts.site.pue.figure if accelerator.per_machine > 1 else Figure.exactly(1)


def _used(rows: list[object], facts: CapacityFacts, model: str | None) -> tuple[UsedFact, ...]:
    found = [each for row in rows for each in named_facts(row)]
    kv: Fact | None = facts.kv_bytes(model) if model is not None else None
    if kv is not None:
        found.append(("kv_bytes_per_token", kv))
    return tuple(
        UsedFact(name, fact.likely, fact.low, fact.high, facts.sources[fact.source], fact.checked)
        for name, fact in found
    )


def _bounds(figure: Figure) -> tuple[float, float, float]:
    return figure.low, figure.likely, figure.high
