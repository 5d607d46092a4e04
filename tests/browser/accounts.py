"""People in front of an Éclair with accounts: the first administrator, others, and how they come in."""

from __future__ import annotations

import os
import re

from playwright.sync_api import BrowserContext, Page, expect

from tests import forked
from tests.browser.served import Served

PASSWORD = "correct horse battery"


def admin_command(served: Served, *arguments: str) -> str:
    """Run `eclair admin` beside a server, as whoever runs the machine does; return its output."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ECLAIR_")}
    done = forked.run(("admin", *arguments), {**environment, **served.environment})
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def set_up(context: BrowserContext, served: Served) -> Page:
    """Make the first account by its code, and return the administrator's page."""
    _redeem(context, "setup", admin_command(served, "setup-code"), name="Ada", display_name="Ada Lovelace")
    page = context.new_page()
    page.goto("/")
    expect(page.get_by_role("button", name="Account: Ada Lovelace")).to_be_visible()
    return page


def add_person(served: Served, name: str, role: str = "member") -> str:
    """Add somebody; return the path of the link by which they choose a password."""
    link = admin_command(served, "people", "add", name, "--display-name", name.title(), "--role", role)
    return re.sub(r"^https?://[^/]+", "", link)


def join(context: BrowserContext, served: Served, name: str, role: str = "member") -> Page:
    """Let a new person in, and return their page."""
    _redeem(context, "redeem", add_person(served, name, role).rpartition("#")[2])
    page = context.new_page()
    page.goto("/")
    expect(page.get_by_role("textbox", name="Your message")).to_be_visible()
    return page


def _redeem(context: BrowserContext, way: str, code: str, **person: str) -> None:
    """Begin a session by a code, as the page of its link does."""
    reply = context.request.post(f"/api/session/{way}", data={"code": code, "password": PASSWORD, **person})
    assert reply.ok, reply.text()


def sign_in(page: Page, name: str, password: str = PASSWORD) -> None:
    """Fill in the form of the sign-in page or dialog, and send it."""
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()
