"""Presence: who has which conversation open at which process."""

from __future__ import annotations

from eclair.schema.principal import Principal
from eclair.storage.base import Storage
from eclair.storage.presence import Present

ADA, BEN = Present("conv_a", "ada"), Present("conv_a", "ben")


async def test_people_are_noted_once_until_they_leave_or_their_process_dies(storage: Storage) -> None:
    here = storage.processes.current
    await storage.presence.change_presence({ADA, BEN, Present("conv_b", "ada")}, ())
    await storage.presence.change_presence({ADA}, ())
    assert sorted(await storage.presence.list_present("conv_a")) == [("ada", here), ("ben", here)]
    assert await storage.presence.list_own_presence() == {ADA, BEN, Present("conv_b", "ada")}
    assert sorted(await storage.presence.list_open(Principal("ada"))) == ["conv_a", "conv_b"]
    assert await storage.presence.list_open(Principal("eve")) == []
    await storage.presence.change_presence((), {BEN})
    assert await storage.presence.list_present("conv_a") == [("ada", here)]
    assert await storage.presence.list_presence_processes() == [here]
    assert await storage.presence.remove_presence_of("process_other") == []
    assert await storage.presence.remove_presence_of(here) == ["conv_a", "conv_b"]
    assert await storage.presence.list_presence_processes() == []
    assert await storage.presence.list_present("conv_a") == []
