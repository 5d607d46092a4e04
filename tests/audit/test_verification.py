"""Every tampering with the audit log is found, and nothing else is."""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eclair.audit.checkpoint_notes import checkpoint_line, read_notes, write_note
from eclair.audit.verification import AuditFault, AuditVerification, verify
from eclair.schema.audit import AUDIT_ACTIONS, AuditCheckpoint
from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from eclair.storage.audit_chain import EMPTY_CHAIN, AuditRow
from eclair.storage.open import open_storage
from eclair.storage.signing_key import SigningKey, encode_key
from eclair.storage.sql.audit import read_contents
from tests.storage.test_egress import CALL

ROWS = 60
TAMPERINGS = 1_000
COLUMNS = ("number", "moment", "action", "outcome", "details", "hashes", "hash")
FIELDS = ("salt", "value")


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> tuple[apsw.Connection, list[AuditCheckpoint]]:
    """A log with checkpoints, erased people, sealed calls and a changed key; and its last checkpoint."""
    folder = tmp_path_factory.mktemp("audited")
    asyncio.run(fill(folder))
    db = apsw.Connection(str(folder / "eclair.db"))
    memory = apsw.Connection(":memory:")
    with memory.backup("main", db, "main") as copy:
        copy.step()
    for trigger in ("audit_keeps", "audit_keeps_all"):
        memory.execute(f"DROP TRIGGER {trigger}")
    return memory, read_contents(memory).checkpoints[-1:]


async def fill(folder: Path) -> None:
    storage = open_storage(folder)
    chooser = random.Random(7)
    keys = [SigningKey(folder / "first.key"), SigningKey(folder / "second.key")]
    people = [Principal(f"person_{name}", key="key_a", address="192.0.2.7") for name in "abcd"]
    number, key = 0, keys[0]
    while number < ROWS:
        await storage.egress.add_calls([replace(CALL, moment=number)])
        number = await storage.audit.add_act(
            chooser.choice(people), chooser.choice(AUDIT_ACTIONS[:4]), f"thing_{number}", details={"count": number}
        )
        if number % 17 == 16:
            await storage.audit.add_checkpoint(encode_key(key.public()), partial(write_note, key))
        if number == ROWS // 2:
            old = key
            key = keys[1]
            await storage.audit.add_checkpoint(encode_key(key.public()), partial(write_note, old))
            await storage.audit.erase_person(LOCAL_PRINCIPAL, "person_b")
    await storage.audit.add_checkpoint(encode_key(key.public()), partial(write_note, key))
    await storage.close()


def copied(db: apsw.Connection) -> apsw.Connection:
    memory = apsw.Connection(":memory:")
    with memory.backup("main", db, "main") as copy:
        copy.step()
    return memory


def check(db: apsw.Connection, outside: list[AuditCheckpoint] | None = None) -> AuditVerification:
    return verify(read_contents(db), outside or ())


def row_numbers(db: apsw.Connection, table: str = "audit") -> list[int]:
    key = "id" if table == "egress" else "number"
    return [number for (number,) in db.execute(f"SELECT {key} FROM {table} ORDER BY {key}")]


def edit(db: apsw.Connection, chooser: random.Random) -> None:
    """Change one column of one row."""
    number, column = chooser.choice(row_numbers(db)), chooser.choice(COLUMNS)
    match column:
        case "number":
            db.execute("UPDATE audit SET number = ? WHERE number = ?", (ROWS * 9 + number, number))
        case "moment":
            db.execute("UPDATE audit SET moment = moment + ? WHERE number = ?", (chooser.choice((-1, 1)), number))
        case "hash":
            db.execute("UPDATE audit SET hash = ? WHERE number = ?", (chooser.randbytes(32), number))
        case _:
            db.execute(f"UPDATE audit SET {column} = {column} || ' ' WHERE number = ?", (number,))


def edit_value(db: apsw.Connection, chooser: random.Random) -> None:
    """Say that somebody else did it, or lose who did."""
    number = chooser.choice([n for (n,) in db.execute("SELECT number FROM audit_value WHERE value IS NOT NULL")])
    change = chooser.choice(
        ("value = 'person_d0'", "salt = zeroblob(16)", "value = NULL", "erased = 1", "field = 'who'")
    )
    field = chooser.choice([f for (f,) in db.execute("SELECT field FROM audit_value WHERE number = ?", (number,))])
    db.execute(f"UPDATE audit_value SET {change} WHERE number = ? AND field = ?", (number, field))


def lose_value(db: apsw.Connection, chooser: random.Random) -> None:
    """Delete a value, or have it erased as if by an act that erased others."""
    number, field = chooser.choice([*db.execute("SELECT number, field FROM audit_value WHERE value IS NOT NULL")])
    if chooser.random() < 0.5:
        db.execute("DELETE FROM audit_value WHERE number = ? AND field = ?", (number, field))
    else:
        (act,) = next(iter(db.execute("SELECT number FROM audit WHERE action = 'audit.values_erased'")))
        db.execute(
            "UPDATE audit_value SET salt = NULL, value = NULL, erased = ? WHERE number = ? AND field = ?",
            (act, number, field),
        )


def delete(db: apsw.Connection, chooser: random.Random) -> None:
    """Take a row out, and in half of the cases renumber the later ones."""
    number = chooser.choice(row_numbers(db)[:-1])
    for table in ("audit", "audit_value"):
        db.execute(f"DELETE FROM {table} WHERE number = ?", (number,))
        if number % 2:
            for later in range(number + 1, ROWS * 9):
                db.execute(f"UPDATE {table} SET number = number - 1 WHERE number = ?", (later,))


def reorder(db: apsw.Connection, chooser: random.Random) -> None:
    """Exchange two rows."""
    first, second = chooser.sample(row_numbers(db), 2)
    for table in ("audit", "audit_value"):
        for old, new in ((first, -1), (second, first), (-1, second)):
            db.execute(f"UPDATE {table} SET number = ? WHERE number = ?", (new, old))


def insert(db: apsw.Connection, chooser: random.Random) -> None:
    """Put a copy of a row between two others."""
    number, place = chooser.choice(row_numbers(db)), chooser.choice(row_numbers(db))
    columns = ", ".join(COLUMNS[1:])
    copy = next(iter(db.execute(f"SELECT {columns} FROM audit WHERE number = ?", (number,))))
    for table in ("audit", "audit_value"):
        for later in reversed(row_numbers(db)):
            if later >= place:
                db.execute(f"UPDATE {table} SET number = number + 1 WHERE number = ?", (later,))
    db.execute(f"INSERT INTO audit ({columns}, number) VALUES (?, ?, ?, ?, ?, ?, ?)", (*copy, place))


def rewrite(db: apsw.Connection, chooser: random.Random) -> None:
    """Change a row, and rebuild the chain after it."""
    number = chooser.choice(row_numbers(db))
    db.execute("UPDATE audit SET outcome = 'denied' || number WHERE number = ?", (number,))
    previous = EMPTY_CHAIN
    for *columns, _ in list(db.execute(f"SELECT {', '.join(COLUMNS)} FROM audit ORDER BY number")):
        previous = AuditRow(*columns).chain(previous)
        db.execute("UPDATE audit SET hash = ? WHERE number = ?", (previous, columns[0]))


def truncate(db: apsw.Connection, chooser: random.Random) -> None:
    """Cut off the tail with all that tells of it."""
    number = chooser.choice(row_numbers(db))
    db.execute("DELETE FROM audit WHERE number >= ?", (number,))
    db.execute("DELETE FROM audit_value WHERE number >= ?", (number,))
    db.execute("UPDATE audit_value SET erased = NULL WHERE erased >= ?", (number,))
    db.execute("DELETE FROM audit_checkpoint WHERE size >= ?", (number,))


def edit_call(db: apsw.Connection, chooser: random.Random) -> None:
    """Change or delete a call of the egress log."""
    call = chooser.choice(row_numbers(db, "egress"))
    change = chooser.choice(
        ("host = 'example.net'", "owner = 'another'", "url = 'https://example.net/'", "sent = 0", "")
    )
    db.execute(f"UPDATE egress SET {change} WHERE id = ?" if change else "DELETE FROM egress WHERE id = ?", (call,))


def forge(db: apsw.Connection, chooser: random.Random) -> None:
    """Sign a checkpoint with another key."""
    checkpoint = chooser.choice(read_contents(db).checkpoints)
    with tempfile.TemporaryDirectory() as folder:
        note = write_note(SigningKey(Path(folder, "other.key")), checkpoint.size, checkpoint.root, checkpoint.moment)
    db.execute("UPDATE audit_checkpoint SET note = ? WHERE size = ?", (note, checkpoint.size))


ATTACKS: tuple[Callable[[apsw.Connection, random.Random], None], ...] = (
    *(edit, edit_value, lose_value, delete, reorder, insert, rewrite, truncate, edit_call, forge),
)


def test_an_honest_log_is_whole(log: tuple[apsw.Connection, list[AuditCheckpoint]]) -> None:
    db, outside = log
    result = check(db, outside)
    assert result.fault is None
    assert result.unsealed == 0
    assert result.erased > 0
    assert result.acts >= ROWS
    assert result.checkpoints >= 4


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_1000_tamperings_are_all_found(
    log: tuple[apsw.Connection, list[AuditCheckpoint]], attack: Callable[[apsw.Connection, random.Random], None]
) -> None:
    db, outside = log
    for seed in range(TAMPERINGS // len(ATTACKS)):
        forged = copied(db)
        attack(forged, random.Random(seed))
        assert check(forged, outside).fault is not None, f"{attack.__name__} {seed}"


@settings(max_examples=50, deadline=None)
@given(number=st.integers(1, ROWS), column=st.sampled_from(("action", "outcome", "details")), text=st.text(max_size=9))
def test_a_changed_row_is_named(
    log: tuple[apsw.Connection, list[AuditCheckpoint]], number: int, column: str, text: str
) -> None:
    db, outside = log
    forged = copied(db)
    forged.execute(f"UPDATE audit SET {column} = ? || {column} WHERE number = ?", (f"{text}!", number))
    fault = check(forged, outside).fault
    assert fault is not None
    assert fault.number == number
    assert str(number) in fault.message


def test_a_tail_cut_off_with_its_checkpoints_is_seen_by_one_from_outside_alone(
    log: tuple[apsw.Connection, list[AuditCheckpoint]],
) -> None:
    db, outside = log
    forged = copied(db)
    last = row_numbers(db)[-1]
    for table, key in (("audit", "number"), ("audit_value", "number"), ("audit_checkpoint", "size")):
        forged.execute(f"DELETE FROM {table} WHERE {key} >= ?", (last,))
    assert check(forged).fault is None
    assert check(forged, outside).fault == AuditFault(
        last, f"Rows {last} to {last} are missing: a checkpoint of {last} rows exists."
    )


def test_checkpoints_are_found_in_any_file(log: tuple[apsw.Connection, list[AuditCheckpoint]]) -> None:
    _, outside = log
    line = checkpoint_line(outside[0])
    assert read_notes(outside[0].note) == outside
    assert read_notes(f'<110>1 host eclair - - - {line}\nsomething else\n{{"checkpoint": 3}}\n{line}\n') == outside * 2
    assert read_notes("") == []
