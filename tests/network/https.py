"""HTTPS servers on loopback that speak HTTP/2, or that say any bytes where they were to, and an authority for them."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import h2.exceptions
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from h2.settings import SettingCodes

from eclair.network.client import Browser, Door
from eclair.network.policy import Rules
from tests.llm.standin import StandIn
from tests.network.gates import Names, Rows


@dataclass(frozen=True, slots=True)
class Authority:
    """Vouches for `page.test` and `other.test`."""

    certificates: Path
    server: Path

    @classmethod
    def made(cls, folder: Path) -> Authority:
        root, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "The tests' authority")])
        top = _certificate(name, root.public_key(), name, root, x509.BasicConstraints(ca=True, path_length=0))
        names = x509.SubjectAlternativeName([x509.DNSName("page.test"), x509.DNSName("other.test")])
        leaf = _certificate(x509.Name([]), key.public_key(), name, root, names)
        here = cls(folder / "authority.pem", folder / "server.pem")
        pem = serialization.Encoding.PEM
        here.certificates.write_bytes(top.public_bytes(pem))
        plain = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        here.server.write_bytes(plain + leaf.public_bytes(pem))
        return here

    def context(self, *protocols: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server)
        context.set_alpn_protocols(protocols)
        return context


def _certificate(
    subject: x509.Name,
    public: ec.EllipticCurvePublicKey,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    more: x509.BasicConstraints | x509.SubjectAlternativeName,
) -> x509.Certificate:
    now = datetime.now(UTC)
    uses = {
        "digital_signature": True,
        "content_commitment": False,
        "key_encipherment": False,
        "data_encipherment": False,
        "key_agreement": False,
        "key_cert_sign": isinstance(more, x509.BasicConstraints),
        "crl_sign": False,
        "encipher_only": False,
        "decipher_only": False,
    }
    return (
        x509.CertificateBuilder(issuer, subject, public, x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(more, critical=True)
        .add_extension(x509.KeyUsage(**uses), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


@dataclass
class Ask:
    """A request by HTTP/2, and the way to answer it."""

    talk: Talk
    stream: int
    headers: Mapping[str, str]

    async def head(self, *headers: tuple[str, str], status: str = "200", end: bool = False) -> None:
        self.talk.state.send_headers(self.stream, [(":status", status), *headers], end_stream=end)
        await self.talk.flush()

    async def data(self, data: bytes, *, end: bool = False) -> None:
        """As much as the client takes, waiting for that."""
        while data or end:
            room = min(self.talk.state.local_flow_control_window(self.stream), 16 << 10)
            if data and not room:
                self.talk.room.clear()
                await self.talk.room.wait()
                continue
            part, data = data[:room], data[room:]
            self.talk.state.send_data(self.stream, part, end_stream=end and not data)
            await self.talk.flush()
            if not data:
                return

    async def reply(self, body: bytes, *headers: tuple[str, str], status: str = "200") -> None:
        await self.head(*headers, status=status)
        await self.data(body, end=True)

    async def say(self, data: bytes) -> None:
        """Bytes that need be no HTTP/2."""
        await self.talk.flush()
        self.talk.writer.write(data)
        await self.talk.writer.drain()


Answer = Callable[[Ask], Awaitable[None]]


@dataclass
class Talk:
    """A connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    state: h2.connection.H2Connection = field(
        default_factory=lambda: h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=False,
                header_encoding="utf-8",
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
    )
    room: asyncio.Event = field(default_factory=asyncio.Event)

    async def flush(self) -> None:
        self.writer.write(self.state.data_to_send())
        await self.writer.drain()

    def close(self) -> None:
        self.writer.close()


@dataclass
class Server:
    """Answers by path; remembers connections, requests, and the streams that were reset, each with the code."""

    authority: Authority
    port: int = 0
    routes: dict[str, Answer] = field(default_factory=dict[str, Answer])
    talks: list[Talk] = field(default_factory=list[Talk])
    asked: list[Ask] = field(default_factory=list[Ask])
    resets: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    older: StandIn = field(default_factory=StandIn)
    """Who answers where HTTP/1.1 was agreed on."""
    settings: dict[SettingCodes, int] = field(default_factory=dict[SettingCodes, int])
    tasks: list[asyncio.Task[None] | None] = field(default_factory=list[asyncio.Task[None] | None])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tasks.append(asyncio.current_task())
        with contextlib.suppress(OSError):  # however the client leaves
            encryption: ssl.SSLObject = writer.get_extra_info("ssl_object")
            if encryption.selected_alpn_protocol() == "h2":
                await self._serve(Talk(reader, writer))
            else:
                await self.older.serve(reader, writer)

    async def _serve(self, talk: Talk) -> None:
        self.talks.append(talk)
        talk.state.initiate_connection()
        if self.settings:
            talk.state.update_settings({**self.settings})
        answers: list[asyncio.Task[None]] = []
        try:
            await talk.flush()
            while data := await talk.reader.read(1 << 16):
                for event in talk.state.receive_data(data):
                    answers += self._heard(talk, event)
                await talk.flush()
        except h2.exceptions.ProtocolError:  # for a client with which an attack has got on badly
            pass
        finally:
            for answer in answers:
                answer.cancel()
            talk.close()
            await asyncio.gather(*answers, return_exceptions=True)

    def _heard(self, talk: Talk, event: h2.events.Event) -> Sequence[asyncio.Task[None]]:
        match event:
            case h2.events.RequestReceived(headers=headers, stream_id=stream):
                ask = Ask(talk, stream, {str(name): str(value) for name, value in headers or ()})
                self.asked.append(ask)
                return [asyncio.ensure_future(self._answer(ask))]
            case h2.events.StreamReset(stream_id=stream, error_code=code):
                self.resets.append((stream or 0, int(code or 0)))
            case h2.events.DataReceived(flow_controlled_length=length, stream_id=stream):
                talk.state.acknowledge_received_data(length or 0, stream or 0)
            case h2.events.WindowUpdated():
                talk.room.set()
            case _:
                pass
        return []

    async def _answer(self, ask: Ask) -> None:
        with contextlib.suppress(OSError, h2.exceptions.ProtocolError):
            await self.routes[ask.headers[":path"]](ask)


@dataclass
class Home:
    server: Server
    browser: Browser
    rows: Rows
    names: Names


@asynccontextmanager
async def serving(
    authority: Authority, *protocols: str, settings: Mapping[SettingCodes, int] | None = None, trusted: bool = True
) -> AsyncGenerator[Home]:
    """A server and a browser for which it is the one private service; `trusted` is whether its authority is known."""
    server = Server(authority, settings=dict(settings or {}))
    context = authority.context(*(protocols or ("h2", "http/1.1")))
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=context)
    server.port = listener.sockets[0].getsockname()[1]
    rows, names = Rows(), Names(server.port)
    door = Door(Rules("open", (), frozenset({("127.0.0.1", server.port)})), rows)
    browser = Browser(door, resolver=names, certificates=str(authority.certificates) if trusted else None)
    try:
        yield Home(server, browser, rows, names)
    finally:
        await browser.close()
        listener.close()
        for talk in (*server.talks, *server.older.calls):
            talk.writer.transport.abort()
        await asyncio.gather(*filter(None, server.tasks))
