"""`/api/branding`: the looks of the house, and untrusted logos."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from pathlib import Path

from PIL import Image

from eclair.settings import Settings
from tests.server.test_accounts import member, set_up
from tests.support import Server, serving

SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 40 20">'
    b'<script>alert(1)</script><image xlink:href="file:///etc/passwd"/><rect width="40" height="20" fill="#00f"/></svg>'
)


def png(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGBA", (width, height), (0, 0, 255, 128)).save(out, "PNG", comment="secret")
    return out.getvalue()


async def logo(server: Server) -> Image.Image:
    reply = await server.get("/api/branding/logo")
    assert (reply.status, reply.headers["Content-Type"]) == (200, "image/png")
    return Image.open(io.BytesIO(reply.raw))


async def test_the_page_bears_name_color_and_logo(settings: Settings) -> None:
    async with serving(settings) as server:
        plain = (await server.get("/")).raw.decode()
        assert "data-house" not in plain
        assert "style.css" not in plain
        body = {"name": 'Town "hall" <x>', "notice": "Ask room 12.", "accent": "#FFDD00"}
        made = await server.call("PUT", "/api/branding", body)
        assert made.status == 200, made
        assert (made.body["accent"], made.body["dark"]["color"]) == ("#ffdd00", "#ffdd00")
        assert made.body["light"]["contrast"] >= 4.5
        assert (await server.post("/api/branding/logo", data=SVG)).status == 200
        page = (await server.get("/")).raw.decode()
        assert 'data-house="Town &quot;hall&quot; &lt;x&gt;"' in page
        assert "api/branding/style.css?v=ffdd00" in page
        digest = (await server.get("/api/branding")).body["logo"]
        assert f'data-logo="{digest}"' in page
        style = (await server.get("/api/branding/style.css")).raw.decode()
        assert "--accent: #ffdd00;" in style
        session = (await server.get("/api/session")).body
        assert session["house"] == body["name"]
        refused = await server.call("PUT", "/api/branding", {"accent": "red"})
        assert (refused.status, "'red' is no color; write #" in refused.error["message"]) == (400, True)
        acts = (await server.get("/api/audit?action=settings")).body["acts"]
        assert {each["object"] for each in acts} == {"branding"}


async def test_a_logo_is_drawn_anew_whatever_it_brings(settings: Settings) -> None:
    async with serving(settings) as server:
        assert (await server.get("/api/branding/logo")).status == 404
        assert (await server.post("/api/branding/logo", data=SVG)).status == 200
        drawn = await logo(server)
        assert (drawn.size, drawn.convert("RGBA").getpixel((100, 100))) == ((512, 256), (0, 0, 255, 255))
        assert (await server.post("/api/branding/logo", data=png(2000, 500))).status == 200
        small = await logo(server)
        assert (small.size, small.info.get("comment")) == ((512, 128), None)
        for data in (
            b"",
            b"<html></html>",
            b"GIF89a",
            SVG.replace(b"<rect", b"<text>City</text><rect"),
            png(9, 9)[:40],
            b"<svg",
        ):
            refused = await server.post("/api/branding/logo", data=data)
            assert (refused.status, refused.error["message"][:9]) == (422, "The logo "), refused
        large = await server.post("/api/branding/logo", data=b"x" * (2 << 20) + b"x")
        assert large.status == 413
        assert (await logo(server)).size == (512, 128), "a bad file changes nothing"
        assert (await server.call("DELETE", "/api/branding/logo")).status == 204
        assert (await server.get("/api/branding/logo")).status == 404


async def test_administrators_change_it_and_the_settings_win(settings: Settings) -> None:
    async with serving(replace(settings, accounts="on", house_name="Town hall")) as server:
        admin = await set_up(server)
        _, guest = await member(server, admin, "gast", role="guest")
        for method, path in (("GET", ""), ("PUT", ""), ("POST", "/logo"), ("DELETE", "/logo")):
            reply = await server.call(method, f"/api/branding{path}", {}, headers=guest)
            assert reply.status == 403, path
        assert (await server.get("/api/branding/style.css")).status == 200, "before anybody signs in"
        fixed = await server.call("PUT", "/api/branding", {"name": "Other"}, headers=admin)
        assert (fixed.status, "house_name" in fixed.error["message"]) == (409, True)
        kept = await server.call("PUT", "/api/branding", {"name": "Town hall", "notice": "Hello"}, headers=admin)
        assert (kept.status, kept.body["fixed"]) == (200, ["name"])
        assert (await server.get("/api/session")).body["notice"] == "Hello"


async def test_the_policy_file_declares_it(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    (tmp_path / "logo.svg").write_bytes(SVG)
    file.write_text("[branding]\nname = 'Town hall'\naccent = '#0044aa'\nlogo = 'logo.svg'\n")
    async with serving(replace(settings, policy_file=file)) as server:
        drift = (await server.get("/api/policy/drift")).body
        assert [each["table"] for each in drift["changes"]] == ["branding"]
        assert (await server.post("/api/policy/apply")).status == 200
        assert (await logo(server)).size == (512, 256)
        assert (await server.get("/api/policy/drift")).body["differs"] is False
        exported = (await server.get("/api/policy/export")).raw
        assert b"data:image/png;base64," in exported
        file.write_bytes(exported)
        assert (await server.get("/api/policy/drift")).body["differs"] is False
        file.write_text(f"[branding]\nlogo = 'data:image/png;base64,{base64.b64encode(b'no').decode()}'\n")
        refused = await server.post("/api/policy/apply")
        assert (refused.status, refused.error["message"][:9]) == (422, "The logo "), refused
        assert (await server.get("/api/branding")).body["name"] == "Town hall", "nothing is half applied"
