"""`eclair tune --build`: the engine compiled for this processor, from what the package index has, and what it leaves.

llama.cpp itself takes ten minutes to compile; a package that builds at once stands in for its sources.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from importlib import metadata
from pathlib import Path

import pytest
import xllamacpp  # pyright: ignore[reportMissingTypeStubs]

from eclair.errors import EngineMissing, ModelMissing
from eclair.llm.base import PromptMessage, Request
from eclair.llm.local import native, profile
from eclair.llm.local.profile import FileStamp, Speed, Tuning, TuningChoice
from eclair.llm.tuning import build, patches
from eclair.llm.tuning.tune import COMPILED_ENGINE, CompileEngine, TuningStep, tune
from eclair.models import catalog
from eclair.models import installed as installed_models
from eclair.models.catalog import PackageFile
from eclair.models.gguf.quantize import requantize
from eclair.models.pip_index import PackageIndex
from eclair.schema.messages import Sampling
from eclair.settings import Settings
from tests.cli.test_cli import Eclair, sentence
from tests.llm.test_local import ask, running, said
from tests.llm.test_tuning import MODEL, babbler, installed

VERSION = "1.0"
MARK = "this engine was compiled here"

ENGINE = f"""
import sys
print({MARK!r}, file=sys.stderr, flush=True)
__path__ = [{str(Path(xllamacpp.__file__).parent)!r}]
from .xllamacpp import *
"""
"""The installed engine, which says that it is the compiled one."""

BACKEND = """
import os, zipfile

def build_wheel(folder, config_settings=None, metadata_directory=None):
    for number in range({objects}):
        print("  [ 50%] Building CXX object one.cpp.o", flush=True)
    {building}
    print("compiled with " + os.environ["CMAKE_ARGS"], flush=True)
    print("with " + ", ".join(sorted(os.listdir({place!r}))), flush=True)
    name = "xllamacpp-{version}-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        wheel.writestr("xllamacpp/__init__.py", {engine!r})
        info = "xllamacpp-{version}.dist-info/"
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: xllamacpp\\nVersion: {version}\\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(info + "RECORD", "")
    return name
"""

PROJECT = f"""
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "xllamacpp"
version = "{VERSION}"
"""

HUNKS = [hunk for patch in native.patches() for hunk in patches.parse_hunks(patch.read_text("utf-8"))]

LLAMA = {Path(hunk.file).name: "".join(each.old for each in HUNKS if each.file == hunk.file) for hunk in HUNKS}
"""As much of llama.cpp as our kernels need to find their places."""

HELLO = Request(MODEL, (PromptMessage("user", "Hello?"),), sampling=Sampling(temperature=0, max_tokens=8))

Building = Callable[..., PackageFile]


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    return babbler(tmp_path)


@pytest.fixture
def sources(tmp_path: Path) -> Building:
    """Makes sources that build the engine, by a line of Python where they do more."""

    def make(building: str = "pass", engine: str = ENGINE, llama: Mapping[str, str] = LLAMA) -> PackageFile:
        backend = BACKEND.format(
            objects=build.OBJECT_FILES // 2, building=building, version=VERSION, engine=engine, place=patches.KERNELS
        )
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w:gz") as archive:
            for name, text in (
                ("pyproject.toml", PROJECT),
                ("backend.py", backend),
                ("PKG-INFO", f"Metadata-Version: 2.1\nName: xllamacpp\nVersion: {VERSION}\n"),
                *((f"{patches.KERNELS}/{name}", text) for name, text in llama.items()),
            ):
                entry = tarfile.TarInfo(f"xllamacpp-{VERSION}/{name}")
                entry.size = len(text)
                archive.addfile(entry, io.BytesIO(text.encode()))
        index = tmp_path / "index"
        index.mkdir(exist_ok=True)
        (index / f"xllamacpp-{VERSION}.tar.gz").write_bytes(out.getvalue())
        return PackageFile(
            package="xllamacpp",
            file=f"xllamacpp-{VERSION}.tar.gz",
            size=len(out.getvalue()),
            sha256=hashlib.sha256(out.getvalue()).hexdigest(),
        )

    return make


def building(home: Settings, packed: PackageFile) -> CompileEngine:
    index = PackageIndex(links=(str(home.data_dir / "index"),))
    return partial(build.build_engine, home.data_dir, files=(packed,), index=index)


def left(home: Settings) -> list[str]:
    return [path.name for path in (home.data_dir / "compiled").glob("*")]


async def built(home: Settings, packed: PackageFile) -> list[tuple[str, int, int]]:
    steps: list[tuple[str, int, int]] = []
    with profile.tuning_lock(home.data_dir):
        await building(home, packed)(lambda what, done, total: steps.append((what, done, total)))
    return steps


def keep(home: Settings, choice: TuningChoice) -> None:
    speed = Speed(500, 50, 40)
    source = FileStamp.read(installed(home).path)
    found = Tuning(profile.machine_id(), source, "2026-11-27", choice, 1e10, 90_000_000, speed, speed)
    profile.save_tuning(home.data_dir, MODEL, found)


def test_what_is_compiled_is_what_is_installed() -> None:
    assert build.SOURCES.file == f"xllamacpp-{metadata.version('xllamacpp')}.tar.gz"
    lock = (Path(__file__).parents[2] / "requirements.lock").read_text()
    assert build.SOURCES.sha256 in lock, "pin the sources of the version that requirements.lock has"


async def test_it_says_how_far_it_is_and_compiles_once(home: Settings, sources: Building) -> None:
    steps = await built(home, sources())
    compiled = [done for what, done, _ in steps if what == "Compiling the engine"]
    assert compiled == sorted(compiled)
    assert (compiled[0], compiled[-1]) == (0, 44)
    assert all(0 <= done <= total for _, done, total in steps)
    assert left(home) == [profile.compiled_folder(home.data_dir).name]
    log = (home.data_dir / "logs" / build.LOG_FILE).read_text()
    assert f"with {' '.join(build.CMAKE_OPTIONS)}" in log
    assert f"with {', '.join(sorted({*LLAMA, *(file.name for file in native.sources())}))}\n" in log
    assert await built(home, sources("raise SystemExit('a second time')")) == []


async def test_it_is_tried_like_all_else_and_kept_only_if_it_is_chosen(home: Settings, sources: Building) -> None:
    steps: list[TuningStep] = []
    path = home.data_dir / "models" / "other-Q4_0.gguf"  # whose layout is not tried, which takes longest
    await requantize(installed(home).path, path, "Q4_0", lambda done, total: None)
    other = installed_models.installed_models(catalog.load_entries(home.catalog), home.data_dir)["other-q4_0"]
    found = await tune(other, home, steps.append, rounds=1, thorough=False, compiling=building(home, sources()))
    (trial,) = [trial for trial in found.trials if trial.what == COMPILED_ENGINE]
    assert trial.chosen == found.choice.is_compiled
    assert bool(left(home)) == found.choice.is_compiled
    assert "Compiling the engine" in {step.what for step in steps}


async def test_a_model_runs_on_it_once_chosen_and_without_it_when_it_fails(home: Settings, sources: Building) -> None:
    await built(home, sources())
    keep(home, TuningChoice(is_compiled=True))
    log = home.data_dir / "logs" / f"{MODEL}.log"
    async with running(home) as engine:
        assert said(await ask(engine, HELLO))
    assert MARK in log.read_text()
    log.unlink()
    (profile.compiled_folder(home.data_dir) / "xllamacpp" / "__init__.py").write_text(
        "raise ImportError('of another libc')"
    )
    async with running(home) as engine:
        assert said(await ask(engine, HELLO))
    assert MARK not in log.read_text()
    assert left(home) == []


async def test_one_of_other_sources_is_not_run_and_not_kept(home: Settings, sources: Building) -> None:
    await built(home, sources())
    place = profile.compiled_folder(home.data_dir)
    here = place.name.partition("-")[0]
    older, other = (place.with_name(name) for name in (f"{here}-0123456789ab", "0123456789ab-0123456789ab"))
    older.mkdir()
    other.mkdir()
    keep(home, TuningChoice(is_compiled=True))
    path = installed(home).path
    assert profile.find_tuning(home.data_dir, MODEL, path) is not None
    profile.delete_unused_engines(home.data_dir)
    assert sorted(left(home)) == sorted([place.name, other.name]), "another machine's stays"
    record = profile.tuning_folder(home.data_dir, MODEL) / profile.PROFILE_FILE
    record.write_text(record.read_text().replace(place.name, older.name))
    assert profile.find_tuning(home.data_dir, MODEL, path) is None, "it was found with other kernels"
    profile.delete_unused_engines(home.data_dir)
    assert left(home) == [other.name]


async def test_reset_deletes_it_unless_another_model_runs_on_it(home: Settings, sources: Building) -> None:
    await built(home, sources())
    keep(home, TuningChoice(is_compiled=True))
    (home.data_dir / "tuned" / "other").mkdir()
    other = home.data_dir / "tuned" / "other" / profile.PROFILE_FILE
    other.write_bytes((profile.tuning_folder(home.data_dir, MODEL) / profile.PROFILE_FILE).read_bytes())
    run = Eclair(home.data_dir)
    assert run("tune", MODEL, "--reset").returncode == 0
    assert left(home) != []
    keep(home, TuningChoice(is_compiled=True))
    other.unlink()
    assert run("tune", MODEL, "--reset").returncode == 0
    assert left(home) == []


async def test_a_build_that_fails_says_why_and_leaves_nothing(home: Settings, sources: Building) -> None:
    with pytest.raises(EngineMissing, match=r"could not be compiled \(.*no such instruction.*build\.log has all"):
        await built(home, sources("raise SystemExit('fatal error: no such instruction')"))
    assert left(home) == []
    assert "no such instruction" in (home.data_dir / "logs" / build.LOG_FILE).read_text()


async def test_sources_that_our_kernels_are_not_for_are_not_compiled(home: Settings, sources: Building) -> None:
    with pytest.raises(EngineMissing, match=r"could not be compiled \(.*attention\.patch does not fit"):
        await built(home, sources(llama={**LLAMA, "ops.cpp": "// of another version\n"}))
    assert left(home) == []
    assert "attention.patch does not fit" in (home.data_dir / "logs" / build.LOG_FILE).read_text()


async def test_broken_off_it_leaves_neither_files_nor_compilers(home: Settings, sources: Building) -> None:
    mark = home.data_dir / "pid"
    waits = f"import time; open({str(mark)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    task = asyncio.create_task(built(home, sources(waits)))
    while not (mark.exists() and mark.read_text()):
        assert not task.done()
        await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await gone(int(mark.read_text()))
    assert left(home) == []


def test_killed_with_its_parent_it_ends(tmp_path: Path, sources: Building) -> None:
    mark = tmp_path / "pid"
    sources(f"import time; open({str(mark)!r}, 'w').write(str(os.getpid())); time.sleep(600)")
    order = build.BuildJob(
        str(tmp_path / "index" / f"xllamacpp-{VERSION}.tar.gz"),
        str(tmp_path / "index"),
        str(tmp_path / "made"),
        str(tmp_path / "work"),
        str(tmp_path / "log"),
    )
    with subprocess.Popen([sys.executable, "-P", "-m", "eclair.llm.tuning.build"], stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(build.JOB_CODEC.encode(order))
        process.stdin.flush()
        while not (mark.exists() and mark.read_text()):
            assert process.poll() is None
            time.sleep(0.05)
        process.stdin.close()  # as the system does when the parent is killed
        assert process.wait(20) != 0
    asyncio.run(gone(int(mark.read_text())))


async def test_sources_that_are_not_those_we_know_are_not_compiled(home: Settings, sources: Building) -> None:
    packed = sources()
    sources("print('something else')")
    with pytest.raises(ModelMissing, match="is not the file that Éclair knows"):
        await built(home, packed)
    assert left(home) == []


def test_without_a_compiler_it_says_what_to_install(home: Settings) -> None:
    done = Eclair(home.data_dir)("tune", MODEL, "--build", "--yes", PATH=str(home.data_dir), CXX="")
    assert sentence(done.stderr).startswith(
        "To compile the engine, a C++ compiler and cmake and make must be on this machine"
    )
    assert "sudo apt install g++ cmake make" in done.stderr
    assert done.returncode == 3


async def gone(pid: int) -> None:
    async with asyncio.timeout(20):
        while os.path.exists(f"/proc/{pid}"):  # noqa: ASYNC110, ASYNC240
            await asyncio.sleep(0.05)
