"""The files that a result of Python names are found in it, whatever they are called."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eclair.python.python_service import PythonRun
from eclair.storage.workspaces import WorkspaceFile
from eclair.tools.run_python import MadeFile, describe_run, read_made_files

LINE = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=40)


@given(
    files=st.lists(st.tuples(LINE, st.integers(1, 10**6), st.integers(0, 10**9), st.just("") | LINE), max_size=4),
    output=st.text(max_size=60),
)
def test_a_result_says_which_files_were_made(files: list[tuple[str, int, int, str]], output: str) -> None:
    written = tuple(
        WorkspaceFile(name, version, size, "image/png", 0, "", alt.strip()) for name, version, size, alt in files
    )
    run = PythonRun("monty", output, None, None, written, (), lost=False, wants=None, milliseconds=1)
    made = [MadeFile(each.name, each.media, each.version, each.size, each.alt) for each in written]
    assert read_made_files(describe_run(run)) == made
