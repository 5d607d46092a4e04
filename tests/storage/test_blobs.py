"""The contract of blobs, in a folder and in a bucket, plain and encrypted."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.errors import NotFound, SettingsError, StoreError
from eclair.storage.blob_stores import blob_copies
from eclair.storage.blob_stores.blob_bucket import BlobBucket, BucketPlace
from eclair.storage.blob_stores.blob_copies import BlobCopies
from eclair.storage.blob_stores.blob_encryption import CHUNK_BYTES, HEADER_BYTES, STORED_CHUNK_BYTES, BlobKeys
from eclair.storage.blob_stores.blob_folder import BlobFolder
from eclair.storage.blob_stores.blob_marks import ERASURE_DELAY_S, ErasureMarks
from eclair.storage.blob_stores.blob_store import BlobStore
from eclair.storage.blobs import Blobs
from tests.s3_server import SHORT, S3Server, misbehaving

LARGE = os.urandom(CHUNK_BYTES) * 200
"""More than one part of a multipart upload, and more than one range."""


@dataclass(slots=True)
class Place:
    """A place for the blobs of one test: a folder or a bucket, plain or encrypted."""

    folder: Path
    store: BlobStore
    keys: BlobKeys | None

    def open(self, keys: BlobKeys | None = None) -> Blobs:
        return Blobs(self.folder, self.store, keys or self.keys)

    async def damage(self, name: str, change: Callable[[bytes], bytes]) -> None:
        """Change the stored bytes of a blob."""
        key = f"{self.folder.name}/{name[:2]}/{name}"
        found = await self.store.open(key)
        async with aclosing(self.store.read(found, 0, found.size)) as pieces:
            stored = b"".join([piece async for piece in pieces])
        file = self.folder.parent / "damaged"
        await asyncio.to_thread(file.write_bytes, change(stored))
        await self.store.write(key, file, replace=True)


@pytest.fixture(params=["folder", "folder encrypted", "bucket", "bucket encrypted"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    kind = str(request.param)
    keys = None
    if "encrypted" in kind:
        keys = BlobKeys(tmp_path / "blobs.key")
        keys.rotate()
    if kind.startswith("folder"):
        return Place(tmp_path / "data" / "files", BlobFolder(tmp_path / "data"), keys)
    server: S3Server = request.getfixturevalue("s3")
    return Place(tmp_path / "data" / "files", BlobBucket(server.new_place()), keys)


@pytest.fixture
def bucket(s3: S3Server, tmp_path: Path) -> Place:
    return Place(tmp_path / "data" / "files", BlobBucket(s3.new_place()), None)


def uploads(folder: Path) -> list[Path]:
    """Unfinished uploads that were left."""
    return list(folder.rglob("coming*"))


async def read(blobs: Blobs, name: str, start: int = 0, end: int | None = None) -> bytes:
    async with aclosing(blobs.stream(name, start, end)) as pieces:
        return b"".join([piece async for piece in pieces])


@pytest.mark.parametrize("data", [b"", b"hello", b"\0" * CHUNK_BYTES, LARGE], ids=["empty", "short", "chunk", "large"])
async def test_what_is_put_is_got(place: Place, data: bytes) -> None:
    blobs = place.open()
    name = await blobs.put(data)
    assert name == hashlib.sha256(data).hexdigest()
    again = place.open()
    assert await again.get(name) == data
    assert await read(again, name) == data
    assert (await again.find(name)).size == len(data)
    assert await again.exists(name)
    assert [entry.name for entry in await again.list_blobs()] == [name]
    async with again.open_path(name) as path:
        assert await asyncio.to_thread(path.read_bytes) == data


@pytest.mark.parametrize(("start", "end"), [(0, 1), (5, 5), (CHUNK_BYTES - 1, CHUNK_BYTES + 1), (len(LARGE) - 3, None)])
async def test_a_range_is_read(place: Place, start: int, end: int | None) -> None:
    blobs = place.open()
    name = await blobs.put(LARGE)
    assert await read(blobs, name, start, end) == LARGE[start:end]
    assert await blobs.read_head(name, 7) == LARGE[:7]


async def test_what_is_kept_twice_is_stored_once(place: Place) -> None:
    blobs = place.open()
    names = await asyncio.gather(*(place.open().put(b"same") for _ in range(10)))
    assert len(set(names)) == 1
    assert [entry.name for entry in await blobs.list_blobs()] == [names[0]]
    assert not uploads(place.folder)


@pytest.mark.parametrize("name", ["", "..", "../../etc/passwd", "A" * 64, "g" * 64, "a" * 63, "a" * 65])
async def test_a_name_is_a_hash(place: Place, name: str) -> None:
    blobs = place.open()
    with pytest.raises(NotFound):
        await blobs.get(name)
    with pytest.raises(NotFound):
        await blobs.delete(name)


async def test_a_missing_blob(place: Place) -> None:
    blobs, name = place.open(), "0" * 64
    assert not await blobs.exists(name)
    with pytest.raises(NotFound):
        await blobs.get(name)
    with pytest.raises(StoreError, match="is missing; restore a backup"):
        await read(blobs, name)


@pytest.mark.parametrize("data", [b"hello", LARGE], ids=["short", "large"])
async def test_a_flipped_bit_is_not_handed_out(place: Place, data: bytes) -> None:
    blobs = place.open()
    name = await blobs.put(data)
    await place.damage(name, lambda stored: stored[:-2] + bytes([stored[-2] ^ 1]) + stored[-1:])
    for reading in (blobs.get(name), read(blobs, name)):
        with pytest.raises(StoreError, match="was changed"):
            await reading
    with pytest.raises(StoreError, match="was changed"):
        async with blobs.open_path(name):
            pass


async def test_a_blob_that_was_cut_off_is_not_handed_out(place: Place) -> None:
    blobs = place.open()
    name = await blobs.put(LARGE)
    await place.damage(name, lambda stored: stored[: -STORED_CHUNK_BYTES * 2])
    with pytest.raises(StoreError, match="was changed"):
        await read(blobs, name)


async def test_derived_data_goes_with_its_blob(place: Place) -> None:
    blobs = place.open()
    name = await blobs.put(b"photo")
    assert await blobs.get_derived(name, "seen-64") is None
    await blobs.put_derived(name, "seen-64", b"small")
    assert await place.open().get_derived(name, "seen-64") == b"small"
    await blobs.delete(name)
    await erase_marked(place)
    assert await blobs.get_derived(name, "seen-64") is None
    await blobs.put_derived(name, "seen-64", b"small")
    assert await blobs.get_derived(name, "seen-64") is None


async def test_a_lost_blob_is_set_aside_and_taken_back(place: Place) -> None:
    blobs = place.open()
    name = await blobs.put(b"lost")
    await blobs.set_aside(name)
    assert not await blobs.exists(name)
    assert await blobs.list_blobs() == []
    assert await blobs.take_back(name)
    assert await blobs.get(name) == b"lost"
    assert not await blobs.take_back("0" * 64)


async def erase_marked(place: Place, needed: frozenset[str] = frozenset()) -> int:
    """Erase what is marked, as a process does that looks a second time after a minute."""
    if not isinstance(place.store, BlobBucket):
        return 0
    seconds = iter([0.0, ERASURE_DELAY_S, ERASURE_DELAY_S])
    now = next(seconds)
    marks = ErasureMarks(place.store, place.folder.name, lambda: now)

    async def is_needed(name: str) -> bool:
        return name in needed

    async def erase(name: str) -> None:
        await place.open()._erase(name)  # pyright: ignore[reportPrivateUsage]

    assert await marks.sweep(is_needed, erase) == 0, "a first look erases nothing"
    now = next(seconds)
    return await marks.sweep(is_needed, erase)


async def test_a_blob_is_erased(place: Place) -> None:
    blobs = place.open()
    name = await blobs.put(b"gone")
    await blobs.delete(name)
    await blobs.delete(name)
    assert await blobs.list_blobs() == [], "what is being erased isn't listed"
    await erase_marked(place)
    assert not await blobs.exists(name)


async def test_what_is_stored_again_is_not_erased(bucket: Place) -> None:
    blobs = bucket.open()
    name = await blobs.put(b"again")
    await blobs.delete(name)
    assert await bucket.open().put(b"again") == name
    assert await erase_marked(bucket) == 0
    assert await blobs.get(name) == b"again"


async def test_what_the_database_names_is_not_erased(bucket: Place) -> None:
    blobs = bucket.open()
    name = await blobs.put(b"needed")
    await blobs.delete(name)
    assert await erase_marked(bucket, frozenset({name})) == 0
    assert [entry.name for entry in await blobs.list_blobs()] == [name]


async def test_what_is_stored_while_it_is_erased_is_stored_again(bucket: Place) -> None:
    """The sweeper has decided; whoever stores the same bytes waits for it, and stores them once more."""
    assert isinstance(bucket.store, BlobBucket)
    blobs = bucket.open()
    name = await blobs.put(b"raced")
    await blobs.delete(name)
    mark = f"files.going/{name}"
    assert await bucket.store.swap(await bucket.store.open(mark), b"erasing 0")
    putting = asyncio.create_task(bucket.open().put(b"raced"))
    await asyncio.sleep(0)
    await bucket.store.delete([f"files/{name[:2]}/{name}"])
    await bucket.store.delete([mark])
    assert await putting == name
    assert await blobs.get(name) == b"raced"


async def test_two_processes_store_the_same_bytes(bucket: Place) -> None:
    assert isinstance(bucket.store, BlobBucket)
    place = bucket.store.place
    given = [place.bucket, place.prefix, str(place.endpoint), place.region, "key", "secret"]
    command = [sys.executable, "-c", _SAME, str(bucket.folder), *given]
    putting = [await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE) for _ in range(2)]
    said = [(await process.communicate())[0].decode().strip() for process in putting]
    assert said[0] == said[1] == hashlib.sha256(b"same" * 3_000_000).hexdigest()
    assert [entry.name for entry in await bucket.open().list_blobs()] == [said[0]]
    assert await bucket.open().get(said[0]) == b"same" * 3_000_000


async def test_only_one_of_two_turns_a_mark(bucket: Place) -> None:
    assert isinstance(bucket.store, BlobBucket)
    await bucket.store.mark("files.going/x", b"going 1")
    found = await bucket.store.open("files.going/x")
    turned = await asyncio.gather(bucket.store.swap(found, b"kept 1"), bucket.store.swap(found, b"erasing 1"))
    assert sorted(turned) == [False, True]


async def test_an_upload_that_breaks_off_leaves_nothing(place: Place) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield LARGE
        raise ConnectionError("the person went away")

    with pytest.raises(ConnectionError):
        await place.open().put_stream(broken())
    assert await place.open().list_blobs() == []
    assert not uploads(place.folder)


_SAME = """
import asyncio, sys
from pathlib import Path
from eclair.storage.blob_stores.blob_bucket import BlobBucket, BucketPlace
from eclair.storage.blobs import Blobs

folder, *place = sys.argv[1:]
print(asyncio.run(Blobs(Path(folder), BlobBucket(BucketPlace(*place))).put(b"same" * 3_000_000)))
"""

_KILLED = """
import asyncio, sys
from pathlib import Path
from eclair.storage.blob_stores.blob_bucket import BlobBucket, BucketPlace
from eclair.storage.blobs import Blobs

async def pieces():
    while True:
        yield bytes(1 << 20)
        print("sent", flush=True)
        await asyncio.sleep(0)

folder, *place = sys.argv[1:]
store = BlobBucket(BucketPlace(*place)) if place else None
asyncio.run(Blobs(Path(folder), store).put_stream(pieces()))
"""


async def test_a_process_that_is_killed_in_mid_upload_leaves_no_blob(bucket: Place) -> None:
    assert isinstance(bucket.store, BlobBucket)
    place = bucket.store.place
    given = [place.bucket, place.prefix, str(place.endpoint), place.region, "key", "secret"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _KILLED, str(bucket.folder), *given, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    for _ in range(3):
        assert await process.stdout.readline() == b"sent\n"
    process.send_signal(signal.SIGKILL)
    await process.wait()
    blobs = bucket.open()
    assert await blobs.list_blobs() == []
    (left,) = bucket.folder.glob("coming-*")
    os.utime(left, (0, 0))
    await asyncio.to_thread(blobs.remove_partial)
    assert not left.exists()


async def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_text("a file")
    with pytest.raises(StoreError, match="cannot be kept"):
        await Blobs(tmp_path / "blobs").put(b"hello")


FORBIDDEN = b"<Error><Code>AccessDenied</Code><AWSAccessKeyId>key</AWSAccessKeyId></Error>"
ANSWERS = {
    "forbidden": (
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\n\r\n" % len(FORBIDDEN) + FORBIDDEN,
        "refuses access",
    ),
    "broken": (b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n", "does not answer as it should"),
    "cut off": (
        b"HTTP/1.1 206 Partial Content\r\nContent-Length: 64\r\nContent-Range: bytes 0-63/64\r\nETag: x\r\n"
        b"Last-Modified: Sun, 29 Nov 2026 12:00:00 GMT\r\n\r\nhalf",
        "does not answer as it should",
    ),
    "silent": (None, "does not answer as it should"),
}


@pytest.mark.parametrize("fault", ANSWERS)
async def test_a_store_that_fails_is_named_in_one_sentence(tmp_path: Path, fault: str) -> None:
    answer, sentence = ANSWERS[fault]
    async with misbehaving(answer) as store:
        blobs = Blobs(tmp_path / "files", store)
        for failing in (blobs.put(b"hello"), blobs.get("0" * 64)):
            with pytest.raises(StoreError, match=sentence) as raised:
                await failing
            assert "very-secret" not in raised.value.message
            assert raised.value.message.count("\n") == 0


async def test_a_store_that_is_down(tmp_path: Path) -> None:
    place = BucketPlace("bucket", "", "http://127.0.0.1:9", "us-east-1", "key", "secret")
    store = BlobBucket(place, limits=SHORT)
    with pytest.raises(StoreError, match="does not answer as it should; try again"):
        await Blobs(tmp_path / "files", store).put(b"hello")
    with pytest.raises(StoreError):
        await store.check()


async def test_a_bucket_that_is_missing(s3: S3Server, tmp_path: Path) -> None:
    store = BlobBucket(BucketPlace("nothere", "", s3.url, "us-east-1", "key", "secret"), limits=SHORT)
    with pytest.raises(StoreError, match="There is no bucket nothere"):
        await Blobs(tmp_path / "files", store).put(b"hello")
    with pytest.raises(StoreError, match="There is no bucket nothere"):
        await store.check()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> BlobKeys:
    keys = BlobKeys(tmp_path_factory.mktemp("keys") / "blobs.key")
    keys.rotate()
    return keys


@given(size=st.integers(0, 3 * CHUNK_BYTES + 2), cut=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_any_range_of_an_encrypted_blob(
    tmp_path_factory: pytest.TempPathFactory, keys: BlobKeys, size: int, cut: tuple[float, float]
) -> None:
    data = LARGE[:size]
    start, end = sorted(round(each * size) for each in cut)

    async def put_and_read() -> bytes:
        blobs = Blobs(tmp_path_factory.getbasetemp() / "ranges" / "files", None, keys)
        return await read(blobs, await blobs.put(data), start, end)

    assert asyncio.run(put_and_read()) == data[start:end]


@given(at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_flipped_bit_of_an_encrypted_range_is_seen(
    tmp_path_factory: pytest.TempPathFactory, keys: BlobKeys, at: float, bit: int
) -> None:
    data = LARGE[: 2 * CHUNK_BYTES + 9]

    async def read_damaged() -> None:
        folder = tmp_path_factory.mktemp("flipped") / "files"
        blobs = Blobs(folder, None, keys)
        name = await blobs.put(data)
        path = blobs.path(name)
        stored = bytearray(path.read_bytes())
        stored[int(at * len(stored))] ^= 1 << bit
        path.write_bytes(stored)
        await read(blobs, name)

    with pytest.raises(StoreError):
        asyncio.run(read_damaged())


async def test_a_plain_blob_is_still_read_with_a_key(tmp_path: Path, keys: BlobKeys) -> None:
    name = await Blobs(tmp_path / "files").put(b"from before")
    assert await Blobs(tmp_path / "files", None, keys).get(name) == b"from before"


async def test_nothing_readable_is_on_the_disk(tmp_path: Path, keys: BlobKeys) -> None:
    blobs = Blobs(tmp_path / "files", None, keys)
    name = await blobs.put(b"a secret sentence" * 100)
    await blobs.put_derived(name, "seen-1", b"a secret sentence")
    stored = [path.read_bytes() for path in (tmp_path / "files").rglob("*") if path.is_file()]
    assert len(stored) == 2
    assert not any(b"secret" in each for each in stored)


async def test_a_blob_in_the_place_of_another_is_seen(tmp_path: Path, keys: BlobKeys) -> None:
    blobs = Blobs(tmp_path / "files", None, keys)
    one, two = await blobs.put(LARGE), await blobs.put(LARGE[1:])
    blobs.path(one).write_bytes(blobs.path(two).read_bytes())
    with pytest.raises(StoreError, match="was changed"):
        await read(blobs, one, 5, 10)


async def test_a_key_is_rotated(place: Place, keys: BlobKeys, tmp_path: Path) -> None:
    old = await place.open().put(LARGE)
    rotated = place.keys or keys
    before = rotated.file.read_bytes()
    rotated.rotate()
    blobs = place.open(rotated)
    new = await blobs.put(b"new")
    assert [await blobs.reencrypt(name) for name in (old, new)] == [True, False]
    alone = BlobKeys(tmp_path / "alone.key")
    alone.file.write_bytes(rotated.file.read_bytes().splitlines()[0])
    assert await place.open(alone).get(old) == LARGE
    former = BlobKeys(tmp_path / "former.key")
    former.file.write_bytes(before)
    with pytest.raises(StoreError, match="encrypted with a key that isn't here"):
        await place.open(former).get(old)


async def test_a_file_that_looks_encrypted_is_somebodys_file(tmp_path: Path, keys: BlobKeys) -> None:
    encrypted = Blobs(tmp_path / "encrypted", None, keys)
    stored = encrypted.path(await encrypted.put(b"anything")).read_bytes()
    assert len(stored) > HEADER_BYTES
    plain = Blobs(tmp_path / "files")
    name = await plain.put(stored)
    assert await plain.get(name) == stored


async def test_a_key_that_is_missing_or_short_is_named(tmp_path: Path) -> None:
    file = tmp_path / "blobs.key"
    blobs = Blobs(tmp_path / "files", None, BlobKeys(file))
    with pytest.raises(SettingsError, match="is missing; put the keys of the blobs back"):
        await blobs.put(b"hello")
    file.write_text("short")
    with pytest.raises(SettingsError, match="fewer than 32 characters"):
        await blobs.put(b"hello")
    assert not uploads(tmp_path)


async def test_a_file_that_is_opened_for_nobody_any_more_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = BlobFolder(tmp_path)
    (tmp_path / "file").write_bytes(b"The tower.")
    found = await store.open("file")
    is_opening, may_open = asyncio.Event(), threading.Event()
    loop, opened, open_file = asyncio.get_running_loop(), asyncio.Queue[IO[bytes]](), Path.open

    def open_late(path: Path, mode: str) -> IO[bytes]:
        loop.call_soon_threadsafe(is_opening.set)
        may_open.wait(10)
        file = cast(IO[bytes], open_file(path, mode))
        loop.call_soon_threadsafe(opened.put_nowait, file)
        return file

    monkeypatch.setattr(Path, "open", open_late)
    reading = asyncio.ensure_future(anext(store.read(found, 0, 10)))
    await is_opening.wait()
    reading.cancel()
    await asyncio.wait([reading])
    may_open.set()
    file = await opened.get()
    async with asyncio.timeout(10):
        while not file.closed:  # noqa: ASYNC110 (no event tells)
            await asyncio.sleep(0)


async def test_a_copy_is_not_removed_under_who_opens_it_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    copies, opened, is_leaving = BlobCopies(), threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    remove = blob_copies._remove  # pyright: ignore[reportPrivateUsage]

    def remove_late(paths: Sequence[Path]) -> None:
        loop.call_soon_threadsafe(is_leaving.set)
        opened.wait(10)
        remove(paths)

    async def data() -> AsyncGenerator[bytes]:
        yield b"the bytes"

    async def use() -> Path:
        async with copies.open("blob", data(), keep=False) as path:
            return path

    monkeypatch.setattr(blob_copies, "_remove", remove_late)
    leaving = asyncio.create_task(use())
    await is_leaving.wait()
    async with copies.open("blob", data(), keep=False) as path:
        opened.set()
        old = await leaving
        assert (old.exists(), path.read_bytes()) == (False, b"the bytes")
    assert not path.exists()
