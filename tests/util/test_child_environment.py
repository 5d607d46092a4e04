"""Children get the variables that they need, and no secret."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import eclair
from eclair.util.child_environment import COMPILER_PREFIXES, PIP_PREFIXES, child_environment

SOURCE = Path(eclair.__file__).parent
SPAWNING = {"asyncio.create_subprocess_exec", "subprocess.Popen", "subprocess.run", "subprocess.check_output"}
FORBIDDEN = (
    *("asyncio.create_subprocess_shell", "subprocess.call", "subprocess.check_call", "subprocess.getoutput"),
    *("os.system", "os.popen", "os.posix_spawn", "os.exec", "os.spawn"),
)

WRAPPER = "sandbox/program.py"
"""Becomes another program, with the variables that it was given itself."""


def calls() -> Iterator[tuple[str, str, ast.Call]]:
    """Yield every call as (place, function, node)."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                yield f"{path.relative_to(SOURCE)}:{node.lineno}", ast.unparse(node.func), node


def test_every_child_is_given_its_environment() -> None:
    children = [(place, call) for place, function, call in calls() if function in SPAWNING]
    assert len(children) >= 8
    assert [place for place, call in children if "env" not in {keyword.arg for keyword in call.keywords}] == []
    forbidden = [place for place, function, _ in calls() if function.startswith(FORBIDDEN)]
    assert [place for place in forbidden if not place.startswith(WRAPPER)] == []


def test_no_environment_is_copied_whole() -> None:
    copied = re.compile(r"\*\*\s*os\.environ|os\.environ\.copy|dict\(os\.environ|os\.environ\.items")
    found = [path.name for path in SOURCE.rglob("*.py") if copied.search(path.read_text("utf-8"))]
    assert found == ["child_environment.py"]


def test_secrets_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = ("ECLAIR_API_KEY", "ECLAIR_ENGINES", "HF_TOKEN", "OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "PGPASSWORD")
    for name in (*secrets, "PIP_INDEX_URL", "https_proxy"):
        monkeypatch.setenv(name, "s3cret")
    assert "s3cret" not in child_environment().values()
    assert "s3cret" not in child_environment(*COMPILER_PREFIXES).values()
    assert {name for name, value in child_environment(*PIP_PREFIXES).items() if value == "s3cret"} == {
        "PIP_INDEX_URL",
        "https_proxy",
    }


def test_libraries_send_no_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    assert child_environment()["ORT_DISABLE_TELEMETRY"] == "1"


def test_what_libraries_need_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    needed = {
        "PATH": "/bin",
        "LANG": "C",
        "CUDA_VISIBLE_DEVICES": "1",
        "OMP_NUM_THREADS": "2",
        "LD_LIBRARY_PATH": "/lib",
    }
    for name, value in needed.items():
        monkeypatch.setenv(name, value)
    assert needed.items() <= child_environment().items()
    assert child_environment(PATH="/other")["PATH"] == "/other"
