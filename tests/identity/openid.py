"""An OpenID provider that does what a true one does: PKCE, codes that count once, keys that change, logout."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

JSON = dict[str, Any]
CLIENT = "eclair"
SECRET = "a secret / with: signs"
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"


def new_key(kid: str = "1") -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig", "alg": "RS256"})


class OpenIdProvider:
    """Signs `person` in without asking. What it says can be changed, and how it signs."""

    def __init__(self) -> None:
        self.url = ""
        self.key: RSAKey | ECKey = new_key()
        self.published: list[RSAKey | ECKey] = [self.key]
        self.algorithm = "RS256"
        self.person: JSON = {"sub": "u1", "preferred_username": "ada", "name": "Ada L.", "email": "ada@example.eu"}
        self.userinfo: JSON = {}
        self.change: Callable[[JSON], JSON] = dict
        self.sign: Callable[[JSON], str] = self.sign_truly
        self.metadata: JSON = {}
        self.is_down = False
        self.denies = False
        self.asked: list[str] = []
        self._codes: dict[str, dict[str, str]] = {}
        self._tokens: set[str] = set()

    def rotate(self, kid: str) -> None:
        self.key = new_key(kid)
        self.published = [self.key]

    def sign_truly(self, claims: JSON) -> str:
        return jwt.encode({"alg": self.algorithm, "kid": self.key.kid}, claims, self.key, [self.algorithm])

    def logout_token(self, **claims: Any) -> str:
        now = int(time.time())
        base: JSON = {
            "iss": self.url,
            "aud": CLIENT,
            "iat": now,
            "jti": secrets.token_hex(8),
            "events": {LOGOUT_EVENT: {}},
        }
        return self.sign({name: value for name, value in (base | claims).items() if value is not None})

    def authorize(self, address: str) -> str:
        """Do what a person's browser and the provider's pages do; return the address that leads back."""
        query = dict(parse_qsl(urlsplit(address).query))
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        back = {"state": query["state"], "iss": self.url}
        if self.denies:
            back["error"] = "access_denied"
        else:
            back["code"] = secrets.token_hex(8)
            self._codes[back["code"]] = query
        return f"{query['redirect_uri']}?{urlencode(back)}"

    @asynccontextmanager
    async def serving(self, host: str = "127.0.0.1") -> AsyncGenerator[None]:
        app = web.Application(middlewares=[self._watch])
        app.router.add_get("/.well-known/openid-configuration", self._metadata)
        app.router.add_get("/authorize", self._authorize)
        app.router.add_get("/logout", self._end_session)
        app.router.add_get("/keys", self._keys)
        app.router.add_post("/token", self._token)
        app.router.add_get("/userinfo", self._userinfo)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://{host}:{runner.addresses[0][1]}"
        try:
            yield
        finally:
            await runner.cleanup()

    @web.middleware
    async def _watch(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked.append(request.path)
        if self.is_down:
            return web.Response(status=503)
        response: web.StreamResponse = await handler(request)
        response.force_close()  # of several servers in a process, the first to end would find the others' connections
        return response

    async def _metadata(self, _: web.Request) -> web.Response:
        found = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "end_session_endpoint": f"{self.url}/logout",
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            "authorization_response_iss_parameter_supported": True,
        }
        return web.json_response(found | self.metadata)

    async def _end_session(self, request: web.Request) -> web.Response:
        assert request.query["client_id"] == CLIENT
        assert request.query["id_token_hint"]
        return web.Response(status=303, headers={"Location": request.query["post_logout_redirect_uri"]})

    async def _authorize(self, request: web.Request) -> web.Response:
        return web.Response(status=303, headers={"Location": self.authorize(str(request.url))})

    async def _keys(self, _: web.Request) -> web.Response:
        return web.json_response({"keys": [key.as_dict(private=False) for key in self.published]})

    async def _token(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        login = base64.b64encode(f"{CLIENT}:a+secret+%2F+with%3A+signs".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {login}":
            return web.json_response({"error": "invalid_client"}, status=401)
        query = self._codes.pop(form["code"], None)
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if query is None or query["code_challenge"] != challenge or query["redirect_uri"] != form["redirect_uri"]:
            return web.json_response({"error": "invalid_grant"}, status=400)
        now = int(time.time())
        base: JSON = {
            "iss": self.url,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": query["nonce"],
            "sid": "s1",
        }
        token = secrets.token_hex(8)
        self._tokens.add(token)
        id_token = self.sign(self.change(base | self.person))
        return web.json_response({"access_token": token, "token_type": "Bearer", "id_token": id_token})

    async def _userinfo(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self._tokens:
            return web.Response(status=401)
        return web.json_response({"sub": self.person["sub"]} | self.userinfo)


@asynccontextmanager
async def openid_provider() -> AsyncGenerator[OpenIdProvider]:
    provider = OpenIdProvider()
    async with provider.serving():
        yield provider
