"""Model files are hashed once for each change, in the background; one that is damaged is said."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from eclair.models import catalog, weights_check
from eclair.models.catalog import CatalogEntry, ModelFile
from eclair.models.weights_check import WeightsCheck
from eclair.server import readiness
from eclair.settings import Settings
from eclair.util.background import IdleScheduler
from tests.support import serving

GOOD = b"GGUF" + bytes(3 << 20)


@pytest.fixture
def known() -> Mapping[str, CatalogEntry]:
    file = ModelFile("bees.gguf", "Q8_0", sha256=hashlib.sha256(GOOD).hexdigest())
    return {"bees": replace(catalog.starter_entry(), id="bees", files=(file,))}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    models = tmp_path / "models"
    models.mkdir()
    (models / "bees.gguf").write_bytes(GOOD)
    (models / "own.gguf").write_bytes(GOOD[::-1])
    return tmp_path


class CountingCheck(WeightsCheck):
    """A check that remembers the names of the files that it hashes."""

    def __init__(self, folder: Path, known: Mapping[str, CatalogEntry]) -> None:
        super().__init__(folder, known, IdleScheduler(), lambda: None)
        self.hashed: list[str] = []

    def hash_file(self, path: Path) -> str:
        self.hashed.append(path.name)
        return super().hash_file(path)


def test_each_file_is_hashed_once_for_each_change(folder: Path, known: Mapping[str, CatalogEntry]) -> None:
    check = CountingCheck(folder, known)
    check.check()
    check.check()
    assert check.hashed == ["bees.gguf", "own.gguf"]
    assert check.problem is None
    again = CountingCheck(folder, known)
    again.check()
    assert again.hashed == []
    path = folder / "models" / "bees.gguf"
    path.write_bytes(GOOD[:-1] + b"\1")
    again.check()
    assert again.hashed == ["bees.gguf"]
    assert again.problem == f"{path} is damaged; fetch it again with `eclair pull bees`."
    restarted = CountingCheck(folder, known)
    restarted.check()
    assert (restarted.hashed, restarted.problem) == ([], again.problem)
    path.write_bytes(GOOD)
    os.utime(path, ns=(1, 1))
    restarted.check()
    assert restarted.problem is None


async def test_a_damaged_model_is_said(
    folder: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(weights_check, "START_DELAY_S", 0.0)
    monkeypatch.setattr(readiness, "RESULT_TTL_S", 0.0)
    name = catalog.starter_entry().files[0].name
    (folder / "models" / name).write_bytes(GOOD)
    async with serving(replace(settings, data_dir=folder)) as server:
        async with asyncio.timeout(20):
            while (await server.get("/api/storage")).body["state"] == "ok":  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert (await server.get("/api/health/ready?engines=false")).status == 200, "people can still read"
        report = (await server.get("/api/health/ready")).body
        sentence = report["checks"]["models"]["detail"]
        assert not report["checks"]["models"]["ok"]
        assert sentence.startswith(f"{folder / 'models' / name} is damaged; fetch it again with `eclair pull ")
        assert sentence in [record.message for record in caplog.records]
        assert (await server.get("/api/storage")).body == {"state": "damaged", "message": sentence}
