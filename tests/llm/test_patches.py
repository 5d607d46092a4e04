"""Patches that put Éclair's kernels into llama.cpp, from the repository and from a wheel."""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from eclair.errors import EngineMissing
from eclair.llm.local import native
from eclair.llm.tuning import patches
from eclair.llm.tuning.patches import Hunk

ROOT = Path(__file__).parents[2]
HUNKS = [hunk for patch in native.patches() for hunk in patches.parse_hunks(patch.read_text("utf-8"))]
FILES = sorted({hunk.file for hunk in HUNKS})


def stand_in(folder: Path) -> dict[str, Path]:
    """As much of llama.cpp's sources as the patches need to find their places; its files by their paths."""
    made = {file: folder / patches.LLAMA_CPP / file for file in FILES}
    for file, path in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        olds = [hunk.old for hunk in HUNKS if hunk.file == file]
        path.write_text("".join(f"// before\n{old}// after\n" for old in olds))
    return made


def test_a_diff_is_read_as_changes() -> None:
    diff = """\
--- a/src/one.c
+++ b/src/one.c
@@ -1,3 +1,3 @@ void f() {
 kept
-gone
+come
 kept too
@@ -9 +9,2 @@
 last
+added
--- a/two.c
+++ b/two.c
@@ -1 +0,0 @@
-all
"""
    assert list(patches.parse_hunks(diff)) == [
        Hunk("src/one.c", "kept\ngone\nkept too\n", "kept\ncome\nkept too\n"),
        Hunk("src/one.c", "last\n", "last\nadded\n"),
        Hunk("two.c", "all\n", ""),
    ]


def test_llama_cpp_is_patched_and_gains_the_kernels(tmp_path: Path) -> None:
    made = stand_in(tmp_path)
    patches.apply_patches(tmp_path)
    for hunk in HUNKS:
        assert f"// before\n{hunk.new}// after\n" in made[hunk.file].read_text()
    added = tmp_path / patches.KERNELS
    assert all((added / source.name).read_bytes() == source.read_bytes() for source in native.sources())


@pytest.mark.parametrize("file", FILES)
def test_sources_of_another_version_are_left_alone(tmp_path: Path, file: str) -> None:
    made = stand_in(tmp_path)
    made[file].write_text("// of another version\n")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(EngineMissing, match=f"does not fit {re.escape(file)}"):
        patches.apply_patches(tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_without_the_kernels_nothing_is_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "PACKAGE", tmp_path / "src" / "eclair")
    with pytest.raises(EngineMissing, match="install Éclair again"):
        patches.apply_patches(tmp_path)


def test_a_wheel_brings_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Built from a copy without the page, the drawings and the list of parts, which have no say in this."""
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    hook = (ROOT / "hatch_build.py").read_text("utf-8")
    (tmp_path / "hatch_build.py").write_text(f"{hook}\nbuild = build_drawings = UiBuildHook.add_sbom = print\n")
    shutil.copytree(native.llama_folder().parent, tmp_path / "native")
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    package = tmp_path / "src" / "eclair"
    package.mkdir(parents=True)
    shutil.copy(ROOT / "src" / "eclair" / "__init__.py", package)
    build = [ROOT / ".build" / "bin" / "python", "-m", "hatchling", "build", "-t", "wheel"]
    subprocess.run(build, cwd=tmp_path, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    unpacked = tmp_path / "site-packages"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unpacked)
    before = [file.read_bytes() for file in (*native.patches(), *native.sources())]
    monkeypatch.setattr(native, "PACKAGE", unpacked / "eclair")
    assert native.llama_folder() == unpacked / "eclair" / "native" / "llama.cpp"
    assert [file.read_bytes() for file in (*native.patches(), *native.sources())] == before
