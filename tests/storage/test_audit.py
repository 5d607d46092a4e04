from __future__ import annotations

import hashlib
from dataclasses import replace

from eclair.schema.audit import SYSTEM_PRINCIPAL, ActFilter
from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from eclair.storage.audit import AuditContents, ChainedRow
from eclair.storage.base import Storage
from tests.storage.helpers import ME, SOMEONE
from tests.storage.test_egress import ANY as CALLS
from tests.storage.test_egress import CALL

ANY = ActFilter()


def sign(size: int, root: bytes, moment: int) -> str:
    return f"{size} {root.hex()} {moment}"


async def test_acts_are_listed_newest_first_and_by_what_is_asked(storage: Storage, other: Storage) -> None:
    by_key = Principal(ME.id, key="key_a")
    assert await storage.audit.add_act(by_key, "engine.added", "rack", details={"models": 2}) == 1
    assert await other.audit.add_act(SOMEONE, "sign_in.failed", outcome="failure") == 2
    assert await storage.audit.add_act(SOMEONE, "person.locked", ME.id) == 3
    third, second, first = await storage.audit.list_acts(ANY, 9)
    assert (first.number, first.action, first.outcome, first.actor, first.key, first.object) == (
        *(1, "engine.added", "success", ME.id, "key_a", "rack"),
    )
    assert first.details == {"models": 2}
    assert second.outcome == "failure"
    assert second.object is None
    assert await storage.audit.list_acts(ANY, 1, before=3) == [second]
    assert await storage.audit.list_acts_after(1, 1) == [second]
    for matching, found in {
        ActFilter(person=ME.id): [third, first],
        ActFilter(action="engine"): [first],
        ActFilter(action="person.locked"): [third],
        ActFilter(action="eng"): [],
        ActFilter(until=first.moment): [],
        ActFilter(since=first.moment): [third, second, first],
    }.items():
        assert await storage.audit.list_acts(matching, 9) == found
        assert await storage.audit.list_acts_after(0, 9, matching) == found[::-1]


async def test_a_person_is_forgotten_and_their_acts_stay(storage: Storage) -> None:
    await storage.audit.add_act(Principal("ada", key="key_a", address="192.0.2.1"), "key.made", "key_b")
    await storage.audit.add_act(ME, "person.locked", "ada")
    assert await storage.audit.erase_person(ME, "ada") == 4
    erasing, second, first = await storage.audit.list_acts(ANY, 9)
    assert (first.actor, first.key, first.address, first.object, first.is_erased) == (None, None, None, "key_b", True)
    assert (second.actor, second.object, second.is_erased) == (ME.id, None, True)
    assert (erasing.action, erasing.actor, erasing.details["values"]) == ("audit.values_erased", ME.id, 4)
    assert await storage.audit.erase_person(ME, "ada") == 0
    await storage.audit.erase_person(ME, ME.id)
    assert (await storage.audit.list_acts(ANY, 1))[0].actor == SYSTEM_PRINCIPAL.id


async def test_old_acts_lose_who_acted(storage: Storage) -> None:
    await storage.audit.add_act(ME, "key.made", "key_b")
    (act,) = await storage.audit.list_acts(ANY, 9)
    assert await storage.audit.erase_values(act.moment) == 0
    assert await storage.audit.erase_values(act.moment + 1) == 2
    assert (await storage.audit.list_acts(ANY, 9))[-1].actor is None


async def test_a_checkpoint_says_which_acts_there_are_and_seals_the_calls(storage: Storage) -> None:
    assert await storage.audit.list_checkpoints() == []
    assert await storage.audit.get_last_checkpoint() is None
    assert not await storage.audit.has_news()
    await storage.audit.add_act(ME, "key.made", "key_b")
    await storage.egress.add_calls([CALL, CALL])
    first = await storage.audit.add_checkpoint("public", sign)
    assert first is not None
    assert first.size == 3
    assert first.note == sign(first.size, first.root, first.moment)
    announced, sealed, _ = await storage.audit.list_acts(ANY, 9)
    assert (announced.action, announced.details) == ("audit.key_changed", {"public": "public"})
    assert sealed.action == "egress.sealed"
    assert sealed.details["calls"] == 2
    assert await storage.audit.get_last_checkpoint() == first
    assert not await storage.audit.has_news()
    assert await storage.audit.add_checkpoint("public", sign) is None
    await storage.egress.add_calls([CALL])
    assert await storage.audit.has_news()
    second = await storage.audit.add_checkpoint("another", sign)
    assert second is not None
    assert second.size == 5
    assert await storage.audit.list_checkpoints() == [first, second]
    assert await storage.audit.list_checkpoints(after=3) == [second]


async def test_the_root_is_that_of_rfc_6962(storage: Storage) -> None:
    for number in range(12):
        await storage.audit.add_act(ME, "key.made", str(number))
        checkpoint = await storage.audit.add_checkpoint("public", sign)
        hashes = await storage.audit.read_whole(lambda whole: [chained.hash for chained in whole.rows])
        assert checkpoint is not None
        assert checkpoint.root == tree_hash(hashes)


def tree_hash(leaves: list[bytes]) -> bytes:
    """The definition in section 2.1 of RFC 6962."""
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + tree_hash(leaves[:split]) + tree_hash(leaves[split:])).digest()


async def test_the_whole_log_is_read_as_of_one_moment(storage: Storage) -> None:
    await storage.audit.add_act(ME, "key.made", "key_b")

    def rows(whole: AuditContents) -> list[ChainedRow]:
        assert whole.strays == 0
        assert whole.checkpoints == []
        return list(whole.rows)

    (chained,) = await storage.audit.read_whole(rows)
    assert chained.row.chain(bytes(32)) == chained.hash
    assert {value.field: value.value for value in chained.values} == {"actor": ME.id, "object": "key_b"}


async def test_sealed_calls_are_erased_a_seal_at_a_time(storage: Storage) -> None:
    await storage.egress.add_calls([replace(CALL, moment=moment) for moment in (1, 2, 9)])
    await storage.audit.add_checkpoint("public", sign)
    await storage.egress.erase_calls(5)
    assert sum((await storage.egress.count_calls(LOCAL_PRINCIPAL, CALLS)).values()) == 3
    await storage.egress.erase_calls(10)
    assert await storage.egress.count_calls(LOCAL_PRINCIPAL, CALLS) == {}
    (act, *_) = await storage.audit.list_acts(ANY, 9)
    assert (act.action, act.details) == ("egress.erased", {"calls": 3, "through": 3})


async def test_a_destination_has_been_sent_what_was_noted(storage: Storage) -> None:
    assert await storage.audit.get_delivered("file") == 0
    await storage.audit.set_delivered("file", 4)
    await storage.audit.set_delivered("file", 7)
    assert await storage.audit.get_delivered("file") == 7
