"""Texts of reports, and the command that prints them."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import orjson

from eclair.compliance.report_texts import FULL_LANGUAGES, ai_notices, load_texts
from eclair.outgoing_data import OutgoingKind
from tests.cli.test_cli import Eclair


def test_every_language_has_every_label_and_all_of_the_literacy_page() -> None:
    english, german = load_texts("en"), load_texts("de")
    assert english.keys() == german.keys()
    wanted = {key for key in english if key.startswith(("label_", "title_")) or key == "ai_notice"}
    wanted |= set(load_texts("fr"))
    for language in ai_notices():
        assert wanted <= load_texts(language).keys(), language


def test_every_kind_of_outgoing_data_has_its_text() -> None:
    for language in FULL_LANGUAGES:
        assert {f"gets_{kind}" for kind in get_args(OutgoingKind)} <= load_texts(language).keys()


def test_the_command_prints_and_writes_reports(tmp_path: Path) -> None:
    run = Eclair(tmp_path / "home")
    shown = run("compliance", "records", "--language", "de")
    assert shown.returncode == 0
    assert "# Verzeichnis von Verarbeitungstätigkeiten" in shown.stdout
    path = tmp_path / "duties.json"
    assert run("compliance", "ai-act", "--json", "-o", str(path)).returncode == 0
    assert orjson.loads(path.read_bytes())["name"] == "ai-act"
    assert run("compliance", "nonsense").returncode == 2
