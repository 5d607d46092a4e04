"""The cost of the audit log: microseconds an act, and seconds to verify all of them.

`python bench/audit.py [ACTS]`; what is measured is the processor's time of one thread, in memory.
"""

from __future__ import annotations

import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import apsw

from eclair.audit.checkpoint_notes import write_note
from eclair.audit.verification import verify
from eclair.schema.principal import Principal
from eclair.storage.audit_chain import MerkleTree
from eclair.storage.signing_key import SigningKey
from eclair.storage.sql.audit import append_act, read_contents
from eclair.storage.sqlite.database import migrations

ADA = Principal("person_ada", address="192.0.2.7")


def main(acts: int) -> None:
    db = apsw.Connection(":memory:")
    for script in migrations():
        db.execute(script)
    began = time.thread_time()
    with db:
        for number in range(acts):
            append_act(db, ADA, "key.made", f"key_{number}", details={"scope": "all"})
    appending = time.thread_time() - began
    began = time.thread_time()
    result = verify(read_contents(db))
    verifying = time.thread_time() - began
    assert result.fault is None
    assert result.acts == acts
    began = time.thread_time()
    tree = MerkleTree()
    tree.extend(hash for (hash,) in db.execute("SELECT hash FROM audit ORDER BY number"))
    with tempfile.TemporaryDirectory() as folder:
        partial(write_note, SigningKey(Path(folder, "key")))(tree.size, tree.root, 0)
    sealing = time.thread_time() - began
    print(
        f"{acts:,} acts: {appending / acts * 1e6:.1f} µs each, verified in {verifying:.2f} s, sealed in {sealing:.2f} s"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
