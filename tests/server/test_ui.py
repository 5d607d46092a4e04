"""The page's files, as a browser is sent them."""

from __future__ import annotations

import re

import pytest

from tests.support import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_what_the_page_begins_with_comes_packed_to_those_who_take_it(server: Server) -> None:
    page = (await server.get("/")).raw.decode()
    needed = re.findall(r'(?:src|href)="(/assets/[^"]+)"', page)
    assert [name.rsplit(".", 1)[1] for name in needed] == ["js", "js", "js", "css"]
    for name in needed:
        plain = await server.get(name, {"Accept-Encoding": "identity"})
        packed = await server.get(name, {"Accept-Encoding": "gzip, br"})
        assert "Content-Encoding" not in plain.headers
        assert packed.headers["Content-Encoding"] == "gzip"
        for reply in (plain, packed):
            assert reply.headers["Vary"] == "Accept-Encoding"
            assert re.match(r"(text|application)/(javascript|css)", reply.headers["Content-Type"])
        assert packed.raw == plain.raw  # the client unpacks it
        is_tiny = len(plain.raw) < 1000  # the loader of the other scripts
        assert int(packed.headers["Content-Length"]) < len(plain.raw) / (1 if is_tiny else 2)
