"""Signatures of SAML: finds the one assertion of a response as it was signed, and nothing else of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from eclair.errors import IdentityUnverified
from eclair.identity.saml_metadata import PROTOCOL, SIGNATURE
from eclair.identity.saml_xml import SamlElement, etree

ASSERTION_TAG = "{urn:oasis:names:tc:SAML:2.0:assertion}Assertion"
RESPONSE_TAG = f"{{{PROTOCOL}}}Response"
ID_ATTRIBUTES = frozenset({"id", "{http://www.w3.org/xml/1998/namespace}id"})
TRANSFORMS = frozenset(
    {
        "http://www.w3.org/2000/09/xmldsig#enveloped-signature",
        "http://www.w3.org/2001/10/xml-exc-c14n#",
        "http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
    }
)
METHODS = ("RSA_SHA256", "RSA_SHA384", "RSA_SHA512", "ECDSA_SHA256", "ECDSA_SHA384", "ECDSA_SHA512")
MALFORMED = (ValueError, TypeError, AttributeError, LookupError)
"""Errors of the verifier where a part of a signature is missing, or of the wrong kind."""
DIGESTS = ("SHA256", "SHA384", "SHA512")


def find_signed(root: SamlElement, certificates: Sequence[str]) -> SamlElement:
    """Return the assertion of a response from what the verifier says was signed. Raises IdentityUnverified."""
    assertions = [each for each in root.iter() if _local_name(each) == "Assertion"]
    if len(assertions) != 1 or assertions[0].tag != ASSERTION_TAG or assertions[0].getparent() is not root:
        raise IdentityUnverified("The response must hold one assertion, and nothing that looks like another.")
    _refuse_repeated_ids(root)
    signatures = list(root.iter(f"{SIGNATURE}Signature"))
    parents = [each.getparent() for each in signatures]
    if not signatures or any(parent is not root and parent is not assertions[0] for parent in parents):
        raise IdentityUnverified("The response isn't signed where it must be: at itself or at the assertion.")
    if len(set(map(id, parents))) != len(parents):
        raise IdentityUnverified("The response is signed twice in one place.")
    signer = assertions[0] if any(parent is assertions[0] for parent in parents) else root
    signed = _verify(root, signer, certificates)
    if signer is assertions[0]:
        return signed
    found = [each for each in signed if each.tag == ASSERTION_TAG]
    if len(found) != 1:
        raise IdentityUnverified("The signed response must hold one assertion.")
    return found[0]


def _verify(root: SamlElement, element: SamlElement, certificates: Sequence[str]) -> SamlElement:
    """Return an element as its own signature covers it, by one of the certificates."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from signxml.algorithms import DigestAlgorithm, SignatureMethod
    from signxml.exceptions import SignXMLException
    from signxml.verifier import SignatureConfiguration, XMLVerifier

    signature = element.find(f"{SIGNATURE}Signature")
    assert signature is not None
    references = list(signature.iter(f"{SIGNATURE}Reference"))
    if len(references) != 1 or references[0].get("URI") != f"#{element.get('ID')}" or not element.get("ID"):
        raise IdentityUnverified("The signature covers something else than it stands in.")
    if any(each.get("Algorithm") not in TRANSFORMS for each in signature.iter(f"{SIGNATURE}Transform")):
        raise IdentityUnverified("The signature changes what it covers in a way that isn't accepted.")
    configuration = SignatureConfiguration(
        location="./" if element is root else f"./{ASSERTION_TAG}/",
        expect_references=1,
        signature_methods=frozenset(SignatureMethod[name] for name in METHODS),
        digest_algorithms=frozenset(DigestAlgorithm[name] for name in DIGESTS),
    )
    fault = "it has no certificate"
    for certificate in certificates:
        try:
            result = XMLVerifier().verify(root, x509_cert=certificate, expect_config=configuration)
        except (SignXMLException, UnsupportedAlgorithm, etree.LxmlError, *MALFORMED) as error:
            fault = str(error)[:200]
            continue
        signed = cast("SamlElement | None", None if isinstance(result, list) else result.signed_xml)
        if signed is None or signed.tag != element.tag or signed.get("ID") != element.get("ID"):
            raise IdentityUnverified("The signature covers something else than it stands in.")
        return signed
    raise IdentityUnverified(f"The response is not signed by the provider: {fault.rstrip('.')}.")


def _refuse_repeated_ids(root: SamlElement) -> None:
    ids = [value for each in root.iter() for name, value in each.attrib.items() if _is_id(str(name))]
    if len(ids) != len(set(ids)):
        raise IdentityUnverified("Two elements of the response have one ID.")


def _is_id(name: str) -> bool:
    return name.lower() in ID_ATTRIBUTES


def _local_name(element: SamlElement) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
