"""HTTPS servers on loopback, and an authority for them."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from eclair.network.client import OutboundGate, WebClient
from eclair.network.policy import OutboundPolicy
from tests.llm.standin import StandIn
from tests.network.gates import Names, Rows

NAMES = (x509.DNSName("page.test"), x509.DNSName("other.test"))


@dataclass(frozen=True, slots=True)
class Authority:
    """Vouches for `page.test` and `other.test`, or for other names."""

    certificates: Path
    server: Path

    @classmethod
    def made(cls, folder: Path, names: Sequence[x509.GeneralName] = NAMES) -> Authority:
        root, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "The tests' authority")])
        top = _certificate(name, root.public_key(), name, root, x509.BasicConstraints(ca=True, path_length=0))
        leaf = _certificate(x509.Name([]), key.public_key(), name, root, x509.SubjectAlternativeName(names))
        here = cls(folder / "authority.pem", folder / "server.pem")
        pem = serialization.Encoding.PEM
        here.certificates.write_bytes(top.public_bytes(pem))
        plain = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        here.server.write_bytes(plain + leaf.public_bytes(pem))
        return here

    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server)
        context.set_alpn_protocols(["h2", "http/1.1"])
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
class Home:
    standin: StandIn
    browser: WebClient
    rows: Rows
    names: Names


@asynccontextmanager
async def serving(authority: Authority, *, trusted: bool = True) -> AsyncGenerator[Home]:
    """A server and a browser for which it is the one private service; `trusted` is whether its authority is known."""
    standin = StandIn()
    tasks: list[asyncio.Task[None] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.current_task())
        with contextlib.suppress(OSError):  # however the client leaves
            await standin.serve(reader, writer)

    listener = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=authority.context())
    port = listener.sockets[0].getsockname()[1]
    rows, names = Rows(), Names(port)
    gate = OutboundGate(OutboundPolicy("open", (), frozenset({("127.0.0.1", port)})), rows)
    browser = WebClient(gate, resolver=names, certificates=str(authority.certificates) if trusted else None)
    try:
        yield Home(standin, browser, rows, names)
    finally:
        await browser.close()
        listener.close()
        for call in standin.calls:
            call.writer.transport.abort()
        await asyncio.gather(*filter(None, tasks))
