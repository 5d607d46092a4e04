"""No lock file pins a version with a known flaw, and `make audit` reports what the databases know."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

ROOT = Path(__file__).parents[1]
LISTED: dict[str, Any] = tomllib.loads((ROOT / "release" / "advisories.toml").read_text("utf-8"))
ADVISORIES = [(system, advisory) for system in ("python", "npm") for advisory in LISTED[system]]
ID = re.compile(r"CVE-\d{4}-\d{4,}|GHSA(-[23456789cfghjmpqrvwx]{4}){3}|PYSEC-\d{4}-\d+")
AUDIT = ROOT / "release" / "audit.py"


def python_pins() -> Iterator[tuple[str, str, str]]:
    """Lock file, name and version of each pinned Python package."""
    for path in sorted(ROOT.glob("requirements*.lock")):
        for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", path.read_text("utf-8"), re.MULTILINE):
            yield path.name, name, version


def npm_pins() -> Iterator[tuple[str, str, str]]:
    for folder in ("ui", "drawings"):
        locked = json.loads((ROOT / folder / "package-lock.json").read_text("utf-8"))["packages"]
        for path, package in locked.items():
            if path:
                yield f"{folder}/package-lock.json", path.rpartition("node_modules/")[2], package["version"]


PINS = {"python": list(python_pins()), "npm": list(npm_pins())}


def test_the_list_is_dated_and_whole() -> None:
    assert isinstance(LISTED["read"], date)
    for system, advisory in ADVISORIES:
        assert all(ID.fullmatch(id) for id in advisory["ids"]), advisory
        assert ("fixed" in advisory) != ("mitigation" in advisory), advisory
        assert any(name == advisory["package"] for _, name, _ in PINS[system]), f"{advisory['package']} is not pinned"


@pytest.mark.parametrize("system", PINS)
def test_no_pinned_version_has_a_known_flaw(system: str) -> None:
    known = [advisory for each, advisory in ADVISORIES if each == system and "fixed" in advisory]
    flawed = [
        f"{lock}: {name} {version} has {advisory['ids'][0]}; {advisory['fixed']} mends it"
        for lock, name, version in PINS[system]
        for advisory in known
        if advisory["package"] == name and Version(version) < Version(advisory["fixed"])
    ]
    assert flawed == []


def stand_in(folder: Path, name: str, code: str) -> Path:
    """A program that runs this Python code."""
    path = folder / name
    path.write_text(f"#!{sys.executable}\nimport json, sys\n{code}\n")
    path.chmod(0o755)
    return path


def audit(pip_audit: Path, npm: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, AUDIT, pip_audit, npm]
    return subprocess.run(command, env={"PATH": os.defpath}, capture_output=True, text=True, check=False)


CLEAN = """
pins = [line.strip().split("==") for line in open(sys.argv[sys.argv.index("--requirement") + 1])]
assert len(dict(pins)) == len(pins)
packages = [{"name": name, "version": version, "vulns": []} for name, version in pins]
"""
SAY = 'print(json.dumps({"dependencies": packages, "fixes": []}))'
NPM_CLEAN = 'assert sys.argv[1] == "audit"\nprint(json.dumps({"vulnerabilities": {}}))'


def test_an_audit_without_findings(tmp_path: Path) -> None:
    done = audit(stand_in(tmp_path, "pip-audit", CLEAN + SAY), stand_in(tmp_path, "npm", NPM_CLEAN))
    assert (done.returncode, done.stdout, done.stderr) == (0, "0 known flaws, 0 mitigated.\n", "")


def test_an_audit_asks_about_every_version(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    code = f"{CLEAN}open({str(asked)!r}, 'a').writelines(f'{{name}} {{version}}\\n' for name, version in pins)\n{SAY}"
    audit(stand_in(tmp_path, "pip-audit", code), stand_in(tmp_path, "npm", NPM_CLEAN))
    assert set(asked.read_text().splitlines()) == {f"{name} {version}" for _, name, version in PINS["python"]}


def test_an_audit_with_findings(tmp_path: Path) -> None:
    flaws = """
for package in packages:
    if package["name"] == "aiohttp":
        package["vulns"] = [{"id": "PYSEC-2027-1", "fix_versions": ["9.9"], "aliases": ["CVE-2027-1000"]}]
    if package["name"] == "pi-heif":
        package["vulns"] = [{"id": "PYSEC-2027-2", "fix_versions": [], "aliases": ["CVE-2026-84383"]}]
"""
    via = {"url": "https://github.com/advisories/GHSA-2222-3333-4444", "range": "<9.0.0"}
    npm = f'print(json.dumps({{"vulnerabilities": {{"svelte": {{"via": [{via}, "other"]}}}}}}))'
    done = audit(stand_in(tmp_path, "pip-audit", CLEAN + flaws + SAY), stand_in(tmp_path, "npm", npm))
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0].startswith("mitigated: pi-heif")
    assert re.fullmatch(r"FLAW: aiohttp [\d.]+: PYSEC-2027-1, CVE-2027-1000 \(mended in 9\.9\)", lines[1])
    assert lines[2] == "FLAW: svelte (ui): GHSA-2222-3333-4444 (affected are <9.0.0)"
    assert lines[-1] == "3 known flaws, 1 mitigated."


@pytest.mark.parametrize(
    ("pip_audit", "npm"),
    [
        ('sys.exit("ConnectionError: refused")', NPM_CLEAN),
        (CLEAN + SAY, 'print(json.dumps({"message": "request failed", "error": {}})); sys.exit(1)'),
    ],
)
def test_an_audit_that_reaches_nobody_says_so(tmp_path: Path, pip_audit: str, npm: str) -> None:
    done = audit(stand_in(tmp_path, "pip-audit", pip_audit), stand_in(tmp_path, "npm", npm))
    assert done.returncode == 2
    assert done.stderr.startswith("The advisory database can't be reached, so nothing is known: ")
    assert done.stdout == ""
