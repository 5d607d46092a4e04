"""The signing certificate: made for this installation, or the owner's.

Certificates made here are in a folder beside the vault's secret, readable by its owner: an authority of this
installation, and the signing certificate that it issues. The latter is renewed in time; the authority stays, so that
what was signed before is still recognized as this Éclair's.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from eclair.errors import SettingsError
from eclair.schema.ids import Clock

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

    from eclair.settings import Settings

log = logging.getLogger(__name__)

FOLDER = "marks"
AUTHORITY = "authority.pem"
SIGNING = "signing.pem"

VALIDITY = timedelta(days=10 * 365)
AUTHORITY_VALIDITY = timedelta(days=40 * 365)
RENEWAL_MARGIN = timedelta(days=365)
"""Time before expiry at which a certificate of ours is replaced."""
EXPIRY_WARNING_MARGIN = timedelta(days=60)
"""Time before expiry at which the owner is told about theirs."""


@dataclass(frozen=True, slots=True)
class SigningCertificate:
    """A certificate chain from the signing one upwards, its key (both PEM), and C2PA's name of its algorithm.

    `ours` says that it was made here.
    """

    chain: bytes
    key: bytes
    algorithm: str
    expires: datetime
    ours: bool


@dataclass(frozen=True, slots=True)
class KnownSigners:
    """Signers that are this Éclair: those that its authority vouches for, and the owner's certificate.

    The owner's is identified by its issuers and serial number. Certificates are PEM; missing ones are empty.
    """

    authority: str = ""
    issuers: str = ""
    serial: str = ""


class Certificates:
    """`folder` keeps our certificates; `given` are the owner's certificate and key to use instead."""

    def __init__(self, folder: Path, given: tuple[Path | None, Path | None], clock: Clock = time.time) -> None:
        self._folder = folder
        self._given = given
        self._clock = clock

    @classmethod
    def configured(cls, settings: Settings, clock: Clock = time.time) -> Certificates:
        given = (settings.mark_certificate, settings.mark_key)
        return cls(settings.data_dir / FOLDER, given, clock)

    def signing(self) -> SigningCertificate:
        """Return the signing certificate, made or renewed if that is due. Raises SettingsError."""
        found = self.present()
        if found is not None and not (found.ours and found.expires - self._now() < RENEWAL_MARGIN):
            return found
        with _writable(self._folder):
            if found is None:
                _make(self._folder, self._now())
            else:
                _renew(self._folder, self._now())
        found = self.present()
        assert found is not None
        log.info("Marks are signed until %s with a certificate that was made here.", found.expires.date())
        return found

    def present(self) -> SigningCertificate | None:
        """Return the present certificate, None before its first use. Changes nothing. Raises SettingsError."""
        certificate, key = self._given
        if certificate is not None and key is not None:
            return _checked(_read(certificate), _read(key), certificate, key, self._now(), ours=False)
        if certificate is not None or key is not None:
            missing = "mark_key" if key is None else "mark_certificate"
            raise SettingsError(f"A certificate of one's own has a file and a key's file; set {missing} too.")
        path = self._folder / SIGNING
        if not path.exists() and not (self._folder / AUTHORITY).exists():
            return None
        both = _read(path)
        return _checked(both, both, path, path, self._now(), ours=True)

    def known(self) -> KnownSigners:
        """Return whose signatures are this Éclair's, as far as that can be read."""
        authority = _certificates(_held(self._folder / AUTHORITY))
        leaf, *issuers = _certificates(_held(self._given[0])) or [None]
        return KnownSigners(_joined(authority), _joined(issuers), str(leaf.serial_number) if leaf is not None else "")

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


def _checked(
    chain: bytes, secret: bytes, certificate: Path, key: Path, now: datetime, *, ours: bool
) -> SigningCertificate:
    """Return the certificate if it can sign. Raises SettingsError, naming the file and the remedy."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    remedy = f"remove {certificate.parent}, and another is made" if ours else "see docs/provenance.md"
    try:
        leaf = x509.load_pem_x509_certificates(chain)[0]
    except ValueError as error:
        raise SettingsError(f"{certificate} holds no certificate as PEM; {remedy}.") from error
    try:
        private = serialization.load_pem_private_key(secret, None)
    except (ValueError, TypeError) as error:
        raise SettingsError(f"{key} holds no key as PEM without a password; {remedy}.") from error
    if private.public_key() != leaf.public_key():
        raise SettingsError(f"{key} is not the key of {certificate}; {remedy}.")
    algorithm = _algorithm(private)
    if algorithm is None:
        raise SettingsError(f"{key} is of a kind that C2PA does not sign with; take one on a NIST curve, or Ed25519.")
    expires = leaf.not_valid_after_utc
    if expires <= now and not ours:
        raise SettingsError(f"{certificate} has expired on {expires.date()}; renew it, so that images can be marked.")
    if leaf.not_valid_before_utc > now:
        raise SettingsError(f"{certificate} is valid from {leaf.not_valid_before_utc.date()} on; check the clock.")
    plain = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return SigningCertificate(_joined(_certificates(chain)).encode(), plain, algorithm, expires, ours)


def _algorithm(key: PrivateKeyTypes) -> str | None:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    match key:
        case ec.EllipticCurvePrivateKey():
            return {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}.get(key.curve.name)
        case ed25519.Ed25519PrivateKey():
            return "ed25519"
        case rsa.RSAPrivateKey():
            return "ps256"
        case _:
            return None


def _certificates(pem: bytes) -> list[x509.Certificate]:
    """Return the certificates of a file that may hold a key too; none if it is damaged."""
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        return []


def _joined(certificates: Sequence[x509.Certificate | None]) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding

    return "".join(each.public_bytes(Encoding.PEM).decode() for each in certificates if each is not None)


def _held(path: Path | None) -> bytes:
    """Return a file's bytes; empty if it can't be read."""
    try:
        return path.read_bytes() if path is not None else b""
    except OSError:
        return b""


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise SettingsError(f"{path} is not there, with which marks are signed; put it back.") from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}; check who may read it.") from error


@contextlib.contextmanager
def _writable(folder: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise SettingsError(f"{folder} cannot be written: {error.strerror}; check who may write there.") from error


def _make(folder: Path, now: datetime) -> None:
    """Create an authority and a signing certificate: both or none, never replacing existing ones."""
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    authority = _issue("authority", key, None, now, AUTHORITY_VALIDITY)
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".marks-"))  # with mode 0700
    try:
        _write(fresh / AUTHORITY, _pem(key, authority))
        _write(fresh / SIGNING, _signing(key, authority, now))
        if folder.exists():  # it has other keys
            for name in (SIGNING, AUTHORITY):
                os.link(fresh / name, folder / name)
        else:
            fresh.rename(folder)
    except OSError:
        if not (folder / SIGNING).exists():
            raise
        # another process was faster
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _renew(folder: Path, now: datetime) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    path = folder / AUTHORITY
    pem = _read(path)
    try:
        key = serialization.load_pem_private_key(pem, None)
        authority = x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise SettingsError(f"{path} is damaged; remove {folder}, and another is made.") from error
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    _write(folder / SIGNING, _signing(key, authority, now))


def _signing(key: ec.EllipticCurvePrivateKey, authority: x509.Certificate, now: datetime) -> bytes:
    """Return a fresh key, and its certificate with the authority's."""
    from cryptography.hazmat.primitives.asymmetric import ec

    fresh = ec.generate_private_key(ec.SECP256R1())
    return _pem(fresh, _issue("marks", fresh, (key, authority), now, VALIDITY), authority)


def _issue(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    by: tuple[ec.EllipticCurvePrivateKey, x509.Certificate] | None,
    now: datetime,
    lasts: timedelta,
) -> x509.Certificate:
    """Issue a certificate as C2PA requires: one that signs or, without `by`, an authority.

    It names no person, no machine and no place.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Éclair"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"Éclair {name} {x509.random_serial_number() >> 128:08x}"),
        ]
    )
    signer, issuer = (key, subject) if by is None else (by[0], by[1].subject)
    usage = dict.fromkeys(_USAGES, False) | dict.fromkeys(("key_cert_sign", "crl_sign"), by is None)
    built = (
        x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # clocks differ
        .not_valid_after(now + lasts)
        .add_extension(x509.BasicConstraints(by is None, 0 if by is None else None), critical=True)
        .add_extension(x509.KeyUsage(**usage | {"digital_signature": by is not None}), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if by is not None:
        usages = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        built = built.add_extension(usages, critical=False)
    return built.sign(signer, hashes.SHA256())


_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def _pem(key: ec.EllipticCurvePrivateKey, *certificates: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives import serialization

    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return secret + b"".join(each.public_bytes(serialization.Encoding.PEM) for each in certificates)


def _write(path: Path, data: bytes) -> None:
    """Write the file in full or not at all, readable by its owner."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")  # with mode 0600
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(name, path)
