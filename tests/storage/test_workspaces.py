from __future__ import annotations

import pytest

from eclair.errors import Conflict, NotFound, TooLarge
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage import workspaces
from eclair.storage.base import Storage
from eclair.storage.retention import LegalHold
from eclair.storage.sql import workspaces as sqlite_workspaces
from eclair.storage.workspaces import NewWorkspaceFile, PythonState
from tests.storage.helpers import SOMEONE
from tests.support import conversation

FILE = NewWorkspaceFile("chart.png", b"first", "image/png", "Sales")
AGAIN = NewWorkspaceFile("chart.png", b"second", "image/png")
STATE = PythonState("monty 1", b"x = 1")


async def test_versions_stay_and_the_newest_is_current(storage: Storage) -> None:
    await conversation(storage)
    (first,) = await storage.workspaces.update_workspace(LOCAL_PRINCIPAL, "conv_a", [FILE], [], STATE)
    assert (first.name, first.version, first.size, first.alt, first.current) == ("chart.png", 1, 5, "Sales", True)
    assert await storage.workspaces.update_workspace(LOCAL_PRINCIPAL, "conv_a", [FILE], [], None) == [first]
    (second,) = await storage.workspaces.update_workspace(LOCAL_PRINCIPAL, "conv_a", [AGAIN], [], None)
    assert second.version == 2
    assert await storage.workspaces.list_workspace_files(LOCAL_PRINCIPAL, "conv_a") == [second]
    assert (await storage.workspaces.read_workspace_file(LOCAL_PRINCIPAL, "conv_a", "chart.png"))[1] == b"second"
    old, data = await storage.workspaces.read_workspace_file(LOCAL_PRINCIPAL, "conv_a", "chart.png", 1)
    assert (old.current, data) == (False, b"first")
    assert await storage.workspaces.get_python_state(LOCAL_PRINCIPAL, "conv_a") == STATE


async def test_a_removed_file_is_current_no_more(storage: Storage) -> None:
    await conversation(storage)
    await storage.workspaces.update_workspace(LOCAL_PRINCIPAL, "conv_a", [FILE], [], None)
    await storage.workspaces.update_workspace(LOCAL_PRINCIPAL, "conv_a", [], ["chart.png"], None)
    assert await storage.workspaces.list_workspace_files(LOCAL_PRINCIPAL, "conv_a") == []
    with pytest.raises(NotFound):
        await storage.workspaces.read_workspace_file(LOCAL_PRINCIPAL, "conv_a", "chart.png")
    assert (await storage.workspaces.read_workspace_file(LOCAL_PRINCIPAL, "conv_a", "chart.png", 1))[1] == b"first"
    (back,) = await storage.workspaces.update_workspace(LOCAL_PRINCIPAL, "conv_a", [FILE], [], None)
    assert back.version == 2
    await storage.workspaces.delete_workspace_file(LOCAL_PRINCIPAL, "conv_a", "chart.png")
    with pytest.raises(NotFound):
        await storage.workspaces.read_workspace_file(LOCAL_PRINCIPAL, "conv_a", "chart.png", 1)


async def test_a_workspace_that_would_be_too_large_stays_as_it_was(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await conversation(storage)
    monkeypatch.setattr(sqlite_workspaces, "MAX_WORKSPACE_BYTES", 8)
    await storage.workspaces.update_workspace(LOCAL_PRINCIPAL, "conv_a", [FILE], [], None)
    with pytest.raises(TooLarge, match="delete some"):
        await storage.workspaces.update_workspace(LOCAL_PRINCIPAL, "conv_a", [AGAIN], [], STATE)
    assert [file.version for file in await storage.workspaces.list_workspace_files(LOCAL_PRINCIPAL, "conv_a")] == [1]
    assert await storage.workspaces.get_python_state(LOCAL_PRINCIPAL, "conv_a") is None
    assert workspaces.MAX_WORKSPACE_BYTES > 8


async def test_variables_have_the_number_of_the_call_that_left_them(storage: Storage) -> None:
    await conversation(storage)
    assert await storage.workspaces.get_python_number(LOCAL_PRINCIPAL, "conv_a") == 0
    for number in (1, 2):
        state = PythonState(STATE.interpreter, STATE.data, number)
        await storage.workspaces.update_workspace(LOCAL_PRINCIPAL, "conv_a", [], [], state)
        assert await storage.workspaces.get_python_number(LOCAL_PRINCIPAL, "conv_a") == number


async def test_a_workspace_is_its_owners_alone(storage: Storage) -> None:
    await conversation(storage)
    await storage.workspaces.update_workspace(LOCAL_PRINCIPAL, "conv_a", [FILE], [], STATE)
    for work in (
        storage.workspaces.list_workspace_files(SOMEONE, "conv_a"),
        storage.workspaces.read_workspace_file(SOMEONE, "conv_a", "chart.png"),
        storage.workspaces.update_workspace(SOMEONE, "conv_a", [AGAIN], [], None),
        storage.workspaces.get_python_state(SOMEONE, "conv_a"),
        storage.workspaces.get_python_number(SOMEONE, "conv_a"),
        storage.workspaces.delete_workspace_file(SOMEONE, "conv_a", "chart.png"),
    ):
        with pytest.raises(NotFound):
            await work


async def test_a_legal_hold_keeps_files(storage: Storage) -> None:
    await conversation(storage)
    await storage.workspaces.update_workspace(LOCAL_PRINCIPAL, "conv_a", [FILE], [], None)
    hold = LegalHold(scope="conversation", subject="conv_a", reason="A dispute", placed=0)
    await storage.retention.place_hold(LOCAL_PRINCIPAL, hold)
    with pytest.raises(Conflict):
        await storage.workspaces.delete_workspace_file(LOCAL_PRINCIPAL, "conv_a", "chart.png")


async def test_a_workspace_goes_with_its_conversation(storage: Storage) -> None:
    await conversation(storage)
    await storage.workspaces.update_workspace(LOCAL_PRINCIPAL, "conv_a", [FILE], [], STATE)
    counts = await storage.personal_data.count_rows(LOCAL_PRINCIPAL)
    assert (counts["files that Python made"], counts["variables of Python"]) == (1, 1)
    rows = [row async for kind, row in storage.personal_data.list_rows(LOCAL_PRINCIPAL) if "Python" in kind]
    assert [row["data"] for row in rows] == ["first"]
    await storage.conversations.delete_conversation(LOCAL_PRINCIPAL, "conv_a", forever=True)
    await storage.conversations.erase_deleted(1)
    assert not any("Python" in kind for kind in await storage.personal_data.count_rows(LOCAL_PRINCIPAL))
