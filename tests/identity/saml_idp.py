"""An identity provider of SAML, just large enough to sign what a test wants signed."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from signxml.algorithms import CanonicalizationMethod
from signxml.signer import XMLSigner

from eclair.identity.saml_xml import SamlElement, etree, parse_xml

ISSUER = "https://idp.example/metadata"
SIGN_IN = "https://idp.example/sso"
ENTITY = "http://127.0.0.1:1/api/sign-in/firm/metadata"
CONSUMER = "http://127.0.0.1:1/api/sign-in/firm/callback"
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
NAMESPACES = 'xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"'


def new_certificate(until: timedelta = timedelta(days=1)) -> tuple[rsa.RSAPrivateKey, str]:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "idp")])
    now = datetime.now(UTC)
    building = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    building = building.serial_number(1).not_valid_before(now - timedelta(days=9)).not_valid_after(now + until)
    certificate = building.sign(key, hashes.SHA256())
    return key, certificate.public_bytes(serialization.Encoding.PEM).decode()


def read_request(address: str) -> SamlElement:
    query = parse_qs(urlsplit(address).query)
    return parse_xml(zlib.decompress(base64.b64decode(query["SAMLRequest"][0]), wbits=-15))


@dataclass
class SamlIdp:
    """Says that `subject` signed in. What it says can be changed before it signs."""

    key: rsa.RSAPrivateKey
    certificate: str
    subject: str = "person-1"
    format: str = PERSISTENT
    issuer: str = ISSUER
    sign_in_url: str = SIGN_IN
    audience: str | None = ENTITY
    recipient: str = CONSUMER
    destination: str = CONSUMER
    request: str | None = "_request"
    id: str = "_assertion"
    begins: timedelta = timedelta(seconds=-5)
    ends: timedelta = timedelta(minutes=5)
    status: str = "urn:oasis:names:tc:SAML:2.0:status:Success"
    attributes: dict[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])

    def metadata(self) -> str:
        lines = "".join(self.certificate.splitlines()[1:-1])
        return (
            f'<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{self.issuer}">'
            '<IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">'
            '<KeyDescriptor use="signing"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data>'
            f"<X509Certificate>{lines}</X509Certificate></X509Data></KeyInfo></KeyDescriptor>"
            '<SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" '
            f'Location="{self.sign_in_url}"/></IDPSSODescriptor></EntityDescriptor>'
        )

    def assertion(self) -> str:
        now = datetime.now(UTC)
        begins, ends = (f"{now + each:%Y-%m-%dT%H:%M:%S.1234567Z}" for each in (self.begins, self.ends))
        asked = "" if self.request is None else f' InResponseTo="{self.request}"'
        audience = self.audience and (
            f"<saml:AudienceRestriction><saml:Audience>{self.audience}</saml:Audience></saml:AudienceRestriction>"
        )
        attributes = "".join(
            f'<saml:Attribute Name="{name}">'
            + "".join(f"<saml:AttributeValue>{value}</saml:AttributeValue>" for value in values)
            + "</saml:Attribute>"
            for name, values in self.attributes.items()
        )
        return (
            f'<saml:Assertion {NAMESPACES} ID="{self.id}" Version="2.0" IssueInstant="{begins}">'
            f"<saml:Issuer>{self.issuer}</saml:Issuer><saml:Subject>"
            f'<saml:NameID Format="{self.format}">{self.subject}</saml:NameID>'
            '<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData'
            f'{asked} Recipient="{self.recipient}" NotOnOrAfter="{ends}"/></saml:SubjectConfirmation></saml:Subject>'
            f'<saml:Conditions NotBefore="{begins}" NotOnOrAfter="{ends}">{audience or ""}</saml:Conditions>'
            f'<saml:AuthnStatement AuthnInstant="{begins}" SessionIndex="s1"/>'
            f"<saml:AttributeStatement>{attributes}</saml:AttributeStatement></saml:Assertion>"
        )

    def response(self, inside: str) -> str:
        return (
            f'<samlp:Response {NAMESPACES} ID="_response" Version="2.0" Destination="{self.destination}">'
            f"<saml:Issuer>{self.issuer}</saml:Issuer>"
            f'<samlp:Status><samlp:StatusCode Value="{self.status}"/></samlp:Status>{inside}</samlp:Response>'
        )

    def sign(self, xml: str) -> str:
        signer: Any = XMLSigner(c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0)
        root = etree.fromstring(xml)
        signed = signer.sign(root, key=self.key, cert=self.certificate, reference_uri=f"#{root.get('ID')}")
        return str(etree.tostring(signed, encoding="unicode"))

    def signed_response(self) -> str:
        return self.response(self.sign(self.assertion()))


def encode(xml: str) -> str:
    return base64.b64encode(xml.encode()).decode()
