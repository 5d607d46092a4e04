"""Signed tokens of OpenID Connect: the provider's keys, and the checks that a token must pass to be believed."""

from __future__ import annotations

import hmac
import time
from collections.abc import Awaitable, Callable

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key
from joserfc.jws import JWSRegistry

from eclair.errors import IdentityUnverified
from eclair.identity.provider_claims import JSON, as_list, as_number, as_object
from eclair.schema.ids import Clock

CLOCK_SKEW_S = 60
"""Difference between the provider's clock and ours that is borne."""
REFETCH_AFTER_S = 5.0
"""Pause between two looks for new keys, so that forged tokens can't make us ask all the time."""
KEYS_LAST_S = 3600.0
MAX_TOKEN_BYTES = 1 << 20

ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"}
)
"""Signatures by a private key; those by a shared secret, and none at all, are refused whatever the token says."""
_KEY_TYPES = {"R": "RSA", "P": "RSA", "E": "EC"}


class ProviderKeys:
    """The keys of a provider, fetched when needed, and again when a token names one that isn't there."""

    def __init__(self, fetch: Callable[[], Awaitable[JSON]], clock: Clock = time.time) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys: list[Key] = []
        self._fetched = float("-inf")

    async def read_claims(self, token: str) -> JSON:
        """Return the claims of a token whose signature is the provider's. Raises IdentityUnverified."""
        header = _read_header(token)
        algorithm = header.get("alg")
        if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
            raise IdentityUnverified(f"The token is signed with {str(algorithm)[:40]!r}, which isn't accepted.")
        if self._clock() - self._fetched > KEYS_LAST_S:
            await self._renew()
        candidates = self._candidates(header, algorithm)
        if not candidates and self._clock() - self._fetched > REFETCH_AFTER_S:
            await self._renew()
            candidates = self._candidates(header, algorithm)
        for key in candidates:
            if (claims := _verify(token, key, algorithm)) is not None:
                return claims
        raise IdentityUnverified("The token's signature is not by a key of the provider.")

    async def count(self) -> int:
        """Fetch the keys again, and return how many can be used."""
        await self._renew()
        return len(self._keys)

    def _candidates(self, header: JSON, algorithm: str) -> list[Key]:
        """Return the keys that may have signed a token: the one that it names, or all that fit if it names none."""
        kind = "OKP" if algorithm.startswith("Ed") else _KEY_TYPES[algorithm[0]]
        kid = header.get("kid")
        return [
            key
            for key in self._keys
            if key.key_type == kind and (kid is None or key.kid == kid) and key.alg in (None, algorithm)
        ]

    async def _renew(self) -> None:
        document = await self._fetch()
        self._fetched = self._clock()
        entries = as_list(document.get("keys")) or []
        self._keys = [key for entry in entries if (key := _import_key(as_object(entry))) is not None]


def check_claims(claims: JSON, issuer: str, client: str, now: float) -> None:
    """Check for whom, by whom and when a token was made. Raises IdentityUnverified."""
    audience = claims.get("aud")
    audiences = [audience] if isinstance(audience, str) else as_list(audience) or []
    if claims.get("iss") != issuer:
        raise IdentityUnverified("The token was made by another provider.")
    if client not in audiences:
        raise IdentityUnverified("The token was made for another program than Éclair.")
    if (len(audiences) > 1 and "azp" not in claims) or claims.get("azp", client) != client:
        raise IdentityUnverified("The token was made for several programs, and not at Éclair's request.")
    expires = as_number(claims.get("exp"))
    if expires is None or expires <= now - CLOCK_SKEW_S:
        raise IdentityUnverified("The token has expired; check that both clocks are right.")
    for name in ("iat", "nbf"):
        begins = as_number(claims.get(name, 0))
        if begins is None or begins > now + CLOCK_SKEW_S:
            raise IdentityUnverified("The token is of the future; check that both clocks are right.")
    if "iat" not in claims:
        raise IdentityUnverified("The token doesn't say when it was made.")


def check_nonce(claims: JSON, nonce: str) -> None:
    """Check that a token was made for the sign-in that we began. Raises IdentityUnverified."""
    given = claims.get("nonce")
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), nonce.encode()):
        raise IdentityUnverified("The token belongs to another sign-in.")


def read_subject(claims: JSON) -> str:
    """Return whom a token is about. Raises IdentityUnverified."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= 255:
        raise IdentityUnverified("The token doesn't say whom it is about.")
    return subject


def _read_header(token: str) -> JSON:
    if len(token) > MAX_TOKEN_BYTES:
        raise IdentityUnverified("The token is too long.")
    try:
        header: JSON = jws.extract_compact(token.encode(), registry=_registry()).headers()
    except (JoseError, ValueError) as error:
        raise IdentityUnverified("The token can't be read.") from error
    return header


def _verify(token: str, key: Key, algorithm: str) -> JSON | None:
    try:
        payload = jws.deserialize_compact(token.encode(), key, [algorithm], _registry()).payload
        claims = orjson.loads(payload or b"")
    except (JoseError, ValueError):
        return None
    return as_object(claims)


def _import_key(entry: JSON | None) -> Key | None:
    """Return a key for signatures; None for what is none, such as one for encryption or of a new kind."""
    if entry is None or entry.get("use", "sig") != "sig" or entry.get("kty") == "oct":
        return None
    try:
        return JWKRegistry.import_key(entry)
    except (JoseError, ValueError, TypeError, KeyError):
        return None


def _registry() -> JWSRegistry:
    registry = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
    registry.max_header_length = 16_384
    registry.max_payload_length = MAX_TOKEN_BYTES
    return registry
