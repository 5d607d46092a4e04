"""What the web may try: addresses in every disguise, and servers that never end, lie, or burst. None gets through, none
holds the server up, and each leaves a sentence and a row."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import ipaddress
import tracemalloc
import zlib
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.errors import Refused
from eclair.network.client import BrokenReply, OutboundGate, ReplyTooLarge, TimedOut, Unreachable, WebClient
from eclair.network.policy import OutboundPolicy
from eclair.network.ssrf import check_url, is_public
from eclair.settings import Settings
from tests.llm.standin import Call, standing_in
from tests.network.gates import CONTEXT, Rows, house

ADDRESSES = [
    # loopback, as it is written and as it is not
    "http://127.0.0.1/",
    "http://127.0.0.1:8642/api/preferences",
    "http://localhost/",
    "http://LOCALHOST./",
    "http://a.localhost/",
    "http://127.1/",
    "http://127.0.1/",
    "http://127.255.255.254/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.0x0.0x0.0x1/",
    "http://0x7f.1/",
    "http://0177.0.0.1/",
    "http://0177.0.0.01/",
    "http://017700000001/",
    "http://127.0.0.1./",
    "http://127.0.0.01/",
    "http://127.0x1/",
    "http://0/",
    "http://0.0.0.0/",
    "http://①②⑦.⓪.⓪.①/",
    "http://127。0。0。1/",
    "http://１２７.０.０.１/",
    "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/",
    "http://loc\u00adalhost/",
    "http://127.0.0.1%2eexample.org/",
    "http://%31%32%37.0.0.1/",
    "http://127%2e0%2e0%2e1/",
    # loopback by IPv6
    "http://[::1]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[::]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::127.0.0.1]/",
    "http://[::ffff:0:127.0.0.1]/",
    "http://[64:ff9b::127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b:1::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[2001:0:7f00:1::1]/",
    # the network that one is in
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://192.168.1.1/",
    "http://100.64.0.1/",
    "http://198.18.0.1/",
    "http://192.0.0.1/",
    "http://192.0.2.1/",
    "http://[fd00::1]/",
    "http://[fc00::1]/",
    "http://[fec0::1]/",
    "http://[fe80::1]/",
    "http://[fe80::1%25lo]/",
    "http://[64:ff9b::10.0.0.1]/",
    "http://[2002:c0a8:101::1]/",
    "http://[::ffff:192.168.1.1]/",
    # those who tell machines their secrets
    "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
    "http://2852039166/latest/meta-data/",
    "http://0xa9fea9fe/",
    "http://0xA9.0xFE.0xA9.0xFE/",
    "http://[::ffff:169.254.169.254]/",
    "http://[fd00:ec2::254]/",
    "http://100.100.100.200/latest/meta-data/",
    "http://168.63.129.16/machine?comp=goalstate",
    "http://192.0.0.192/opc/v1/instance/",
    "http://[64:ff9b::a9fe:a9fe]/",
    # many, none, and what is kept for later
    "http://224.0.0.1/",
    "http://239.255.255.250:1900/",
    "http://255.255.255.255/",
    "http://240.0.0.1/",
    "http://[ff02::1]/",
    "http://[2001:db8::1]/",
    "http://192.88.99.1/",
    # other schemes
    "file:///etc/passwd",
    "file://localhost/etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "dict://127.0.0.1:11211/stat",
    "ftp://example.org/",
    "ldap://127.0.0.1/",
    "jar:http://127.0.0.1!/",
    "data:text/html,hello",
    "javascript:alert(1)",
    "blob:http://example.org/1",
    "view-source:http://example.org/",
    "unix:///var/run/docker.sock",
    "//127.0.0.1/",
    "127.0.0.1/",
    "",
    # logins, ports, and what two readers read differently
    "http://example.org@127.0.0.1/",
    "http://user:secret@example.org/",
    "http://example.org:pass@127.0.0.1:22/",
    "http://127.0.0.1#@example.org/",
    "http://127.0.0.1\\@example.org/",
    "http://example.org\\.127.0.0.1/",
    "http:\\\\127.0.0.1\\",
    "http:///127.0.0.1/",
    "http:127.0.0.1/",
    "http://example.org\t.127.0.0.1/",
    "http://exa\nmple.org/",
    "http://example.org /",
    "http://example.org:22/",
    "http://example.org:25/",
    "http://example.org:6379/",
    "http://example.org:6667/",
    "http://example.org:0x50/",
    "http://example.org:99999/",
    "http://example.org:-1/",
    "http://[::1/",
    "http://[127.0.0.1]/",
    "http://[v1.a]/",
    "http://-example.org/",
    "http://example..org/",
    "http://exa mple.org/",
    "http://example.org%00.127.0.0.1/",
    "http://example.org%0d%0aHost:%20evil/",
    "http://" + "a" * 64 + ".org/",
    "http://" + "a." * 200 + "org/",
    "http://example.org/" + "a" * 9000,
    "http://\u202eexample.org/",
    "http://xn--/" + "\x00",
]


@pytest.mark.parametrize("url", ADDRESSES)
async def test_no_address_gets_through_in_disguise(url: str) -> None:
    async with house() as home:
        with pytest.raises(Refused) as refused:
            async with home.browser.get(url, CONTEXT):
                pass
        assert home.standin.calls == []
        assert home.names.asked == []
        (row,) = home.rows.calls
        assert (row.verdict, row.reason, row.sent) == ("refused", refused.value.message, 0)
        assert refused.value.message.endswith(".")
        assert len(refused.value.message) < 300
        assert "secret" not in refused.value.message
        assert "secret" not in str(row.url)


LEADING_IN = {
    "loopback": ["127.0.0.1"],
    "mapped": ["::ffff:127.0.0.1"],
    "private": ["10.0.0.5"],
    "link-local": ["fe80::1%2"],
    "metadata": ["169.254.169.254"],
    "carrier": ["100.64.1.1"],
    "one-of-two": ["93.184.215.14", "127.0.0.1"],
    "last-of-three": ["93.184.215.14", "2606:2800:21f:cb07::1", "fd00::1"],
    "nat64": ["64:ff9b::a00:1"],
    "sixtofour": ["2002:7f00:1::"],
    "multicast": ["224.0.0.251"],
    "nowhere": ["0.0.0.0"],
}


@pytest.mark.parametrize("name", LEADING_IN)
async def test_no_name_leads_in(name: str) -> None:
    host = f"{name}.example"
    async with house(names={host: LEADING_IN[name]}) as home:
        for url in (f"http://{host}/", f"https://{host}/", f"http://{host}:8080/"):
            with pytest.raises(Refused, match="private_addresses"):
                async with home.browser.get(url, CONTEXT):
                    pass
        assert {row.verdict for row in home.rows.calls} == {"refused"}


async def test_a_name_that_moves_is_called_where_it_was_checked() -> None:
    """Rebinding: the second answer leads in. What was checked is called; what was not checked is not."""
    async with house() as home:
        home.standin.routes["/"] = lambda call: call.reply(200, b"checked", Connection="close")
        async with home.browser.get("http://moving.test/", CONTEXT) as reply:
            assert await reply.body() == b"checked"
        assert home.names.asked == ["moving.test"]
        home.names.names = {"moving.test": ["127.0.0.1"]}  # with the port of the URL, which is nobody's private service
        again = WebClient(
            OutboundGate(OutboundPolicy("open", (), frozenset({("127.0.0.1", home.port)}))), resolver=home.names
        )
        with pytest.raises(Refused):
            async with again.get("http://moving.test/", CONTEXT):
                pass
        await again.close()


@pytest.mark.parametrize(
    "to",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://127.0.0.1/",
        "//127.0.0.1/",
        "http://0x7f.1/",
        "http://[::1]/",
        "http://user:secret@page.test/",
        "file:///etc/passwd",
        "gopher://page.test/",
        "javascript:alert(1)",
        "http://page.test:6379/",
        "http://inner.example/",
        "http://[::1",
    ],
)
async def test_no_redirect_leads_in(to: str) -> None:
    async with house(names={"inner.example": ["10.1.2.3"]}) as home:
        home.standin.routes["/"] = lambda call: call.reply(302, Location=to)
        with pytest.raises(Refused):
            async with home.browser.get("http://page.test/", CONTEXT):
                pass
        assert [row.verdict for row in home.rows.calls] == ["passed", "refused"]
        assert len(home.standin.calls) == 1


async def test_a_key_does_not_follow_a_redirect_to_another_server() -> None:
    async with house() as home:
        home.standin.routes["/"] = lambda call: call.reply(302, Location="http://other.test/there")
        home.standin.routes["/there"] = lambda call: call.reply(200, b"x")
        headers = {"X-Key": "secret", "Authorization": "Bearer secret", "Accept-Language": "de"}
        async with home.browser.get("http://page.test/", CONTEXT, headers=headers) as reply:
            assert reply.url == "http://other.test/there"
        first, second = (call.headers for call in home.standin.calls)
        assert first["x-key"] == "secret"
        assert "x-key" not in second
        assert "authorization" not in second
        assert second["accept-language"] == "de"
        assert "cookie" not in second


async def _endless(call: Call) -> None:
    await call.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        await call.send(b"10000\r\n" + b"a" * 65536 + b"\r\n")


async def _slow(call: Call) -> None:
    await call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        await call.send(b"a")
        await asyncio.sleep(0.01)


async def _slow_head(call: Call) -> None:
    await call.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        await call.send(b"X-More: a\r\n")
        await asyncio.sleep(0.02)


async def _silent(call: Call) -> None:
    await call.gone()


async def _huge_header(call: Call) -> None:
    await call.send(b"HTTP/1.1 200 OK\r\nX-Huge: ")
    for _ in range(1 << 10):  # a GiB, if anybody took it
        await call.send(b"a" * (1 << 20))


async def _many_headers(call: Call) -> None:
    await call.send(b"HTTP/1.1 200 OK\r\n")
    for at in range(1 << 20):
        await call.send(b"X-%d: a\r\n" % at * 100)


async def _huge_status(call: Call) -> None:
    await call.send(b"HTTP/1.1 200 " + b"a" * (1 << 20))


def _said(data: bytes) -> Callable[[Call], Awaitable[None]]:
    async def answer(call: Call) -> None:
        await call.send(data)
        call.writer.close()

    return answer


def _packed(body: bytes, encoding: str) -> Callable[[Call], Awaitable[None]]:
    return lambda call: call.reply(200, body, Content_Encoding=encoding)


def _bomb(size: int) -> bytes:
    return gzip.compress(bytes(size))


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
SERVERS: list[tuple[str, Callable[[Call], Awaitable[None]], type[Exception]]] = [
    ("an endless stream", _endless, ReplyTooLarge),
    ("a drop at a time", _slow, TimedOut),
    ("a header at a time", _slow_head, TimedOut),
    ("silence", _silent, TimedOut),
    ("a header of a GiB", _huge_header, BrokenReply),
    ("headers without an end", _many_headers, BrokenReply),
    ("a status line of a MiB", _huge_status, BrokenReply),
    (
        "a length beyond the limit",
        lambda call: call.reply(200, b"", Content_Length="99999999999999999999"),
        BrokenReply,
    ),
    ("a long body, announced", _said(b"HTTP/1.1 200 OK\r\nContent-Length: 5000000000\r\n\r\na"), ReplyTooLarge),
    ("two lengths", _said(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 5\r\n\r\nabcde"), BrokenReply),
    ("a length below zero", _said(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nabcde"), BrokenReply),
    ("length and chunks", _said(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n" + CHUNKED[17:] + b"zz\r\n"), BrokenReply),
    ("a chunk that is no number", _said(CHUNKED + b"zz\r\nabc\r\n0\r\n\r\n"), BrokenReply),
    ("a chunk below zero", _said(CHUNKED + b"-5\r\nabcde\r\n0\r\n\r\n"), BrokenReply),
    ("a chunk of 2^64", _said(CHUNKED + b"ffffffffffffffffff\r\nabc"), BrokenReply),
    ("a chunk without its end", _said(CHUNKED + b"3\r\nabcdefgh\r\n0\r\n\r\n"), BrokenReply),
    ("chunks that stop", _said(CHUNKED + b"5\r\nabc"), BrokenReply),
    ("a body that stops", _said(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nabc"), BrokenReply),
    ("no HTTP", _said(b"SSH-2.0-OpenSSH_9.9\r\n\r\n"), BrokenReply),
    ("nothing", _said(b""), Unreachable),
    ("zeros", _said(bytes(4096)), BrokenReply),
    ("a gzip bomb", _packed(_bomb(64 << 20), "gzip"), ReplyTooLarge),
    ("a deflate bomb", _packed(zlib.compress(bytes(64 << 20)), "deflate"), ReplyTooLarge),
    ("a bomb in many members", _packed(_bomb(1 << 20) * 64, "gzip"), ReplyTooLarge),
    ("no gzip at all", _packed(b"hello" * 100, "gzip"), BrokenReply),
    ("half a gzip", _packed(gzip.compress(bytes(range(256)) * 64)[:100], "gzip"), BrokenReply),
    ("a packing that was not asked for", _packed(b"\x28\xb5\x2f\xfd" + bytes(64), "zstd"), BrokenReply),
    ("itself, again and again", lambda call: call.reply(302, Location="/"), BrokenReply),
]


@pytest.mark.parametrize(("answer", "fault"), [row[1:] for row in SERVERS], ids=[row[0] for row in SERVERS])
async def test_no_server_holds_us_up(answer: Callable[[Call], Awaitable[None]], fault: type[Exception]) -> None:
    async with house() as home:
        home.standin.routes["/"] = answer
        tracemalloc.start()
        try:
            with pytest.raises(fault) as raised:
                async with home.browser.get("http://page.test/", CONTEXT, timeout_s=0.5, max_bytes=1 << 20) as reply:
                    await reply.body()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 48 << 20
        assert str(raised.value).startswith(("page.test ", "The reply of page.test "))
        assert str(raised.value).endswith(".")
        last = home.rows.calls[-1]
        assert last.verdict == ("passed" if "redirected" in str(raised.value) else "failed")
        assert last.reason is None or last.reason == str(raised.value)


async def test_what_is_packed_is_unpacked() -> None:
    text = b"hello " * 1000
    raw = zlib.compressobj(wbits=-15)
    async with house() as home:
        home.standin.routes = {
            "/gzip": _packed(gzip.compress(text), "gzip"),
            "/twice": _packed(gzip.compress(text[:3000]) + gzip.compress(text[3000:]) + b"garbage", "gzip"),
            "/deflate": _packed(zlib.compress(text), "deflate"),
            "/raw": _packed(raw.compress(text) + raw.flush(), "deflate"),
            "/empty": _packed(b"", "gzip"),
        }
        for path in home.standin.routes:
            async with home.browser.get(f"http://page.test{path}", CONTEXT) as reply:
                assert await reply.body() == (b"" if path == "/empty" else text)
            assert path == "/empty" or 0 < home.rows.calls[-1].received == reply.received < len(text)


async def test_nothing_opens_loopback_beyond_what_is_named() -> None:
    """Neither a setting, nor a header, nor a URL, nor a proxy of the environment; only the very host and port."""
    async with standing_in() as secret, standing_in() as meant:
        secret.routes["/"] = meant.routes["/"] = lambda call: call.reply(200, b"served")
        port, own = (int(one.url.rpartition(":")[2]) for one in (secret, meant))
        for policy in ("offline", "listed", "eu", "open"):
            settings = Settings(
                egress=policy,
                egress_hosts=("127.0.0.1", "localhost"),
                allowed_hosts=("127.0.0.1",),
                private_addresses=(f"127.0.0.1:{own}",),
            )
            browser = WebClient(OutboundGate(OutboundPolicy.from_settings(settings), Rows()))
            async with browser.get(f"http://127.0.0.1:{own}/", CONTEXT) as reply:
                assert await reply.body() == b"served"
            headers = {"Host": f"127.0.0.1:{own}", "X-Forwarded-Host": f"127.0.0.1:{own}", "Forwarded": "for=127.0.0.1"}
            for url in (f"http://127.0.0.1:{port}/", f"http://localhost:{port}/", f"http://127.1:{port}/"):
                for given in (None, headers):
                    with pytest.raises(Refused):
                        async with browser.get(url, CONTEXT, headers=given):
                            pass
                    with pytest.raises(Refused):
                        async with browser.post(url, b"x", CONTEXT, headers=given):
                            pass
            await browser.close()
        assert secret.calls == []


async def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with house() as home, standing_in() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        home.standin.routes["/"] = lambda call: call.reply(200, b"direct")
        async with home.browser.get("http://page.test/", CONTEXT) as reply:
            assert await reply.body() == b"direct"
        assert proxy.calls == []


@given(st.integers(0, 2**32 - 1))
def test_an_address_is_as_open_in_ipv6_as_in_ipv4(number: int) -> None:
    address = ipaddress.IPv4Address(number)
    assert is_public(ipaddress.ip_address(f"64:ff9b::{address}")) == is_public(address)
    for hidden in (f"::ffff:{address}", f"::{address}", f"64:ff9b:1::{address}"):
        assert not is_public(ipaddress.ip_address(hidden))
    assert not is_public(ipaddress.IPv6Address((0x2002 << 112) | (number << 80)))


@given(st.text(max_size=60))
def test_whatever_is_typed_is_an_address_or_refused(text: str) -> None:
    for url in (text, f"http://{text}", f"https://{text}/x?{text}"):
        with contextlib.suppress(Refused):
            found = check_url(url)
            assert found == check_url(found.url)
            assert found.scheme in ("http", "https")
            assert found.host.isascii()


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("https://www.tagesschau.de", "https://www.tagesschau.de/"),
        ("HTTPS://Example.ORG:443/a?b=c#d", "https://example.org/a?b=c"),
        ("http://bücher.example/ü?q=ä", "http://xn--bcher-kva.example/ü?q=ä"),
        ("https://example.org:8443/", "https://example.org:8443/"),
        ("http://1.1.1.1/", "http://1.1.1.1/"),
        ("http://[2606:4700:4700::1111]/", "http://[2606:4700:4700::1111]/"),
        ("http://my_site.example.org/", "http://my_site.example.org/"),
        (" https://example.org/a ", "https://example.org/a"),
    ],
)
def test_what_is_of_the_open_web_passes(url: str, read: str) -> None:
    assert check_url(url).url == read
