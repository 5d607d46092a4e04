"""Metadata of SAML: reads an identity provider's, and writes ours."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit
from xml.sax.saxutils import quoteattr

from cryptography import x509

from eclair.errors import SettingsError
from eclair.identity.saml_xml import parse_xml

METADATA = "{urn:oasis:names:tc:SAML:2.0:metadata}"
SIGNATURE = "{http://www.w3.org/2000/09/xmldsig#}"
PROTOCOL = "urn:oasis:names:tc:SAML:2.0:protocol"
REDIRECT_BINDING = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
POST_BINDING = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"


@dataclass(frozen=True, slots=True)
class SamlIssuer:
    """An identity provider: its name for itself, where people are sent, and the certificates (PEM) it signs with.

    `expires` is until when the metadata and one of the certificates count.
    """

    entity_id: str
    sign_in_url: str
    certificates: tuple[str, ...]
    expires: float = float("inf")


def read_metadata(name: str, file: Path) -> SamlIssuer:
    """Read the metadata of the provider that people know as `name`. Blocks. Raises SettingsError."""
    try:
        root = parse_xml(file.read_bytes())
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}; check `metadata_file` of {name}.") from error
    except ValueError as error:
        raise SettingsError(f"{file} is no metadata of SAML ({error}); check `metadata_file` of {name}.") from error
    found = [root] if root.tag == f"{METADATA}EntityDescriptor" else root.findall(f"{METADATA}EntityDescriptor")
    entities = [each for each in found if each.find(f"{METADATA}IDPSSODescriptor") is not None]
    if len(entities) != 1:
        raise SettingsError(f"{file} describes {len(entities)} identity providers; it should describe {name} alone.")
    descriptor = entities[0].find(f"{METADATA}IDPSSODescriptor")
    assert descriptor is not None
    services = descriptor.findall(f"{METADATA}SingleSignOnService")
    urls = [each.get("Location") or "" for each in services if each.get("Binding") == REDIRECT_BINDING]
    certificates = tuple(
        _as_pem(text)
        for key in descriptor.findall(f"{METADATA}KeyDescriptor")
        if key.get("use") in (None, "signing")
        for text in (each.text for each in key.iter(f"{SIGNATURE}X509Certificate"))
        if text
    )
    entity_id = entities[0].get("entityID")
    if not entity_id or not urls or not urlsplit(urls[0]).netloc or not certificates:
        raise SettingsError(
            f"{file} lacks the provider's entityID, its address for HTTP-Redirect or its certificate; export it again."
        )
    try:
        ends = [x509.load_pem_x509_certificate(each.encode()).not_valid_after_utc for each in certificates]
        until = [
            datetime.fromisoformat(text)
            for element in (entities[0], descriptor)
            if (text := element.get("validUntil")) is not None
        ]
    except ValueError as error:
        raise SettingsError(f"{file} has a certificate or a date that can't be read; export it again.") from error
    moments = [max(ends), *(each if each.tzinfo is not None else each.replace(tzinfo=UTC) for each in until)]
    return SamlIssuer(entity_id, urls[0], certificates, min(moments).timestamp())


def write_metadata(entity_id: str, consumer_url: str) -> bytes:
    """Write our description of ourselves, for the provider."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" '
        f"entityID={quoteattr(entity_id)}>"
        f'<SPSSODescriptor AuthnRequestsSigned="false" WantAssertionsSigned="true" '
        f'protocolSupportEnumeration="{PROTOCOL}">'
        f'<AssertionConsumerService Binding="{POST_BINDING}" Location={quoteattr(consumer_url)} '
        'index="0" isDefault="true"/></SPSSODescriptor></EntityDescriptor>\n'
    ).encode()


def _as_pem(text: str) -> str:
    try:
        lines = base64.encodebytes(base64.b64decode("".join(text.split()), validate=True)).decode()
    except ValueError:
        return ""
    return f"-----BEGIN CERTIFICATE-----\n{lines}-----END CERTIFICATE-----\n"
