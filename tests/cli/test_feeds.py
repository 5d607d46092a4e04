"""`eclair feeds` as a person has it, over a publisher on loopback."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from tests.cli.test_cli import Eclair
from tests.web.publisher import RSS, rss


@pytest.fixture
def press() -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/feed":
                self.send_error(404)
                return
            body = rss(("Hafen", "Der Hafen ist offen."), ("Bahn", "Die Bahn kommt.")).encode()
            self.send_response(200)
            self.send_header("Content-Type", RSS)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_feeds_at_the_command_line(tmp_path: Path, press: str) -> None:
    run = Eclair(tmp_path / "home")
    own = {"ECLAIR_PRIVATE_ADDRESSES": press}
    feed = f"http://{press}/feed"
    assert "eclair feeds add URL" in run("feeds").stdout
    added = run("feeds", "add", feed, f"http://{press}/missing", **own)
    assert added.stdout == f"Added Stadtanzeiger ({feed}), which has 2 entries.\n"
    assert "answers 404" in added.stderr
    assert added.returncode == 4
    (listed,) = orjson.loads(run("feeds", "--json").stdout)
    assert (listed["url"], listed["entries"], listed["state"]) == (feed, 2, "ready")
    fetched = run("feeds", "refresh", **own)
    assert fetched.stdout == "Fetched 1 of 1 feeds; there are 2 entries now.\n"
    file = tmp_path / "feeds.opml"
    assert run("feeds", "export", "-o", str(file)).stdout == f"Wrote 1 feeds to {file}.\n"
    assert run("feeds", "remove", listed["id"]).stdout == "Removed Stadtanzeiger with 2 entries.\n"
    assert run("feeds", "import", str(file)).stdout.startswith("Added 1 feeds.")
    offline = run("feeds", "refresh", **own, ECLAIR_EGRESS="offline")
    assert (offline.returncode, "offline" in offline.stderr) == (2, True)


def test_the_starter_list_at_the_command_line(tmp_path: Path) -> None:
    run = Eclair(tmp_path / "home")
    assert "tagesschau" in run("feeds", "starter", "--language", "de").stdout
    assert run("feeds", "starter", "--language", "mt", "--add").stdout.startswith("Added 3 feeds.")
    assert len(orjson.loads(run("feeds", "--json").stdout)) == 3
    missing = run("feeds", "starter", "--language", "xx")
    assert missing.returncode == 2
    assert "has no feed in 'xx'" in missing.stderr
