"""Plans: they grow with the demand, are never negative, and say what they rest on."""

from __future__ import annotations

import re
from dataclasses import asdict, fields, is_dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eclair.capacity.autoscaling import Fleet, simulate_day
from eclair.capacity.calibration import MeasuredAnswer, MeasuredSpeed, fit_speed, load_measured, save_measured
from eclair.capacity.capacity_facts import MAX_AGE, Fact, load_facts, named_facts
from eclair.capacity.capacity_plan import HEADROOM, CapacityPlan, make_plan
from eclair.capacity.figures import Figure
from eclair.capacity.plan_request import DEFAULT_LENGTHS, LIMITS, CapacityRequest, lengths_of_usage
from eclair.capacity.plan_svg import plan_svg
from eclair.capacity.plan_text import plan_lines
from eclair.capacity.replica import ReplicaSpeed
from eclair.capacity.simulation import simulate
from eclair.capacity.workload import QuestionDemand
from eclair.errors import InvalidInput, NotFound, UpstreamError
from eclair.models.catalog import load_entries
from eclair.storage.usage import UsageTotal

TODAY = date(2026, 11, 29)
OFFICE = CapacityRequest(model="mistral-small-3.2", accelerator="h100", people=2000)
EUROPE = """
AT BE BG CH CY CZ DE DK EE ES FI FR GB GR HR HU IE IS IT LI LT LU LV MT NL NO PL PT RO SE SI SK
"""


def plan(request: CapacityRequest, measured: dict[str, MeasuredSpeed] | None = None) -> CapacityPlan:
    return make_plan(request, load_facts(), load_entries(), measured or {}, TODAY)


@pytest.fixture(scope="module")
def office() -> CapacityPlan:
    return plan(OFFICE)


def figures(value: Any) -> list[Figure]:
    if isinstance(value, Figure):
        return [value]
    if isinstance(value, tuple):
        return [each for part in value for each in figures(part)]  # pyright: ignore[reportUnknownVariableType]
    if is_dataclass(value):
        return [each for spec in fields(value) for each in figures(getattr(value, spec.name))]
    return []


def test_a_plan_has_ranges_in_order_and_nothing_below_zero(office: CapacityPlan) -> None:
    found = figures(office)
    assert len(found) > 40
    assert all(0 <= each.low <= each.likely <= each.high for each in found)


def test_an_office_fits_a_card_and_its_spare(office: CapacityPlan) -> None:
    hardware, load = office.hardware, office.load
    assert hardware is not None
    assert load is not None
    assert (hardware.replicas, hardware.spare, hardware.accelerators.likely) == (1, 1, 2)
    assert office.planned_rate == pytest.approx(office.knee_rate * HEADROOM)
    assert load.rate <= office.planned_rate
    assert load.first_p95_s.high <= OFFICE.first_word_s
    assert office.breaks_first in ("kv", "speed", "slots", "prefill")
    assert office.basis == "published"
    assert "not measured here" in "\n".join(plan_lines(office))


def test_units_of_a_day_fit_each_other(office: CapacityPlan) -> None:
    use, hardware = office.always_on, office.hardware
    assert use is not None
    assert hardware is not None
    assert hardware.site_kw is not None
    germany = load_facts().find_country("DE")
    assert germany is not None
    assert use.kwh.likely == pytest.approx(hardware.site_kw.likely * 24)
    assert use.carbon_kg.likely == pytest.approx(use.kwh.likely * germany.carbon_g_per_kwh.likely / 1000)
    assert use.electricity_eur.likely == pytest.approx(use.kwh.likely * germany.electricity_eur_per_kwh.likely)
    assert use.rent_usd is not None
    assert use.rent_usd.likely == pytest.approx(2.6 * 24 * hardware.accelerators.likely)


def test_the_same_request_has_the_same_plan(office: CapacityPlan) -> None:
    assert plan(OFFICE) == office


def test_every_fact_of_a_plan_names_its_source(office: CapacityPlan) -> None:
    names = {each.name for each in office.facts}
    assert {"carbon_g_per_kwh", "machine_kw", "pue", "correction", "rent_usd_per_hour"} <= names
    assert all(each.source and each.checked <= TODAY for each in office.facts)


@settings(deadline=None, max_examples=3)
@given(st.integers(1, 4_000_000), st.integers(1, 4_000_000))
def test_more_people_never_need_less(one: int, other: int) -> None:
    fewer, more = sorted((one, other))
    small = plan(replace(OFFICE, accelerator="h200", model="mistral-large-3", people=fewer)).hardware
    large = plan(replace(OFFICE, accelerator="h200", model="mistral-large-3", people=more)).hardware
    assert small is not None
    assert large is not None
    for name in ("replicas", "accelerators", "machines", "site_kw", "purchase_usd"):
        low, high = getattr(small, name), getattr(large, name)
        assert low == high or (low < high if isinstance(low, int) else low.likely <= high.likely)


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 500), st.integers(0, 500), st.floats(0.01, 50), st.floats(0, 1))
def test_a_larger_fleet_never_lets_more_wait(few: int, extra: int, rate: float, burst: float) -> None:
    demand = QuestionDemand(rate * 3600 * 8, rate)
    small = simulate_day(demand, Fleet(rate / 40, rate / 60, few, 1), burst)
    large = simulate_day(demand, Fleet(rate / 40, rate / 60, few + extra, 1), burst)
    assert 0 <= large.late_minutes <= small.late_minutes <= 1440
    assert 24 <= small.replica_hours <= (few + 1) * 24 + 1e-6


@settings(deadline=None, max_examples=40)
@given(st.floats(0.01, 1), st.floats(0.1, 50), st.floats(0.01, 1))
def test_the_hours_of_a_day_hold_all_its_questions(busy: float, hourly: float, more: float) -> None:
    demand = QuestionDemand.of_people(1000, busy * hourly * (1 + 40 * more), busy, hourly)
    hours = demand.hourly()
    assert sum(hours) == pytest.approx(demand.per_day)
    assert max(hours) == pytest.approx(demand.peak_rate * 3600, rel=0.02)
    assert min(hours) >= 0


def test_what_no_hardware_can_do_is_said() -> None:
    found = plan(replace(OFFICE, words_per_s=1000))
    assert found.hardware is None
    assert found.load is None
    assert found.knee_rate == 0
    assert "The targets can't be met" in "\n".join(plan_lines(found))
    assert "The targets can&#x27;t be met" in plan_svg(found)


def test_a_laptop_and_a_campus_are_planned_alike() -> None:
    laptop = plan(
        CapacityRequest(
            model="ministral-3-3b",
            accelerator="m4-max",
            people=1,
            busy_share=1,
            questions_per_day=30,
            first_word_s=10,
            spare=0,
        )
    )
    assert laptop.hardware is not None
    assert laptop.hardware.site_kw is not None
    assert laptop.hardware.accelerators.likely == 1
    assert laptop.hardware.site_kw.likely == pytest.approx(0.14)
    campus = plan(replace(OFFICE, model="mistral-large-3", accelerator="gb200", people=2_000_000_000, country="FR"))
    assert campus.hardware is not None
    assert campus.hardware.site_kw is not None
    assert 100_000 < campus.hardware.site_kw.likely < 5_000_000


@pytest.mark.parametrize("name", LIMITS)
def test_numbers_beyond_their_limits_are_refused_by_name(name: str) -> None:
    for wrong in (LIMITS[name][0] - 1, LIMITS[name][1] * 2 + 1):
        with pytest.raises(InvalidInput, match=f"`{name}` must be from"):
            plan(replace(OFFICE, **{name: wrong}))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"country": "XX"}, "no facts about 'XX'"),
        ({"accelerator": "abacus"}, "no facts about 'abacus'"),
        ({"accelerator": "here"}, "hasn't been measured here"),
        ({"model": "mistral-smal-3.2"}, "The catalog has no model"),
    ],
)
def test_unknown_names_are_told(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(NotFound, match=sentence):
        plan(replace(OFFICE, **changes))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(InvalidInput, match="doesn't fit one machine"):
        plan(replace(OFFICE, model="deepseek-v4-pro", accelerator="l40s"))
    with pytest.raises(InvalidInput, match="takes 1 to 8 of NVIDIA H100"):
        plan(replace(OFFICE, accelerators=9))
    with pytest.raises(InvalidInput, match="busiest hour would have more questions"):
        plan(replace(OFFICE, questions_per_day=0.1))


def test_every_country_of_the_eu_and_its_neighbors_has_facts() -> None:
    assert [each.code for each in load_facts().country] == EUROPE.split()


def test_every_fact_has_a_known_source_a_range_and_a_day() -> None:
    facts = load_facts()
    rows = [facts.site, *facts.accelerator, *facts.model, *facts.published, *facts.country]
    found = [each for row in rows for each in named_facts(row)]
    assert len(found) > 150
    for name, fact in found:
        assert fact.source in facts.sources, name
        assert fact.low <= fact.likely <= fact.high, name
        assert fact.checked <= TODAY, name
    assert set(facts.sources) == {fact.source for _, fact in found}


def test_old_facts_are_warned_of(office: CapacityPlan) -> None:
    assert office.old == ()
    late = make_plan(OFFICE, load_facts(), load_entries(), {}, TODAY + MAX_AGE + timedelta(days=1))
    assert "carbon_g_per_kwh" in late.old
    assert "Facts older than 180 days" in "\n".join(plan_lines(late))


def test_lengths_come_from_enough_answers_only() -> None:
    total = UsageTotal(answers=100, prompt_tokens=200_000, cached_tokens=50_000, completion_tokens=30_000)
    found = lengths_of_usage(total)
    assert found is not None
    assert asdict(found) == {"prompt_tokens": 2000, "answer_tokens": 300, "cached_share": 0.25}
    assert lengths_of_usage(replace(total, answers=10)) is None
    assert DEFAULT_LENGTHS.prompt_tokens == OFFICE.prompt_tokens


TRUE = ReplicaSpeed(
    fixed_s=0.02,
    weights_s=0,
    answer_s=0.002,
    kv_token_s=1e-6,
    prompt_tokens_per_s=500,
    slots=16,
    kv_tokens=100_000,
    chunk_tokens=512,
)


def answer(at_once: int, read: int, true: ReplicaSpeed = TRUE) -> MeasuredAnswer:
    held = read + 50
    return MeasuredAnswer(at_once, read, held, 0.1 + read / 500, true.step_s(at_once, held * at_once))


def test_a_measured_speed_is_found_again(tmp_path: Path) -> None:
    answers = [answer(1, 20), answer(1, 2000), *(answer(count, 20) for count in (4, 4, 8, 16))]
    speed = fit_speed(answers, 16, 100_000, 512)
    assert asdict(speed) == pytest.approx(asdict(TRUE), rel=0.02, abs=1e-9)
    measured = MeasuredSpeed("mine", TODAY, speed, tuple(answers))
    folder = tmp_path / "data"
    save_measured(folder, measured)
    assert load_measured(folder) == {"mine": measured}
    found = plan(replace(OFFICE, model="mine", accelerator="here", people=10, first_word_s=60), {"mine": measured})
    assert found.basis == "measured"
    assert found.hardware is not None
    assert found.always_on is None
    assert "Measured here on 2026-11-29." in "\n".join(plan_lines(found))
    (folder / "capacity.json").write_text("[]broken")
    assert load_measured(folder) == {}


def test_in_a_shared_cache_each_answer_reads_what_all_hold() -> None:
    true = replace(TRUE, shares_cache=True)
    answers = [answer(count, read, true) for count, read in ((1, 20), (1, 2000), (4, 20), (16, 20), (8, 300))]
    speed = fit_speed(answers, 16, 100_000, 512, shares_cache=True)
    assert asdict(speed) == pytest.approx(asdict(true), rel=0.02, abs=1e-9)
    assert true.step_s(8, 1000) - TRUE.step_s(8, 1000) == pytest.approx(7 * 1000 * TRUE.kv_token_s)


def test_what_the_measurement_contradicts_costs_nothing() -> None:
    answers = [MeasuredAnswer(1, 20, 70, 0.1, 0.02), MeasuredAnswer(1, 2000, 2050, 4, 0.01), answer(4, 20)]
    assert fit_speed(answers, 16, 100_000, 512).kv_token_s == 0


def test_too_few_answers_measure_nothing() -> None:
    with pytest.raises(UpstreamError, match="Too few answers"):
        fit_speed([answer(1, 20)], 16, 1000, 512)


def test_the_picture_is_well_formed_and_says_its_figures(office: CapacityPlan) -> None:
    root = ElementTree.fromstring(plan_svg(office))
    assert root.get("role") == "img"
    text = " ".join(root.itertext())
    assert "First word for 95 of 100 answers" in text
    assert "Replicas by hour" in text
    assert "nan" not in plan_svg(office)
    assert not re.search(r'="-\d', plan_svg(office))
    assert orjson.loads(orjson.dumps(asdict(office)))["request"]["people"] == 2000


def test_a_fact_of_one_value_has_no_spread() -> None:
    assert Fact(1, 1, 1, "x", TODAY).figure == Figure.exactly(1)
    assert simulate(TRUE, []).served == []
