"""A hub that stands in for one, in a thread of its own, and a server whose models come from there."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.browser.served import Served
from tests.llm.standin import Call, standing_in
from tests.models.gguf_files import gguf
from tests.models.test_huggingface import REPO, Shop

WEIGHTS = 3_000_000
ROWS = f"""
[[model]]
id = "tiny"
name = "Tiny"
maker = "Maker"
country = "FR"
license = "Own"
restricts = "Research only."
weights = "open"
parameters = 0.005
languages = ["de", "fr"]
can = ["tools"]
card = "https://hub.example/tiny"
[[model.file]]
repo = "{REPO}"
file = "tiny-Q4_K_M.gguf"
quant = "Q4_K_M"
[[model.file]]
repo = "{REPO}"
file = "tiny-Q8_0.gguf"
quant = "Q8_0"
[[model]]
id = "huge"
name = "Huge"
maker = "Maker"
country = "FR"
license = "MIT"
weights = "open"
parameters = 100000
[[model.file]]
repo = "a/huge"
file = "huge-Q4_0.gguf"
quant = "Q4_0"
"""


class Market:
    """What a test changes about the hub, safely from its own thread."""

    def __init__(self, shop: Shop, served: Served, loop: asyncio.AbstractEventLoop) -> None:
        self.shop = shop
        self.served = served
        self._loop = loop
        self._going = asyncio.Event()
        model = gguf(weights=b"\x07" * WEIGHTS)
        shop.files.update({"tiny-Q4_K_M.gguf": model, "tiny-Q8_0.gguf": model + b"more"})
        shop.lay_out()

    def hold(self) -> None:
        """Send a third of each file, and the rest when told to go on."""
        for name in self.shop.files:
            self.shop.store.routes[f"/blobs/{name}"] = self._held

    def go_on(self) -> None:
        self._loop.call_soon_threadsafe(self._going.set)

    async def _held(self, call: Call) -> None:
        content = self.shop.files[call.path.rpartition("/")[2]]
        if call.headers.get("range") == "bytes=0-0" or self._going.is_set():
            await self.shop.blob(call)
            return
        head = f"HTTP/1.1 200 X\r\nContent-Length: {len(content)}\r\n\r\n".encode()
        await call.send(head + content[: len(content) // 3])
        gone = asyncio.create_task(call.gone())
        going = asyncio.create_task(self._going.wait())
        await asyncio.wait([gone, going], return_when=asyncio.FIRST_COMPLETED)
        if not gone.done():
            await call.send(content[len(content) // 3 :])
        for task in (gone, going):
            task.cancel()


@contextmanager
def opened(folder: Path, rows: str = "", **settings: str) -> Generator[Market]:
    """A market, and its server at work. `rows` are more of the catalog."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    stands = [standing_in(), standing_in()]
    hub, store = (asyncio.run_coroutine_threadsafe(stand.__aenter__(), loop).result() for stand in stands)
    catalog = folder / "models.toml"
    catalog.write_text(ROWS + rows)
    served = Served(folder, ECLAIR_EMBEDDED="true", ECLAIR_HUB=hub.url, ECLAIR_CATALOG=str(catalog), **settings)
    served.start()
    try:
        yield Market(Shop(hub, store), served, loop)
    finally:
        served.close()
        for stand in stands:
            asyncio.run_coroutine_threadsafe(stand.__aexit__(None, None, None), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
