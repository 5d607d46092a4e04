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
    page = context.new_page()
    page.goto("/")
    page.get_by_label("One-time code").fill(admin_command(served, "setup-code"))
    page.get_by_label("Username").fill("Ada")
    page.get_by_label("Display name").fill("Ada Lovelace")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_role("button", name="Account: Ada Lovelace")).to_be_visible()
    return page


def join(context: BrowserContext, served: Served, name: str, role: str = "member") -> Page:
    """Let a new person choose a password by their link, and return their page."""
    link = admin_command(served, "people", "add", name, "--display-name", name.title(), "--role", role)
    page = context.new_page()
    page.goto(re.sub(r"^https?://[^/]+", "", link))
    expect(page.get_by_text(f"Your username is {name}.")).to_be_visible()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("textbox", name="Your message")).to_be_visible()
    return page


def sign_in(page: Page, name: str, password: str = PASSWORD) -> None:
    """Fill in the form of the sign-in page or dialog, and send it."""
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()
