"""`eclair plan`: a plan as text, JSON and SVG, the facts behind it, and a measurement to plan with."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from tests.cli.test_cli import Eclair, sentence


@pytest.fixture
def run(tmp_path: Path) -> Eclair:
    return Eclair(tmp_path)


OFFICE = ("plan", "--model", "mistral-small-3.2", "--on", "h100", "--people", "500")


def test_a_plan_names_its_basis_and_its_sources(run: Eclair) -> None:
    said = run(*OFFICE, "--country", "fr", "--sources")
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.startswith("Mistral Small 3.2 24B on NVIDIA H100, FP8, FR\nFrom published figures")
    assert "1 and 1 spare" in said.stdout
    assert "electricity_eur_per_kwh: 0.153 (0.115 to 0.192). Eurostat" in said.stdout


def test_a_plan_is_json_and_a_picture(run: Eclair, tmp_path: Path) -> None:
    picture = tmp_path / "plan.svg"
    said = run(*OFFICE, "--json", "--svg", str(picture))
    plan = orjson.loads(said.stdout)
    assert (plan["request"]["people"], plan["hardware"]["replicas"]) == (500, 1)
    assert picture.read_text("utf-8").startswith("<svg ")


def test_the_facts_have_their_sources(run: Eclair) -> None:
    lines = run("plan", "--facts").stdout.splitlines()
    assert lines[0].split() == ["OF", "FACT", "FIGURE", "CHECKED", "SOURCE"]
    assert len(lines) > 100
    assert orjson.loads(run("plan", "--facts", "--json").stdout)["sources"]["eurostat"]


def test_a_model_is_measured_and_planned_with(run: Eclair) -> None:
    measured = run("plan", "--measure", "scripted", ECLAIR_SCRIPTED="true", ECLAIR_EMBEDDED="false")
    assert measured.stdout.endswith("`eclair plan --model scripted --on here` plans with it.\n")
    assert "Measured here on" in run("plan", "--model", "scripted", "--on", "here").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("plan",), "Name a model and hardware"),
        (("plan", "--model", "mistral-small-3.2", "--on", "abacus"), "no facts about 'abacus'"),
        ((*OFFICE, "--busy-share", "nan"), "`busy_share` must be from"),
    ],
)
def test_what_is_missing_or_wrong_is_told(run: Eclair, arguments: tuple[str, ...], said: str) -> None:
    failed = run(*arguments)
    assert failed.returncode == 2
    assert said in sentence(failed.stderr)
