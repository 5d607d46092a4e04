"""OpenID Connect: authorization code flow with PKCE, state and nonce; userinfo; logout in both directions."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote_plus, urlencode, urlsplit

from eclair.errors import (
    IdentityMisconfigured,
    IdentityUnavailable,
    IdentityUnverified,
    SettingsError,
    SignInDenied,
    SignInExpired,
)
from eclair.identity.admission import admit, has_second_step
from eclair.identity.provider_claims import JSON, as_list, as_names, as_number, as_object, as_text, find_claim
from eclair.identity.provider_client import ProviderClient
from eclair.identity.signed_tokens import CLOCK_SKEW_S, ProviderKeys, check_claims, check_nonce, read_subject
from eclair.identity_settings import OidcSettings
from eclair.network.client import OutboundGate, is_loopback_url
from eclair.schema.ids import Clock
from eclair.schema.people import ProvidedIdentity
from eclair.util.lru import LruCache

METADATA_LASTS_S = 3600.0
LOGOUT_TOKEN_LASTS_S = 300
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
MAX_LOGOUT_TOKENS = 10_000


@dataclass(frozen=True, slots=True)
class ProviderMetadata:
    """A provider's description of itself, as far as it is needed."""

    issuer: str
    authorization: str
    token: str
    keys: str
    userinfo: str | None
    end_session: str | None
    auth_methods: tuple[str, ...]
    names_issuer: bool


@dataclass(frozen=True, slots=True)
class OidcSignIn:
    """An identity, and the token that says so, by which the provider knows its session when it is to end."""

    identity: ProvidedIdentity
    id_token: str


@dataclass(frozen=True, slots=True)
class LogoutNotice:
    """A provider's word that sessions have ended: one of its own, or all of a person."""

    issuer: str
    subject: str | None
    provider_session: str | None


class OidcProvider:
    """One provider, as the settings describe it. `name` is for people to read."""

    def __init__(
        self, name: str, settings: OidcSettings, secret: str | None, gate: OutboundGate, clock: Clock = time.time
    ) -> None:
        if settings.issuer.startswith("http://") and not is_loopback_url(settings.issuer):
            raise SettingsError(f"The issuer of {name} is {settings.issuer}, which is unencrypted; use https://.")
        if "openid" not in settings.scopes:
            raise SettingsError(f"The scopes of {name} lack `openid`; add it.")
        if settings.needs_groups and settings.groups_claim is None and settings.roles_claim is None:
            raise SettingsError(
                f"{name} has `allowed_groups` or `roles`, but no claim that tells groups; set `groups_claim`."
            )
        self.name = name
        self.settings = settings
        self._secret = secret
        self._clock = clock
        self._client = ProviderClient(name, settings.issuer, gate, settings.ca_file)
        self._metadata: ProviderMetadata | None = None
        self._metadata_read = float("-inf")
        self._keys = ProviderKeys(self._fetch_keys, clock)
        self._logout_tokens: LruCache[str, bool] = LruCache(MAX_LOGOUT_TOKENS)

    async def begin(self, redirect_uri: str, state: str, nonce: str, verifier: str) -> str:
        """Return the address at the provider to which a browser is sent. Raises IdentityUnavailable and the like."""
        metadata = await self._read_metadata()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(self.settings.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return _with_query(metadata.authorization, query)

    async def finish(self, reply: Mapping[str, str], redirect_uri: str, nonce: str, verifier: str) -> OidcSignIn:
        """Return who has signed in, by what the provider sent the browser back with.

        Raises SignInDenied, SignInExpired, NotAdmitted, and IdentityUnverified, IdentityUnavailable and
        IdentityMisconfigured for what is wrong with the provider.
        """
        metadata = await self._read_metadata()
        if reply.get("iss", metadata.issuer) != metadata.issuer or ("iss" not in reply and metadata.names_issuer):
            raise IdentityUnverified("The reply came from another provider than the one that was asked.")
        if "error" in reply:
            raise self._explain_refusal(reply["error"])
        tokens = await self._trade_code(metadata, reply.get("code", ""), redirect_uri, verifier)
        id_token = tokens.get("id_token")
        if not isinstance(id_token, str):
            raise IdentityUnverified(f"{self.name} sent no ID token.")
        claims = await self._keys.read_claims(id_token)
        check_claims(claims, metadata.issuer, self.settings.client_id, self._clock())
        check_nonce(claims, nonce)
        claims = await self._add_userinfo(metadata, claims, tokens.get("access_token"))
        return OidcSignIn(self._identify(metadata, claims), id_token)

    async def read_logout_token(self, token: str) -> LogoutNotice:
        """Return which sessions the provider says have ended. Raises IdentityUnverified, also for one sent before."""
        metadata = await self._read_metadata()
        claims = await self._keys.read_claims(token)
        now = self._clock()
        check_claims({"exp": now + CLOCK_SKEW_S, **claims}, metadata.issuer, self.settings.client_id, now)
        events = as_object(claims.get("events")) or {}
        if as_object(events.get(LOGOUT_EVENT)) is None or "nonce" in claims:
            raise IdentityUnverified("The token is no logout token.")
        if (as_number(claims["iat"]) or 0) < now - LOGOUT_TOKEN_LASTS_S:
            raise IdentityUnverified("The logout token is too old; check that both clocks are right.")
        subject, session, id = claims.get("sub"), claims.get("sid"), claims.get("jti")
        if not isinstance(id, str) or not (isinstance(subject, str) or isinstance(session, str)):
            raise IdentityUnverified("The logout token doesn't say whose sessions have ended.")
        if self._logout_tokens.get(id):
            raise IdentityUnverified("The logout token was sent before.")
        self._logout_tokens.put(id, True)
        return LogoutNotice(
            f"oidc:{metadata.issuer}",
            subject if isinstance(subject, str) else None,
            session if isinstance(session, str) else None,
        )

    async def logout_url(self, id_token: str | None, back: str) -> str | None:
        """Return the address at which the provider ends its own session; None where it has none."""
        metadata = await self._read_metadata()
        if metadata.end_session is None:
            return None
        query = {"client_id": self.settings.client_id, "post_logout_redirect_uri": back}
        return _with_query(metadata.end_session, query | ({"id_token_hint": id_token} if id_token else {}))

    async def probe(self) -> tuple[int, float | None]:
        """Ask the provider for its description and keys; return how many keys fit, and how far its clock is ahead.

        Raises IdentityUnavailable, IdentityMisconfigured and IdentityUnverified.
        """
        self._metadata = None
        await self._read_metadata()
        keys = await self._keys.count()
        if keys == 0:
            raise IdentityMisconfigured(f"{self.name} publishes no key that its tokens could be checked with.")
        return keys, None if self._client.date is None else self._client.date - self._clock()

    async def close(self) -> None:
        await self._client.close()

    async def _read_metadata(self) -> ProviderMetadata:
        if self._metadata is None or self._clock() - self._metadata_read > METADATA_LASTS_S:
            address = self.settings.issuer.rstrip("/") + "/.well-known/openid-configuration"
            self._metadata = self._parse_metadata(await self._client.get(address))
            self._metadata_read = self._clock()
        return self._metadata

    def _parse_metadata(self, found: JSON) -> ProviderMetadata:
        issuer = found.get("issuer")
        if not isinstance(issuer, str) or issuer.rstrip("/") != self.settings.issuer.rstrip("/"):
            raise IdentityMisconfigured(
                f"{self.name} calls itself {str(issuer)[:200]}, the settings {self.settings.issuer}; correct `issuer`."
            )
        methods = as_list(found.get("token_endpoint_auth_methods_supported"))
        return ProviderMetadata(
            issuer=issuer,
            authorization=self._endpoint(found, "authorization_endpoint"),
            token=self._endpoint(found, "token_endpoint"),
            keys=self._endpoint(found, "jwks_uri"),
            userinfo=self._endpoint(found, "userinfo_endpoint") if found.get("userinfo_endpoint") else None,
            end_session=self._endpoint(found, "end_session_endpoint") if found.get("end_session_endpoint") else None,
            auth_methods=("client_secret_basic",) if methods is None else tuple(map(str, methods)),
            names_issuer=found.get("authorization_response_iss_parameter_supported") is True,
        )

    def _endpoint(self, found: JSON, field: str) -> str:
        address = found.get(field)
        if not isinstance(address, str) or not urlsplit(address).netloc:
            raise IdentityMisconfigured(f"{self.name} doesn't say its {field}; check that `issuer` is right.")
        if not address.startswith("https://") and not is_loopback_url(address):
            raise IdentityMisconfigured(f"The {field} of {self.name} is unencrypted; have it use https://.")
        return address

    async def _fetch_keys(self) -> JSON:
        return await self._client.get((await self._read_metadata()).keys)

    async def _trade_code(self, metadata: ProviderMetadata, code: str, redirect_uri: str, verifier: str) -> JSON:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        headers: dict[str, str] = {}
        if self._secret is not None and "client_secret_basic" in metadata.auth_methods:
            login = f"{quote_plus(self.settings.client_id)}:{quote_plus(self._secret)}"
            headers["Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
        else:
            form["client_id"] = self.settings.client_id
            form |= {} if self._secret is None else {"client_secret": self._secret}
        status, tokens = await self._client.post_form(metadata.token, urlencode(form).encode(), headers)
        if status != 200 or "error" in tokens:
            raise self._explain_refusal(str(tokens.get("error", status)))
        return tokens

    def _explain_refusal(self, code: str) -> Exception:
        match code:
            case "access_denied" | "login_required" | "consent_required" | "interaction_required":
                return SignInDenied(f"{self.name} didn't let you in, or you stopped; try again.")
            case "invalid_grant":
                return SignInExpired("This sign-in took too long or was used already; sign in again.")
            case "server_error" | "temporarily_unavailable":
                return IdentityUnavailable(f"{self.name} is out of order; try again later.")
            case _:
                return IdentityMisconfigured(
                    f"{self.name} refuses Éclair ({code[:60]!r}); check its client, secret and redirect address."
                )

    async def _add_userinfo(self, metadata: ProviderMetadata, claims: JSON, access_token: object) -> JSON:
        """Add what only userinfo says of the person; the ID token counts where both say something."""
        wanted = {self.settings.name_claim, "name", "email"}
        wanted |= {name for name in (self.settings.groups_claim, self.settings.roles_claim) if name is not None}
        is_told = all(find_claim(claims, name) is not None for name in wanted)
        if metadata.userinfo is None or is_told or not isinstance(access_token, str):
            return claims
        told = await self._client.get(metadata.userinfo, access_token)
        if told.get("sub") != read_subject(claims):
            raise IdentityUnverified(f"{self.name} told of another person than the one who signed in.")
        return {**told, **claims}

    def _identify(self, metadata: ProviderMetadata, claims: JSON) -> ProvidedIdentity:
        settings = self.settings
        subject = read_subject(claims)
        email, name = as_text(claims.get("email")), as_text(find_claim(claims, settings.name_claim))
        groups = self._read_names(claims, settings.groups_claim)
        roles = self._read_names(claims, settings.roles_claim)
        configured = ((settings.groups_claim, groups), (settings.roles_claim, roles))
        is_told = all(claim is None or names is not None for claim, names in configured)
        methods = as_list(claims.get("amr")) or ()
        ways = (as_text(claims.get("acr")), *map(as_text, methods))
        given = " ".join(filter(None, (as_text(claims.get("given_name")), as_text(claims.get("family_name")))))
        verified = claims.get("email_verified") in (True, "true") or settings.verified_emails
        identity = ProvidedIdentity(
            issuer=f"oidc:{metadata.issuer}",
            subject=subject,
            name=name or email or subject,
            display_name=as_text(claims.get("name")) or given or name or email or subject,
            email=email,
            email_verified=email is not None and verified,
            groups=groups,
            provider_session=as_text(claims.get("sid")),
            used_second_step=has_second_step(settings, ways),
        )
        return admit(self.name, settings, identity, {*(groups or ()), *(roles or ())}, is_told=is_told)

    def _read_names(self, claims: JSON, claim: str | None) -> tuple[str, ...] | None:
        """Return the names in a claim; None where the provider leaves open which they are.

        Raises IdentityMisconfigured where there are too many to be told, and they decide on access or role.
        """
        if claim is None:
            return None
        names = as_names(find_claim(claims, claim))
        if names is not None:
            return names
        has_more = claim == self.settings.groups_claim and claims.get("hasgroups")
        if has_more or claim in (as_object(claims.get("_claim_names")) or {}):
            if self.settings.needs_groups:
                raise IdentityMisconfigured(
                    f"You are in more groups than {self.name} tells; have it name only groups assigned to Éclair."
                )
            return None
        return None if self.settings.missing_claims == "keep" else ()


def _with_query(address: str, query: Mapping[str, str]) -> str:
    return f"{address}{'&' if urlsplit(address).query else '?'}{urlencode(query)}"
