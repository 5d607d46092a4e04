"""Content Credentials as another implementation reads them: c2pa-ts, written from the specification alone."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from typing import get_args

import orjson

from eclair.provenance.provenance_report import ImageForm, Origin, OriginKind
from eclair.provenance.service import Provenance
from eclair.settings import Settings
from tests.provenance.made import encoded, photo
from tests.support import JSON
from tests.test_ui_units import NODE, UI

VALIDATOR = Path(__file__).with_name("validator.mjs")
FORMS: tuple[ImageForm, ...] = ("png", "jpeg")
"""What it reads of what we write."""


async def test_it_finds_that_they_hold_until_a_bit_is_changed(tmp_path: Path) -> None:
    marks = Provenance.configured(Settings(data_dir=tmp_path), stay=True)
    whole: list[Path] = []
    changed: list[Path] = []
    for form in FORMS:
        for how in get_args(OriginKind):
            whole.append(tmp_path / f"{how}.{form}")
            marked = await marks.mark(encoded(photo()), Origin(how, "FLUX.1 schnell"), form)
            whole[-1].write_bytes(marked)
            changed.append(tmp_path / f"changed-{how}.{form}")
            changed[-1].write_bytes(marked[:-1000] + bytes([marked[-1000] ^ 1]) + marked[-999:])
    await marks.close()
    found = await asyncio.to_thread(validate_with_c2pa_ts, [*whole, *changed])
    assert [each["holds"] for each in found] == [True] * len(whole) + [False] * len(changed)
    for each in found[: len(whole)]:
        assert {"claimSignature.validated", "assertion.hashedURI.match", "assertion.dataHash.match"} <= set(
            each["codes"]
        )
    assert all("assertion.dataHash.mismatch" in each["codes"] for each in found[len(whole) :])


def validate_with_c2pa_ts(paths: list[Path]) -> list[JSON]:
    """Say of PNG, JPEG and MP3 files whether their credentials hold."""
    done = subprocess.run(
        [NODE, "--input-type=module", "-", *paths],
        cwd=UI,
        input=VALIDATOR.read_bytes(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return [orjson.loads(line) for line in done.stdout.splitlines()]
