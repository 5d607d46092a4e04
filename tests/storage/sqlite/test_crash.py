from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import numpy as np
import pytest

from eclair.schema.documents import Page
from eclair.storage.chunks import SearchScope
from eclair.storage.open import open_storage
from tests.storage.helpers import ME, SHA

WRITER = """
import asyncio, sys
from pathlib import Path
import numpy as np
from eclair.schema.documents import Chunk, Page
from eclair.schema.principal import Principal
from eclair.storage.files import StoredFile
from eclair.storage.open import open_storage

async def main():
    storage = open_storage(Path(sys.argv[1]))
    sha = "a" * 64
    file = StoredFile(id="file_a", owner="me", name="a", size=1, sha256=sha, media="", created=1)
    await storage.files.add_file(Principal("me"), file, 1)
    print("begun", flush=True)
    for page in range(100_000):
        text = f"page number {page}"
        chunk = Chunk(sha, page, page + 1, page, page + len(text), (), text)
        await storage.documents.add_pages(sha, [Page(page + 1, text)], [chunk])
        if page % 3 == 2:
            chunks = await storage.chunks.list_unembedded("e5", 3)
            await storage.chunks.add_vectors("e5", chunks, np.ones((3, 4), np.float32))

asyncio.run(main())
"""


@pytest.mark.parametrize("after", [0.0, 0.03, 0.1, 0.3])
async def test_what_kill_9_leaves_is_whole(tmp_path: Path, after: float) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"begun\n"
    await asyncio.sleep(after)
    process.kill()
    await process.wait()
    storage = open_storage(tmp_path)
    state = await storage.documents.get_state(SHA)
    pages, chunks = await storage.documents.list_pages(SHA), await storage.chunks.list_chunks(SHA)
    assert len(pages) == len(chunks) == state.pages_read == state.chunks
    assert state.embedded == state.chunks // 3 * 3 or state.embedded == state.chunks // 3 * 3 - 3
    scope = SearchScope(ME, files=("file_a",))
    assert len(await storage.chunks.search_vectors(scope, "e5", np.ones(4, np.float32), 10**6)) == state.embedded
    assert len(await storage.chunks.search_words(scope, "number", 10**6)) == state.chunks
    await storage.documents.add_pages(SHA, [Page(state.pages_read + 1, "the last")], [], finished=True)
    assert (await storage.documents.get_state(SHA)).state == "ready"
    await storage.close()
