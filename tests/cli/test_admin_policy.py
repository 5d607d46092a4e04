"""`eclair admin apply`, `export` and `drift`: what administrators decide, as a file."""

from __future__ import annotations

import tomllib
from pathlib import Path

import orjson
import pytest

from tests.cli.test_cli import Eclair

POLICY = """
[[groups]]
name = "Die Klinik"
[[grants]]
subject = "group:Die Klinik"
object = "web"
effect = "deny"
[[budgets]]
subject = "person:Ada"
tokens = 1000000
[[retention]]
target = "group:Die Klinik"
days = "temporary"
[[holds]]
target = "person:ada"
reason = "Case 7"
[engines.mistral]
url = "https://api.mistral.ai/v1"
key = "env:MODEL_KEY"
[web]
policy = "eu"
keys = { brave = "env:BRAVE_KEY" }
"""
KEYS = {"MODEL_KEY": "sk-model-secret", "BRAVE_KEY": "brave-secret"}


@pytest.fixture
def run(tmp_path: Path) -> Eclair:
    return Eclair(tmp_path)


def test_a_file_is_tried_applied_once_and_exported(run: Eclair, tmp_path: Path) -> None:
    file, copy = tmp_path / "policy.toml", tmp_path / "copy.toml"
    file.write_text(POLICY)
    run("admin", "people", "add", "ada", "--role", "admin")
    tried = run("admin", "apply", str(file), "--dry-run", **KEYS)
    assert (tried.returncode, tried.stdout.splitlines()[-1]) == (0, "Would be 6 added, 1 changed."), tried
    assert "+ grants group:Die Klinik web" in tried.stdout
    assert run("admin", "groups", "list").stdout == "None found.\n"
    applied = run("admin", "apply", str(file), **KEYS)
    assert applied.stdout.splitlines()[-1] == "6 added, 1 changed.", applied
    assert run("admin", "apply", str(file), **KEYS).stdout.startswith("Nothing to do"), "a second time"
    acts = [orjson.loads(line)["action"] for line in run("audit", "export").stdout.splitlines()]
    assert acts.count("policy.applied") == 1
    assert {"group.added", "grant.changed", "budget.changed", "legal_hold.placed", "engine.added"} <= set(acts)
    assert run("admin", "export", str(copy)).returncode == 0
    assert not any(key in copy.read_text() for key in KEYS.values()), "keys stay here"
    assert tomllib.loads(copy.read_text())["engines"]["mistral"]["key"] == "vault"
    assert run("admin", "apply", str(copy)).stdout.startswith("Nothing to do"), "without the variables"
    other = run("admin", "apply", str(file), MODEL_KEY="sk-other", BRAVE_KEY="brave-secret")
    assert other.stdout.splitlines() == ["~ engines mistral", "    key: vault → env:MODEL_KEY", "1 changed."]
    copy.write_text("groups = []\nholds = []\n")
    assert run("admin", "apply", str(copy)).stdout.splitlines()[-1] == "2 removed."
    assert "mistral" in run("admin", "export").stdout, "a table that isn't declared stays"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[[budgets]]\ntokens = 0\n", "sets budgets[1].tokens"),
        ("[[groups]]\nname = 'New'\n[[grants]]\nsubject = 'group:Nwe'\nobject = 'web'\neffect = 'deny'\n", "group:Nwe"),
        ("[[groups]]\nname = 'New'\n[[holds]]\ntarget = 'person:nobody'\n", "person:nobody, which isn't there"),
        ("[[groups]]\nname = 'New'\n[[retention]]\ntarget = 'project:fld_x'\ndays = 3\n", "project"),
        ("[[groups]]\nname = 'New'\n[engines.a]\nurl = 'http://a'\nkey = 'env:NONE'\n", "NONE, which isn't set"),
        ("[[groups]]\nname = 'New'\n[engines.a]\nurl = 'http://a'\nkey = 'vault'\n", "there is none for this address"),
        ("[[groups]]\nname = 'New'\n[web]\nservices = ['altavista']\n", "search service 'altavista'"),
    ],
)
def test_a_bad_file_changes_nothing(run: Eclair, tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(text)
    refused = run("admin", "apply", str(file))
    assert (refused.returncode, sentence in refused.stderr) == (2, True), refused
    assert run("admin", "groups", "list").stdout == "None found.\n"


def test_settings_keep_what_they_decide(run: Eclair, tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text("[web]\npolicy = 'eu'\n")
    fixed = run("admin", "apply", str(file), ECLAIR_EGRESS="offline")
    assert (fixed.returncode, "what the settings say (egress)" in fixed.stderr) == (2, True), fixed
    closed = run("admin", "apply", str(file), ECLAIR_ENGINES_FROM="file")
    assert (closed.returncode, "only the settings may" in closed.stderr) == (2, True), closed


def test_a_group_that_a_grant_needs_is_not_removed(run: Eclair, tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    grant = "[[grants]]\nsubject = 'group:Old'\nobject = 'web'\neffect = 'deny'\n"
    file.write_text(f"[[groups]]\nname = 'Old'\n{grant}")
    assert run("admin", "apply", str(file)).returncode == 0
    file.write_text(f"groups = []\n{grant}")
    refused = run("admin", "apply", str(file))
    assert (refused.returncode, "group:Old, which isn't there" in refused.stderr) == (2, True), refused
    assert "Old" in run("admin", "groups", "list").stdout


def test_drift_is_named_with_an_exit_code_and_by_the_doctor(run: Eclair, tmp_path: Path) -> None:
    unknown = run("admin", "drift")
    assert (unknown.returncode, "No policy file is known" in unknown.stderr) == (2, True), unknown
    file = tmp_path / "policy.toml"
    named = {"ECLAIR_POLICY_FILE": str(file)}
    missing = run("admin", "drift", **named)
    assert (missing.returncode, f"There is no file {file}" in missing.stderr) == (1, True), missing
    file.write_text("[[groups]]\nname = 'Legal'\n[[retention]]\ntarget = 'everyone'\ndays = 30\n")
    assert run("admin", "apply", **named).stdout.splitlines()[-1] == "2 added."
    same = run("admin", "drift", **named)
    assert (same.returncode, same.stdout) == (0, f"Everything matches {file}.\n")
    assert f"everything is as {file} says" in run("doctor", **named).stdout
    run("retention", "--set", "everyone", "60")
    run("admin", "groups", "add", "Other")
    found = run("admin", "drift", **named)
    lines = ["- groups Other", "~ retention everyone", "    days: 60 → 30"]
    assert (found.returncode, found.stdout.splitlines()) == (1, lines)
    (group, rule) = orjson.loads(run("admin", "drift", "--json", **named).stdout)
    assert (group["table"], group["action"]) == ("groups", "remove")
    assert rule["fields"] == [{"name": "days", "stored": "60", "declared": "30"}]
    assert "differs from" in run("doctor", **named).stdout
