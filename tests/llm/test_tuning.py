"""`eclair tune`, by itself and by a person: what it keeps, what it says, and what it leaves when it is broken off."""

from __future__ import annotations

import asyncio
import math
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from eclair.errors import Conflict
from eclair.llm.base import Finish, PromptMessage, Request
from eclair.llm.local import profile
from eclair.llm.local.local_engine import LocalEngine
from eclair.llm.local.profile import Tuning, TuningChoice
from eclair.llm.tuning.auto import AutoTuner
from eclair.llm.tuning.bandwidth import measure_bandwidth
from eclair.llm.tuning.measure import draft_cost
from eclair.llm.tuning.quality import ExamAnswers, compare, find_loss
from eclair.llm.tuning.tune import KERNEL_TRIALS, ReportTuningStep, TuningStep, tune
from eclair.models import catalog
from eclair.models import installed as installed_models
from eclair.models.gguf.layouts import ORIGINAL_LAYOUT
from eclair.models.gguf.quantize import requantize
from eclair.models.installed import InstalledModel
from eclair.schema.messages import Sampling
from eclair.settings import Settings
from eclair.util.background import IdleScheduler
from tests.cli.test_cli import Eclair, sentence
from tests.llm.native_kernels import native_kernels
from tests.models.gguf_files import talking
from tests.support import Server, environment, serving

MODEL = "babbler-q4_1"

pytestmark = pytest.mark.timeout(300)  # a whole measurement takes a minute beside other work


def babbler(folder: Path) -> Settings:
    """A small model that runs, in a data folder of its own."""
    (folder / "models").mkdir()
    (folder / "models" / "babbler-Q4_1.gguf").write_bytes(talking())
    return around(folder)


def around(folder: Path) -> Settings:
    return Settings(
        data_dir=folder, model=MODEL, embedded_parallel=1, embedded_context=512, catalog=folder / "none", port=0
    )


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    return babbler(tmp_path)


def installed(home: Settings) -> InstalledModel:
    return installed_models.installed_models(catalog.load_entries(home.catalog), home.data_dir)[MODEL]


@dataclass(frozen=True, slots=True)
class Done:
    """What `eclair tune` has said, and the folder in which it has kept what it found."""

    home: Settings
    said: subprocess.CompletedProcess[str]

    @property
    def found(self) -> profile.Tuning:
        found = profile.find_tuning(self.home.data_dir, MODEL, installed(self.home).path)
        assert found is not None
        return found


@pytest.fixture(scope="module")
def tuned_once(tmp_path_factory: pytest.TempPathFactory) -> Done:
    home = babbler(tmp_path_factory.mktemp("tuned"))
    return Done(home, Eclair(home.data_dir)("tune", MODEL, "--yes"))


def test_it_measures_chooses_and_keeps(tuned_once: Done) -> None:
    home, found = tuned_once.home, tuned_once.found
    tried = {trial.what for trial in found.trials}
    assert {"layout Q4_0", "layout Q8_0", "flash attention off", "keys and values in q8_0"} <= tried
    assert (KERNEL_TRIALS["native"] in tried) == bool(native_kernels())
    guessed = [trial for trial in found.trials if trial.what.startswith("drafts of ")]
    assert all(trial.speed is None and trial.gain > 0 for trial in guessed)
    ways = {"drafts of 12 tokens": "long", "drafts of 3 tokens": "short"}
    best = [ways[trial.what] for trial in guessed if trial.chosen]
    assert found.choice.drafting in (best or ["none" if guessed else "long"])
    kept = {path.name for path in profile.tuning_folder(home.data_dir, MODEL).iterdir()}
    chosen = found.choice.layout
    assert kept == {profile.PROFILE_FILE} | ({f"{chosen}.gguf"} if chosen != ORIGINAL_LAYOUT else set())
    assert found.bytes > 0
    assert found.bandwidth > 0
    assert ("eclair tune --build" in " ".join(tuned_once.said.stdout.split())) == profile.supports_kernels()
    for trial in found.trials:
        if trial.chosen and trial.what.startswith("layout"):
            assert trial.quality is not None
            assert trial.what == f"layout {chosen}"


async def test_what_is_fast_already_keeps_its_layout(home: Settings) -> None:
    path = home.data_dir / "models" / "other-Q4_0.gguf"
    await requantize(installed(home).path, path, "Q4_0", lambda done, total: None)
    other = installed_models.installed_models(catalog.load_entries(home.catalog), home.data_dir)["other-q4_0"]
    steps: list[TuningStep] = []
    found = await tune(other, home, steps.append, rounds=1, thorough=False)
    assert all(0 <= step.done <= step.total for step in steps)
    assert found.choice.layout == TuningChoice().layout
    assert not [trial for trial in found.trials if trial.what.startswith("layout")]
    assert [file.name for file in profile.tuning_folder(home.data_dir, "other-q4_0").iterdir()] == [
        profile.PROFILE_FILE
    ]


async def test_broken_off_it_leaves_nothing(home: Settings) -> None:
    begun = asyncio.Event()
    task = asyncio.create_task(tune(installed(home), home, lambda step: begun.set(), rounds=1))
    await begun.wait()
    with pytest.raises(Conflict, match="Another Éclair is tuning"):
        await tune(installed(home), home, lambda step: None)
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert list(profile.tuning_folder(home.data_dir, MODEL).glob("*")) == []
    assert profile.find_tuning(home.data_dir, MODEL, installed(home).path) is None


def answers(nats: float, right: int, valid: int = 12) -> ExamAnswers:
    spread = tuple(nats + 0.01 * (number % 3) for number in range(12))
    english = tuple(number < right for number in range(24))
    json = tuple(number < valid for number in range(12))
    return ExamAnswers(spread, english, english[:10], json, json)


def test_a_layout_that_answers_worse_is_refused() -> None:
    before = answers(2.9, 18)
    assert find_loss(before, before) is None
    assert find_loss(answers(2.915, 16), before) is None, "two of 24 questions are noise"
    assert "expects texts less well (+0.100 ± 0.000" in (find_loss(answers(3.0, 18), before) or "")
    assert find_loss(answers(2.9, 12), before) == "answers: 12 in place of 18 of 24 right"
    assert find_loss(answers(2.9, 18, 6), before) == "valid JSON: 6 in place of 12 of 12 right"
    assert compare(answers(2.8, 18), before).worse == pytest.approx(-0.1)


def timings(tokens: int, ms: float, drafted: int = 0, right: int = 0) -> dict[str, float]:
    """What llama.cpp states of an answer; it is silent on guesses where there were none."""
    guesses = {"draft_n": drafted, "draft_n_accepted": right} if drafted else {}
    return {"predicted_n": tokens, "predicted_ms": ms, **guesses}


def test_what_a_guessed_token_takes() -> None:
    plain = [timings(96, 960), timings(48, 960)]
    assert draft_cost([timings(96, 960, 48, 24), timings(48, 960)], plain) == pytest.approx(0.5)
    assert draft_cost([timings(96, 480, 40, 40), timings(48, 720, 40, 24)], plain) == pytest.approx(0.05)
    assert draft_cost([timings(96, 700, 96, 96), timings(48, 960, 96, 48)], plain) == pytest.approx((70 + 48) / 192)
    assert draft_cost([timings(96, 960, 3, 1), timings(48, 960)], plain) is None, "three tell nothing"
    assert draft_cost(plain, plain) is None


def test_memory_is_read_at_some_rate() -> None:
    assert measure_bandwidth(16 << 20, 2) > 1e8


@pytest.fixture
def run(home: Settings) -> Eclair:
    return Eclair(home.data_dir)


def test_a_record_is_shown_and_reset(tuned_once: Done, tmp_path: Path) -> None:
    home = around(Path(shutil.copytree(tuned_once.home.data_dir, tmp_path / "copy")))
    run, found = Eclair(home.data_dir), tuned_once.found
    (row,) = [line for line in run("models", "--all").stdout.splitlines() if line.startswith(MODEL)]
    assert f"{found.after.decode:.0f} tokens/s" in row
    said = run("doctor", ECLAIR_EMBEDDED="true").stdout
    assert re.search(
        rf"Speed +[\d.]+ GB/s from memory, measured now\. .*Babbler {found.after.decode:.0f} tokens/s", said
    )
    done = run("tune", MODEL, "--reset")
    assert done.stdout.startswith("Babbler is back to its original settings; that frees")
    assert profile.find_tuning(home.data_dir, MODEL, installed(home).path) is None
    assert found.machine == profile.machine_id()


def test_the_table_explains_what_was_chosen(tuned_once: Done) -> None:
    done = tuned_once.said
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("TRIED")
    for words in (
        "layout Q8_0",
        "flash attention off",
        "as it came",
        "as chosen",
        "GB/s from memory",
        "tokens a second",
    ):
        assert words in done.stdout, words
    assert "Trying layouts…" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (("none",), "The model none is not on this machine. Available: babbler-q4_1.", 3),
        (("smollm2-135m-instruct",), "The model smollm2-135m-instruct is not on this machine", 3),
        (("--rounds", "3"), "unrecognized arguments: --rounds", 2),
    ],
)
def test_what_cannot_be_tuned(run: Eclair, arguments: tuple[str, ...], said: str, code: int) -> None:
    done = run("tune", *arguments)
    assert said in sentence(done.stderr)
    assert done.returncode == code


def test_interrupted_it_says_nothing_and_keeps_nothing(home: Settings) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "eclair.cli", "tune", MODEL],
        env={**os.environ, **environment(home.data_dir)},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        while "Trying layouts" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert process.stdout.read() == ""
        assert "mistake" not in process.stderr.read()
    assert list(profile.tuning_folder(home.data_dir, MODEL).glob("*")) == []


async def test_the_api_tells_what_was_found(tuned_once: Done) -> None:
    found = tuned_once.found
    async with serving(tuned_once.home) as server:
        body = (await server.get("/api/tuning")).body
        assert body["machine"] == profile.machine_id()
        rows = {row["id"]: row for row in body["models"]}
        assert rows[MODEL]["tuning"]["choice"]["layout"] == found.choice.layout
        assert rows[MODEL]["expected"] == {"rate": found.after.decode, "basis": "measured"}
        assert rows["ministral-3-3b"]["tuning"] is None
        assert rows["ministral-3-3b"]["expected"]["basis"] == "limit"
        catalogued = {row["id"]: row for row in (await server.get("/api/catalog")).body["models"]}
        assert {id: catalogued[id]["expected"] for id in rows} == {id: row["expected"] for id, row in rows.items()}
        assert all(row["expected"] is None for id, row in catalogued.items() if id not in rows)


async def tune_at_once(model: InstalledModel, settings: Settings, report: ReportTuningStep, **options: Any) -> Tuning:
    """Tune with one round at normal priority: at the lowest it would wait for other tests."""
    assert options.pop("nice") == 19
    return await tune(model, settings, report, rounds=1, **options)


async def test_a_calm_machine_tunes_what_has_answered_and_gives_way(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.getloadavg", lambda: (0.0, 0.0, 0.0))
    monkeypatch.setattr("eclair.llm.tuning.tune.MAX_DRIFT", math.inf)
    monkeypatch.setattr("eclair.llm.tuning.auto.tune", tune_at_once)
    idle, engine = IdleScheduler(), LocalEngine.start(home)
    tuner = AutoTuner(home, engine, idle, calm=0.2)
    record = profile.tuning_folder(home.data_dir, MODEL) / profile.PROFILE_FILE
    try:
        await tuner.start()
        await asyncio.sleep(0.5)
        assert not (home.data_dir / "tuned").exists(), "nothing has answered yet"
        with idle.answering():
            request = Request(MODEL, (PromptMessage("user", "Hello?"),), sampling=Sampling(max_tokens=3))
            assert isinstance([piece async for piece in engine.stream(request)][-1], Finish)
        async with asyncio.timeout(20):
            while not (home.data_dir / "tuned" / ".lock").exists():  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        with idle.answering():
            await until_unlocked(home.data_dir)
            assert not record.exists()
        async with asyncio.timeout(120):
            while not record.exists():  # noqa: ASYNC110
                await asyncio.sleep(0.1)
    finally:
        await tuner.close()
        await engine.close()
    assert orjson.loads(record.read_bytes())[profile.machine_id()]["choice"]["flash"] == TuningChoice().flash_attention


async def until_unlocked(data_dir: Path) -> None:
    """Wait until no tuning holds the lock; one that is interrupted ends its engine first, and deletes its layouts."""
    async with asyncio.timeout(60):
        while True:
            try:
                with profile.tuning_lock(data_dir):
                    return
            except Conflict:
                await asyncio.sleep(0.05)


async def test_by_itself_nothing_is_kept_of_what_was_disturbed(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eclair.llm.tuning.tune.MAX_DRIFT", -1.0)
    with pytest.raises(Conflict, match="Other programs disturbed the measurement, which drifted by 0%"):
        await tune(installed(home), home, lambda step: None, rounds=1, thorough=False)
    assert list(profile.tuning_folder(home.data_dir, MODEL).glob("*")) == []


async def test_without_the_embedded_engine_nothing_is_tuned(server: Server) -> None:
    assert (await server.get("/api/tuning")).body["bandwidth"] is None
