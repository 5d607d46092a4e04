"""On a disk that takes no writes the page shows what is there, and says why it stores nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Opening, Watch
from tests.browser.served import Served
from tests.support import environment

MOUNTING = """
set -e
mount -t tmpfs -o size=16m tmpfs "$1"
cp -r "$2"/. "$1"
mount -o remount,ro "$1"
exec "$3" -m eclair.cli serve
"""


@dataclass(frozen=True, slots=True)
class Mounted:
    """A server on a file system of its own."""

    address: str


@pytest.fixture
def read_only(tmp_path: Path, mortal: Served, opening: Opening) -> Iterator[Mounted]:
    page = opening(mortal).new_page()
    id = page.request.post("/api/conversations", data={}).json()["id"]
    run = page.request.post(f"/api/conversations/{id}/turns", data={"text": "Of bread"}).json()["run"]
    assert page.request.get(f"/api/runs/{run}/events").ok
    mortal.close()
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    command = ["unshare", "-rm", "sh", "-c", MOUNTING, "sh", mounted, tmp_path / "data", sys.executable]
    environ = {**os.environ, **environment(mounted), "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Mounted("http://" + process.stdout.readline().partition("http://")[2].strip())
        finally:
            process.terminate()


def test_the_page_reads_and_says_why_it_stores_nothing(
    read_only: Mounted, opening: Opening, watches: list[Watch]
) -> None:
    page = opening(read_only, locale="de-DE").new_page()
    watches[-1].forgive("503")
    page.goto("/")
    banner = page.locator("[data-state=read_only]")
    expect(banner).to_contain_text("only shows what is there; free some space on its disk or make it writable")
    page.get_by_role("link", name="Of bread").click()
    expect(page.get_by_text("Of bread").last).to_be_visible()
    page.get_by_role("textbox").last.fill("And now?")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("kann zurzeit nichts speichern")
    expect(page.get_by_role("textbox").last).to_have_value("And now?")
    page.close()  # the server ends first
