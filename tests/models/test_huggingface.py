"""Pulling from a hub that stands in for one: it breaks off, throttles, redirects, has a gate, serves wrong files."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from eclair.errors import Conflict, Forbidden, InvalidInput, LicenseNotAccepted, ModelMissing, NotFound, SettingsError
from eclair.llm.local.local_engine import LocalEngine
from eclair.llm.local.removal import remove_model
from eclair.models import catalog, installed
from eclair.models.download import RETRY_PAUSES_S, DownloadProgress
from eclair.models.download_plan import DownloadPlan, plan_download
from eclair.models.huggingface import Hub
from eclair.models.install import install_model
from eclair.network.client import DownloadClient
from eclair.settings import Settings
from tests.llm.standin import Call, StandIn, cut, standing_in
from tests.models.gguf_files import gguf

REPO = "maker/tiny-GGUF"
MODEL = gguf(weights=os.urandom(300_000))
TOKEN = "hf_secret"


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Shop:
    """A hub with one repository, whose files lie on a second host."""

    def __init__(self, hub: StandIn, store: StandIn) -> None:
        self.standin = hub
        self.store = store
        self.url = hub.url
        self.files = {"tiny-Q4_K_M.gguf": MODEL, "tiny-Q8_0.gguf": MODEL * 2, "mmproj-tiny-f16.gguf": b"GGUF"}
        self.served: dict[str, bytes] = {}
        self.license: object = "apache-2.0"
        self.gated = False
        self.linked = True
        self.pieces = 1
        self.busy: list[dict[str, str]] = []
        self.lay_out()

    def lay_out(self) -> None:
        """Give each file an address on the hub and one in the store."""
        self.standin.routes[f"/api/models/{REPO}?blobs=true"] = self.about
        for name in self.files:
            self.standin.routes[f"/{REPO}/resolve/main/{name}"] = self.resolve
            self.store.routes[f"/blobs/{name}"] = self.blob

    async def about(self, call: Call) -> None:
        rows = [{"rfilename": "README.md", "size": 10}]
        rows += [
            {"rfilename": name, "size": len(content), "lfs": {"size": len(content), "sha256": sha(content)}}
            for name, content in self.files.items()
        ]
        if await self.admitted(call):
            await call.reply(200, orjson.dumps({"cardData": {"license": self.license}, "siblings": rows}))

    async def resolve(self, call: Call) -> None:
        name = call.path.rpartition("/")[2]
        if not await self.admitted(call):
            return
        if self.busy:
            await call.reply(429, b"", **self.busy.pop(0))
            return
        facts = {"X_Linked_ETag": f'"{sha(self.files[name])}"', "X_Linked_Size": str(len(self.files[name]))}
        location = f"{self.store.url.replace('127.0.0.1', 'localhost')}/blobs/{name}"
        await call.reply(302, b"", Location=location, **(facts if self.linked else {}))

    async def admitted(self, call: Call) -> bool:
        if self.gated and call.headers.get("authorization") != f"Bearer {TOKEN}":
            await call.reply(401 if "authorization" not in call.headers else 403)
            return False
        return True

    async def blob(self, call: Call) -> None:
        name = call.path.rpartition("/")[2]
        content = self.served.get(name, self.files[name])
        span = call.headers.get("range", "bytes=0-")[6:].split("-")
        start, end = int(span[0]), int(span[1]) + 1 if span[1] else len(content)
        if start >= len(content):
            await call.reply(416)
            return
        rest = content[start:end]
        head = f"HTTP/1.1 {206 if 'range' in call.headers else 200} X\r\nContent-Length: {len(rest)}\r\n"
        head += (
            f'Content-Range: bytes {start}-{start + len(rest) - 1}/{len(content)}\r\nETag: "e-{sha(content)[:8]}"\r\n'
        )
        most = len(content) // self.pieces + 1
        await call.send(head.encode() + b"\r\n" + rest[:most])
        if len(rest) > most:
            await cut(call)

    @property
    def asked(self) -> list[str | None]:
        """The range that each request for a file's content named, those apart that only look."""
        ranges = [call.headers.get("range") for call in self.store.calls]
        return [range for range in ranges if range != "bytes=0-0"]


@pytest.fixture
async def shop() -> AsyncGenerator[Shop]:
    async with standing_in() as hub, standing_in() as store:
        yield Shop(hub, store)


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    """A data folder, and a catalog with the shop's model in it."""
    rows = "".join(
        f'[[model.file]]\nrepo = "{REPO}"\nfile = "tiny-{quant}.gguf"\nquant = "{quant}"\n'
        for quant in ("Q4_K_M", "Q8_0")
    )
    (tmp_path / "models.toml").write_text(
        '[[model]]\nid = "tiny"\nname = "Tiny"\nmaker = "Maker"\nlicense = "MIT"\nweights = "open"\n'
        f'parameters = 0.001\nengines = ["llama.cpp"]\n{rows}'
    )
    return Settings(data_dir=tmp_path / "data", catalog=tmp_path / "models.toml")


async def planned(shop: Shop, home: Settings, name: str, token: str | None = None, **more: Any) -> DownloadPlan:
    downloads = DownloadClient()
    try:
        return await plan_download(name, home, Hub(shop.url, token), downloads, **more)
    finally:
        await downloads.close()


async def briefly(_: float) -> None:
    await asyncio.sleep(0)


async def fetch(
    shop: Shop, home: Settings, name: str, token: str | None = None, sleep: Any = briefly, report: Any = None
) -> Path:
    wanted = await planned(shop, home, name, token)
    hub = Hub(shop.url, token, named=(name,))
    return await install_model(wanted, home.data_dir, hub=hub, sleep=sleep, report=report or (lambda _: None))


def left(home: Settings) -> set[str]:
    return {path.name for path in (home.data_dir / "models").iterdir()}


def part(home: Settings) -> Path:
    return home.data_dir / "models" / f"tiny-Q4_K_M.gguf.{sha(MODEL)[:12]}.part"


@pytest.mark.parametrize("name", ["tiny", f"hf:{REPO}", f"hf:{REPO}:q4_k_m"])
async def test_a_model_is_chosen_fetched_and_checked(shop: Shop, home: Settings, name: str) -> None:
    seen: list[DownloadProgress] = []
    path = await fetch(shop, home, name, report=seen.append)
    assert path == home.data_dir / "models" / "tiny-Q4_K_M.gguf"
    assert path.read_bytes() == MODEL
    eyes = {"mmproj-tiny-Q4_K_M.gguf"} if name.startswith("hf:") else set[str]()  # of the catalog's, `can` tells
    assert left(home) == {path.name} | eyes
    assert list(dict.fromkeys(progress.stage for progress in seen)) == ["download", "check"]
    assert await fetch(shop, home, name) == path
    assert len(shop.asked) == 1 + len(eyes)
    here = installed.installed_models(catalog.load_entries(home.catalog), home.data_dir)
    assert (here["tiny"].size, here["tiny"].kv_bytes_per_token) == (len(MODEL), 128)
    assert (here["tiny"].projector is not None) == bool(eyes)


async def test_what_a_model_of_the_catalog_sees_with_comes_along(shop: Shop, home: Settings) -> None:
    assert home.catalog is not None
    home.catalog.write_text(home.catalog.read_text().replace('id = "tiny"', 'id = "tiny"\ncan = ["vision"]'))
    catalog.load_entries.cache_clear()
    await fetch(shop, home, "tiny")
    assert left(home) == {"tiny-Q4_K_M.gguf", "mmproj-tiny-Q4_K_M.gguf"}
    engine = LocalEngine(home, catalog.starter_entry())
    try:
        assert {model.id: model.vision_pixels for model in await engine.models()}[
            "tiny"
        ] == catalog.DEFAULT_IMAGE_SIDE_PIXELS
    finally:
        await engine.close()
    assert installed.delete_files(catalog.load_entries(home.catalog)["tiny"], home.data_dir) > 0
    assert left(home) == set()


async def test_a_token_goes_to_the_hub_and_not_where_it_sends_us(shop: Shop, home: Settings) -> None:
    shop.gated = True
    assert (await fetch(shop, home, f"hf:{REPO}", TOKEN)).exists()
    assert {call.headers.get("authorization") for call in shop.standin.calls} == {f"Bearer {TOKEN}"}
    assert len(shop.store.calls) > 0
    assert not any("authorization" in call.headers for call in shop.store.calls)


async def test_a_token_goes_to_no_other_address(shop: Shop, home: Settings) -> None:
    await fetch(shop, home, f"{shop.store.url}/blobs/tiny-Q8_0.gguf", TOKEN)
    assert not any("authorization" in call.headers for call in shop.store.calls)


@pytest.mark.parametrize(("token", "said"), [(None, "HF_TOKEN set to it"), ("other", "owner of this HF_TOKEN")])
@pytest.mark.parametrize("name", ["tiny", f"hf:{REPO}"])
async def test_a_gate(shop: Shop, home: Settings, name: str, token: str | None, said: str) -> None:
    shop.gated = True
    with pytest.raises(Forbidden, match=said) as caught:
        await fetch(shop, home, name, token)
    assert "accept" in caught.value.message
    assert REPO in caught.value.message


@pytest.mark.parametrize("name", ["hf:maker/none", "hf:maker/none:Q4_0"])
async def test_a_repository_that_is_not_there(shop: Shop, home: Settings, name: str) -> None:
    with pytest.raises(NotFound, match="has no maker/none"):
        await fetch(shop, home, name)


async def test_a_file_that_is_gone(shop: Shop, home: Settings) -> None:
    shop.standin.routes = {}
    with pytest.raises(NotFound, match="tiny-Q4_K_M"):
        await fetch(shop, home, "tiny")


async def test_a_download_that_breaks_off_goes_on(shop: Shop, home: Settings) -> None:
    shop.pieces = 7
    assert (await fetch(shop, home, "tiny")).read_bytes() == MODEL
    assert len(shop.asked) == 7
    assert None not in shop.asked[1:]


async def test_another_process_takes_up_what_is_there(shop: Shop, home: Settings) -> None:
    (home.data_dir / "models").mkdir(parents=True)
    part(home).write_bytes(MODEL[:100_000])
    old = part(home).with_name("tiny-Q4_K_M.gguf.000000000000.part")
    old.write_bytes(b"of an older version")
    assert (await fetch(shop, home, "tiny")).read_bytes() == MODEL
    assert shop.asked == ["bytes=100000-"]
    assert left(home) == {"tiny-Q4_K_M.gguf"}


async def test_a_part_that_went_wrong_is_fetched_anew(shop: Shop, home: Settings) -> None:
    (home.data_dir / "models").mkdir(parents=True)
    part(home).write_bytes(b"x" * 1000)
    assert (await fetch(shop, home, "tiny")).read_bytes() == MODEL
    assert shop.asked == ["bytes=1000-", None]


async def test_a_hub_that_is_too_busy_is_left_alone_as_long_as_it_asks(shop: Shop, home: Settings) -> None:
    wanted = await planned(shop, home, "tiny")
    shop.busy = [{"Retry_After": "7"}, {}]
    naps: list[float] = []

    async def nap(seconds: float) -> None:
        naps.append(seconds)

    await install_model(wanted, home.data_dir, hub=Hub(shop.url), sleep=nap)
    assert naps == [7.0, RETRY_PAUSES_S[1]]


async def test_a_hub_that_wants_to_be_left_alone_for_long(shop: Shop, home: Settings) -> None:
    wanted = await planned(shop, home, "tiny")
    shop.busy = [{"Retry_After": "3600"}]
    with pytest.raises(ModelMissing, match="asks to wait 60 minutes"):
        await install_model(wanted, home.data_dir, hub=Hub(shop.url), sleep=briefly)


@pytest.mark.parametrize("served", [MODEL[:-1] + b"!", MODEL + b"!", b"GGUF"])
async def test_a_wrong_file_is_not_used(shop: Shop, home: Settings, served: bytes) -> None:
    shop.served = {"tiny-Q4_K_M.gguf": served}
    with pytest.raises(ModelMissing, match="differs"):
        await fetch(shop, home, "tiny")
    assert "tiny-Q4_K_M.gguf" not in left(home)


async def test_a_page_in_place_of_a_model_is_seen_at_once(shop: Shop, home: Settings) -> None:
    shop.served = {"tiny-Q8_0.gguf": b"<!doctype html>" * 9999}
    with pytest.raises(ModelMissing, match="is not a GGUF file"):
        await fetch(shop, home, f"{shop.store.url}/blobs/tiny-Q8_0.gguf")
    assert left(home) == set()


async def test_a_hub_that_is_down(home: Settings) -> None:
    for name in ("tiny", "hf:a/b"):
        downloads = DownloadClient()
        with pytest.raises(ModelMissing, match=r"127.0.0.1 does not answer"):
            await plan_download(name, home, Hub("http://127.0.0.1:9"), downloads)
        await downloads.close()


async def test_a_server_that_is_no_hub(shop: Shop, home: Settings) -> None:
    for body in (b"<html>", b"[]", b"{}", b'{"siblings": [3]}'):
        shop.standin.routes[f"/api/models/{REPO}?blobs=true"] = lambda call, body=body: call.reply(200, body)
        with pytest.raises(ModelMissing, match="does not answer as a hub does"):
            await planned(shop, home, f"hf:{REPO}")


async def test_what_is_set_in_the_environment(shop: Shop, home: Settings) -> None:
    assert Hub.configured(Settings(), {}) == Hub()
    environ = {"HF_ENDPOINT": f"{shop.url}/", "HF_TOKEN": TOKEN, "HF_HUB_OFFLINE": "1"}
    hub = Hub.configured(Settings(), environ)
    assert hub == Hub(shop.url, TOKEN, True)
    assert TOKEN not in repr(hub)
    assert Hub.configured(Settings(hub="http://mirror"), environ).url == "http://mirror"
    for wrong in ("https://huggingface.co:99999", "http://[x"):
        with pytest.raises(SettingsError, match="correct `hub`"):
            Hub.configured(Settings(hub=wrong), {})
    downloads = DownloadClient()
    for name in ("tiny", f"hf:{REPO}", f"{shop.url}/{REPO}/resolve/main/tiny-Q8_0.gguf"):
        with pytest.raises(ModelMissing, match="HF_HUB_OFFLINE"):
            await plan_download(name, home, hub, downloads)
    await downloads.close()
    assert shop.standin.calls == []


@pytest.mark.parametrize("name", ["tiny", "tiny:Q8_0"])
async def test_a_model_that_is_here_needs_no_hub(shop: Shop, home: Settings, name: str) -> None:
    here = await fetch(shop, home, "tiny:Q8_0")
    asked = len(shop.standin.calls)
    hub, downloads = Hub(shop.url, offline=True), DownloadClient()
    wanted = await plan_download(name, home, hub, downloads)
    assert await install_model(wanted, home.data_dir, hub=hub, thorough=True) == here
    with pytest.raises(ModelMissing, match="HF_HUB_OFFLINE"):
        await plan_download("tiny:Q4_K_M", home, hub, downloads)
    here.write_bytes(b"damaged")
    with pytest.raises(ModelMissing, match="HF_HUB_OFFLINE"):
        await install_model(wanted, home.data_dir, hub=hub)
    await downloads.close()
    assert len(shop.standin.calls) == asked


async def test_a_license_that_restricts_has_to_be_accepted(shop: Shop, home: Settings) -> None:
    assert (await planned(shop, home, f"hf:{REPO}")).restricts == ""
    shop.license = "own-terms"
    wanted = await planned(shop, home, f"hf:{REPO}:Q8_0")
    with pytest.raises(LicenseNotAccepted, match="own-terms; read it at"):
        wanted.check_license(accepted=False)
    wanted.check_license(accepted=True)
    shop.license = None
    assert (await planned(shop, home, f"hf:{REPO}:Q8_0")).restricts is None


async def test_a_model_in_parts_comes_whole(shop: Shop, home: Settings) -> None:
    names = installed.shard_names("big-Q4_0-00001-of-00003.gguf")
    contents = [gguf(weights=os.urandom(50_000)) for _ in names]
    shop.files = {f"Q4_0/{name}": content for name, content in zip(names, contents, strict=True)}
    shop.files["Q8_0/big-Q8_0-00002-of-00002.gguf"] = b"GGUF"
    shop.lay_out()
    for name in names:
        shop.standin.routes[f"/{REPO}/resolve/main/Q4_0/{name}"] = lambda call, name=name: call.reply(
            302, Location=f"{shop.store.url}/blobs/{name}"
        )
        shop.store.routes[f"/blobs/{name}"] = shop.blob
    shop.served = dict(zip(names, contents, strict=True))
    shop.files |= shop.served
    path = await fetch(shop, home, f"hf:{REPO}")
    assert path.name == names[0]
    assert [(path.parent / name).read_bytes() for name in names] == contents
    (model,) = installed.installed_models(catalog.load_entries(home.catalog), home.data_dir).values()
    assert (model.entry.id, model.size) == ("big-q4_0", sum(map(len, contents)))
    (path.parent / names[1]).unlink()
    assert installed.installed_models(catalog.load_entries(home.catalog), home.data_dir) == {}


async def test_a_url_of_which_nothing_is_known(shop: Shop, home: Settings) -> None:
    url = f"{shop.store.url}/blobs/tiny-Q8_0.gguf"
    shop.files["tiny-Q8_0.gguf"] = MODEL
    shop.pieces = 3
    wanted = await planned(shop, home, url)
    assert (wanted.size, wanted.files[0].sha256, wanted.restricts) == (len(MODEL), None, None)
    assert (await fetch(shop, home, url)).read_bytes() == MODEL
    tag = shop.store.calls[-1].headers["if-range"]
    assert tag == f'"e-{sha(MODEL)[:8]}"'
    shop.store.routes["/blobs/%2e%2e%2f%00.gguf"] = lambda call: call.reply(200, MODEL)
    shop.store.routes["/blobs/..%2F%00.gguf"] = lambda call: call.reply(200, MODEL)
    for wrong in ("blobs/x.zip", "x-00002-of-00003.gguf", "blobs/%2e%2e%2f%00.gguf"):
        with pytest.raises(InvalidInput):
            await planned(shop, home, f"{shop.store.url}/{wrong}")


async def test_another_file_of_a_catalog_name_is_refused(shop: Shop, home: Settings, tmp_path: Path) -> None:
    assert home.catalog is not None
    facts = f'quant = "Q4_K_M"\nsize = {len(MODEL)}\nsha256 = "{sha(MODEL)}"\n'
    home.catalog.write_text(home.catalog.read_text().replace('quant = "Q4_K_M"\n', facts))
    other = MODEL[:-1] + bytes([MODEL[-1] ^ 1])
    path = tmp_path / "tiny-Q4_K_M.gguf"
    url = f"{shop.store.url}/blobs/{path.name}"
    for content in (MODEL + b"!", other):
        shop.files[path.name] = content
        with pytest.raises(InvalidInput, match="pull tiny, or give this file another name"):
            await planned(shop, home, f"hf:{REPO}:Q4_K_M")
    path.write_bytes(MODEL + b"!")
    with pytest.raises(InvalidInput, match="give this file another name"):
        await planned(shop, home, str(path))
    path.write_bytes(other)
    for name in (str(path), url):  # the size is right, and nobody tells the hash
        with pytest.raises(ModelMissing, match="hash differs"):
            await fetch(shop, home, name)
    assert left(home) == set()
    path.write_bytes(MODEL)
    assert (await fetch(shop, home, str(path))).samefile(path)


async def test_what_is_being_fetched_is_not_removed(shop: Shop, home: Settings) -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def held(call: Call) -> None:
        asked.set()
        await go_on.wait()
        await shop.blob(call)

    wanted = await planned(shop, home, "tiny")
    shop.store.routes["/blobs/tiny-Q4_K_M.gguf"] = held
    pulling = asyncio.create_task(install_model(wanted, home.data_dir, hub=Hub(shop.url)))
    await asked.wait()
    with pytest.raises(Conflict, match="Tiny is being fetched by another Éclair"):
        await remove_model("tiny", home)
    go_on.set()
    await pulling
    assert (await remove_model("tiny", home))[1] == len(MODEL)
    assert left(home) == set()


async def test_one_that_is_cancelled_writes_nothing_more(
    shop: Shop, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncing, go_on = threading.Event(), threading.Event()

    def slow(_: int) -> None:
        syncing.set()
        assert go_on.wait(20)

    monkeypatch.setattr("os.fsync", slow)
    wanted = await planned(shop, home, "tiny")
    pulling = asyncio.create_task(install_model(wanted, home.data_dir, hub=Hub(shop.url)))
    assert await asyncio.to_thread(syncing.wait, 20)
    pulling.cancel()
    await asyncio.sleep(0.05)
    with pytest.raises(Conflict):
        await remove_model("tiny", home)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await pulling
    await remove_model("tiny", home)
    assert left(home) == set()


async def test_a_file_of_unknown_length_leaves_the_disk_its_rest(
    shop: Shop, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def endless(call: Call) -> None:
        await call.send(b"HTTP/1.1 200 X\r\nConnection: close\r\n\r\n" + MODEL)
        with suppress(ConnectionError):
            while True:
                await call.send(bytes(1 << 16))

    free = 12 << 20

    def usage(folder: Path) -> SimpleNamespace:
        return SimpleNamespace(free=free - sum(path.stat().st_size for path in folder.glob("*.part")))

    monkeypatch.setattr("shutil.disk_usage", usage)
    shop.store.routes["/blobs/tiny-Q8_0.gguf"] = endless
    async with asyncio.timeout(20):
        with pytest.raises(ModelMissing, match="no room for the rest of tiny-Q8_0"):
            await fetch(shop, home, f"{shop.store.url}/blobs/tiny-Q8_0.gguf")
    assert left(home) == set()


async def test_a_full_disk_is_said_before(shop: Shop, home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def usage(_: object) -> SimpleNamespace:
        return SimpleNamespace(free=8_500_000)

    monkeypatch.setattr("shutil.disk_usage", usage)
    with pytest.raises(ModelMissing, match=r"needs 8.7 MB and 8.5 MB are free"):
        await fetch(shop, home, "tiny")
    assert shop.asked == []
    assert left(home) == set()


async def test_a_disk_that_fills_meanwhile(shop: Shop, home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ModelMissing, match="no room"):
        await fetch(shop, home, "tiny")
    assert left(home) == {part(home).name}
    monkeypatch.undo()
    await fetch(shop, home, "tiny")
    assert len(shop.asked) == 1


async def test_two_at_once_do_the_work_once(shop: Shop, home: Settings) -> None:
    seen: list[DownloadProgress] = []
    first, second = await asyncio.gather(*(fetch(shop, home, "tiny", report=seen.append) for _ in range(2)))
    assert first == second
    assert DownloadProgress("wait") in seen
    assert len(shop.asked) == 1
    assert left(home) == {"tiny-Q4_K_M.gguf"}


async def test_two_quantisations_the_one_pulled_last_is_used(shop: Shop, home: Settings) -> None:
    small = await fetch(shop, home, "tiny")
    os.utime(small, (1, 1))
    large = await fetch(shop, home, "tiny:Q8_0")
    entry = catalog.load_entries(home.catalog)["tiny"]
    assert installed.model_path(entry, home.data_dir) == large
    os.utime(large, (time.time() - 9, time.time() - 9))
    os.utime(small, (time.time() - 5, time.time() - 5))
    assert installed.model_path(entry, home.data_dir) == small
    part(home).write_bytes(b"x" * 10)
    assert installed.delete_files(entry, home.data_dir) == len(MODEL) * 3 + 10
    assert left(home) == set()
    with pytest.raises(NotFound, match="nothing to remove"):
        installed.delete_files(entry, home.data_dir)


@pytest.mark.parametrize("whole", [False, True])
async def test_a_file_of_this_machine_is_linked_or_copied_and_stays(
    home: Settings, tmp_path: Path, whole: bool, monkeypatch: pytest.MonkeyPatch, shop: Shop
) -> None:
    source = tmp_path / "elsewhere" / "mine.Q4_0.gguf"
    source.parent.mkdir()
    source.write_bytes(MODEL)
    if not whole:

        def elsewhere(*_: object) -> None:
            raise OSError(errno.EXDEV, "Invalid cross-device link")

        monkeypatch.setattr("os.link", elsewhere)
    path = await fetch(shop, home, str(source.parent if whole else source))
    assert path.read_bytes() == source.read_bytes() == MODEL
    assert path.samefile(source) is whole
    assert left(home) == {"mine.Q4_0.gguf"}
    (model,) = installed.installed_models(catalog.load_entries(home.catalog), home.data_dir).values()
    assert (model.entry.id, model.entry.name, model.entry.license) == ("mine.q4_0", "Tiny", "apache-2.0")
    assert installed.delete_files(model.entry, home.data_dir) == (0 if whole else len(MODEL))
    assert source.exists()


async def test_a_file_that_the_catalog_knows_by_its_content_gets_its_name(
    home: Settings, tmp_path: Path, shop: Shop
) -> None:
    known = home.catalog.read_text().replace(
        'quant = "Q8_0"\n', f'quant = "Q8_0"\nsize = {len(MODEL)}\nsha256 = "{sha(MODEL)}"\n'
    )
    settings = Settings(data_dir=home.data_dir, catalog=tmp_path / "known.toml")
    settings.catalog.write_text(known)
    (tmp_path / "download (1).gguf").write_bytes(MODEL)
    plan = await planned(shop, settings, str(tmp_path / "download (1).gguf"))
    assert (plan.entry.id, [file.name for file in plan.files]) == ("tiny", ["tiny-Q8_0.gguf"])
    (tmp_path / "other.gguf").write_bytes(MODEL[:-1] + b"!")
    plan = await planned(shop, settings, str(tmp_path / "other.gguf"))
    assert (plan.entry.id, [file.name for file in plan.files]) == ("other", ["other.gguf"])


async def test_what_is_no_model_of_this_machine(home: Settings, tmp_path: Path, shop: Shop) -> None:
    (tmp_path / "no.gguf").write_bytes(b"no")
    (tmp_path / "half-00001-of-00002.gguf").write_bytes(MODEL)
    for name, said in (
        ("./none.gguf", "There is no file"),
        (str(tmp_path), "it holds half-00001-of-00002.gguf, no.gguf"),
        (str(tmp_path / "no.gguf"), "is not a GGUF file"),
        (str(tmp_path / "half-00001-of-00002.gguf"), "is missing"),
    ):
        with pytest.raises((InvalidInput, ModelMissing), match=said):
            await planned(shop, home, name)
    with pytest.raises(InvalidInput, match="terminal"):
        await planned(shop, home, str(tmp_path / "no.gguf"), local=False)


PULLING = """
import asyncio, sys
from pathlib import Path
from eclair.models.huggingface import Hub
from eclair.models.download_plan import plan_download
from eclair.models.install import install_model
from eclair.settings import Settings
from eclair.network.client import DownloadClient

async def main():
    home = Settings(data_dir=Path(sys.argv[1]), catalog=Path(sys.argv[2]))
    hub, downloads = Hub(sys.argv[3]), DownloadClient()
    wanted = await plan_download("tiny", home, hub, downloads)
    await downloads.close()
    await install_model(wanted, home.data_dir, hub=hub)

asyncio.run(main())
"""


async def test_one_that_was_killed_is_taken_up(shop: Shop, home: Settings) -> None:
    shop.files["tiny-Q4_K_M.gguf"] = content = gguf(weights=os.urandom(3_000_000))
    held = asyncio.Event()

    async def slow(call: Call) -> None:
        if call.headers.get("range") == "bytes=0-0":
            await Shop.blob(shop, call)
            return
        await call.send(b"HTTP/1.1 200 X\r\nContent-Length: %d\r\n\r\n" % len(content) + content[:2_500_000])
        await held.wait()

    shop.store.routes["/blobs/tiny-Q4_K_M.gguf"] = slow
    arguments = [sys.executable, "-c", PULLING, str(home.data_dir), str(home.catalog), shop.url]
    process = await asyncio.create_subprocess_exec(*arguments, stderr=subprocess.DEVNULL)
    name = f"tiny-Q4_K_M.gguf.{sha(content)[:12]}.part"
    async with asyncio.timeout(30):
        while not (path := home.data_dir / "models" / name).exists() or path.stat().st_size < 1_000_000:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    held.set()
    shop.store.routes["/blobs/tiny-Q4_K_M.gguf"] = shop.blob
    assert (await fetch(shop, home, "tiny")).read_bytes() == content
    assert int((shop.asked[-1] or "bytes=0-")[6:-1]) >= 1_000_000
    assert left(home) == {"tiny-Q4_K_M.gguf"}


def test_no_name_matches_another_model(home: Settings) -> None:
    folder = installed.models_folder(home.data_dir)
    folder.mkdir(parents=True)
    (folder / "Tiny.gguf").write_bytes(MODEL)
    (folder / "no.gguf").write_bytes(b"no")
    assert list(installed.installed_models(catalog.load_entries(home.catalog), home.data_dir)) == ["tiny.gguf"]
