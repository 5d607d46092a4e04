"""What `eclair tune` found is heeded: by the embedded engine as it is, with the real model."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from eclair.llm.local import profile
from eclair.llm.local.endpoint_file import endpoint_path
from eclair.llm.local.local_engine import LocalEngine
from eclair.llm.local.profile import FileStamp, Speed, Tuning, TuningChoice
from eclair.llm.openai.dialects import DIALECTS
from eclair.llm.openai.openai_engine import OpenAIEngine
from eclair.models.catalog import STARTER_MODEL, starter_entry
from eclair.models.gguf import quantize
from eclair.settings import Settings
from tests.llm.test_local import REPEATED, ask, asking, guessed, running, said

SPEED = Speed(500, 50, 40)


@pytest.fixture
def home(tmp_path: Path, model_file: Path) -> Settings:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / model_file.name).symlink_to(model_file)
    return Settings(data_dir=tmp_path, embedded_parallel=1, embedded_context=512)


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 1), (4, 2), (7, 3), (16, 8), (128, 16)])
def test_untuned_half_of_the_cores_write(cores: int, threads: int) -> None:
    assert profile.default_decode_threads(cores) == threads


def path(home: Settings) -> Path:
    return home.data_dir / "models" / starter_entry().files[0].name


def keep(home: Settings, choice: TuningChoice) -> Tuning:
    source = FileStamp.read(path(home))
    found = Tuning(profile.machine_id(), source, "2026-11-25", choice, 1e10, 90_000_000, SPEED, SPEED)
    profile.save_tuning(home.data_dir, STARTER_MODEL, found)
    return found


async def file_of(engine: LocalEngine, home: Settings) -> str:
    """The name of the file that the engine has loaded."""
    assert said(await ask(engine, asking("Hello?")))
    shared = orjson.loads(endpoint_path(home.data_dir, STARTER_MODEL).read_bytes())
    client = OpenAIEngine("probe", f"{shared['url']}/v1", shared["key"], dialect=DIALECTS[0])
    try:
        return Path((await client.fetch(f"{shared['url']}/props"))["model_path"]).name
    finally:
        await client.close()


async def test_the_layout_that_was_chosen_runs_and_a_broken_one_is_given_up(home: Settings) -> None:
    target = profile.layout_path(home.data_dir, STARTER_MODEL, "Q8_0")
    await quantize.requantize(path(home), target, "Q8_0", lambda done, total: None)
    keep(
        home,
        TuningChoice(
            layout="Q8_0", decode_threads=2, prompt_threads=1, kv_type="q8_0", flash_attention="on", drafting="none"
        ),
    )
    async with running(home) as engine:
        assert await file_of(engine, home) == "Q8_0.gguf"
        assert guessed(await ask(engine, REPEATED)) == (None, None)
    target.write_bytes(b"GGUF and nothing else")
    async with running(home) as engine:
        assert await file_of(engine, home) == path(home).name
    assert not target.exists()


async def test_what_was_found_elsewhere_or_for_another_file_does_not_count(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = path(home)
    found = keep(home, TuningChoice(decode_threads=2))
    assert profile.find_tuning(home.data_dir, STARTER_MODEL, file) == found
    monkeypatch.setattr(profile, "machine_id", lambda: "another machine")
    assert profile.find_tuning(home.data_dir, STARTER_MODEL, file) is None
    profile.save_tuning(home.data_dir, STARTER_MODEL, replace(found, machine="another machine"))
    monkeypatch.undo()
    assert profile.find_tuning(home.data_dir, STARTER_MODEL, file) == found
    content = file.read_bytes()[:1000]
    file.unlink()
    file.write_bytes(content)
    assert profile.find_tuning(home.data_dir, STARTER_MODEL, file) is None
    keep(home, TuningChoice(layout="Q4_0"))
    assert profile.find_tuning(home.data_dir, STARTER_MODEL, file) is None, "the file in that layout is not there"


async def test_a_record_that_cannot_be_read_is_none(home: Settings) -> None:
    keep(home, TuningChoice(decode_threads=2))
    record = profile.tuning_folder(home.data_dir, STARTER_MODEL) / profile.PROFILE_FILE
    rows = orjson.loads(record.read_bytes())
    rows[profile.machine_id()]["choice"]["speculation"] = "of a later version"
    record.write_bytes(orjson.dumps(rows))
    assert profile.find_tuning(home.data_dir, STARTER_MODEL, path(home)) is not None
    record.write_bytes(b"{")
    assert profile.find_tuning(home.data_dir, STARTER_MODEL, path(home)) is None
    assert profile.delete_tuning(home.data_dir, STARTER_MODEL) == 1
    assert not os.path.exists(record)  # noqa: ASYNC240


async def test_a_record_keeps_the_names_that_files_have(home: Settings) -> None:
    chosen = TuningChoice("Q4_0", 3, 4, "q8_0", "on", "short", 0.4)
    (profile.tuning_folder(home.data_dir, STARTER_MODEL)).mkdir(parents=True)
    profile.layout_path(home.data_dir, STARTER_MODEL, "Q4_0").write_bytes(b"GGUF")
    keep(home, chosen)
    record = profile.tuning_folder(home.data_dir, STARTER_MODEL) / profile.PROFILE_FILE
    assert orjson.loads(record.read_bytes())[profile.machine_id()]["choice"] == {
        "layout": "Q4_0",
        "writing": 3,
        "reading": 4,
        "kv": "q8_0",
        "flash": "on",
        "guesses": "short",
        "cost": 0.4,
        "compiled": False,
        "kernels": "auto",
    }
    found = profile.find_tuning(home.data_dir, STARTER_MODEL, path(home))
    assert found is not None
    assert found.choice == chosen
