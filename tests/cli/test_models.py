"""`eclair models --all` and `eclair pull NAME`, as a person and a script have them."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import orjson
import pytest

from eclair.cli.models import markdown
from tests.cli.test_cli import Eclair, Screen, sentence
from tests.models.gguf_files import gguf

ROOT = Path(__file__).parents[2]
MODEL = gguf(weights=bytes(55_000))
ROW = f"""
[[model]]
id = "tiny"
name = "Tiny"
maker = "Maker"
country = "FR"
license = "Own terms"
restricts = "Research only."
weights = "open"

[[model.file]]
repo = "maker/tiny"
file = "tiny-Q4_0.gguf"
quant = "Q4_0"
size = {len(MODEL)}
sha256 = "{hashlib.sha256(MODEL).hexdigest()}"

[[model]]
id = "huge"
name = "Huge"
maker = "Maker"
license = "MIT"
weights = "open"
parameters = 100000

[[model.file]]
repo = "maker/huge"
file = "huge-Q4_0.gguf"
quant = "Q4_0"
"""


class _Hub(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        found = self.path == "/maker/tiny/resolve/main/tiny-Q4_0.gguf" or self.path == "/unknown.gguf"
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(len(MODEL) if found else 0))
        self.end_headers()
        if found:
            self.wfile.write(MODEL)

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def hub() -> Generator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Hub) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def run(tmp_path: Path) -> Eclair:
    (tmp_path / "models.toml").write_text(ROW)
    return Eclair(tmp_path)


def test_the_table_in_the_docs_is_the_one_of_today(run: Eclair) -> None:
    written = (ROOT / "docs" / "engines.md").read_text("utf-8")
    assert markdown() in written, "write the output of eclair models --markdown into docs/engines.md"
    assert run("models", "--markdown").stdout == markdown()


def test_the_whole_catalog_with_what_fits(run: Eclair) -> None:
    done = run("models", "--all")
    rows = {line.split()[0]: line for line in done.stdout.splitlines() if line}
    assert "`eclair pull tiny`" in rows["tiny"]
    assert "Maker (FR)" in rows["tiny"]
    assert "too large for this machine" in rows["huge"]
    assert "needs a server" in rows["pixtral-large"]
    assert "  - tiny: Research only." in done.stdout
    found = {row["entry"]["id"]: row for row in orjson.loads(run("models", "--all", "--json").stdout)}
    assert found["tiny"]["size"] == len(MODEL)
    assert (found["tiny"]["fits"], found["huge"]["fits"], found["pixtral-large"]["fits"]) == (True, False, None)


def test_a_fault_in_the_owners_file_is_one_sentence(run: Eclair) -> None:
    (run.folder / "models.toml").write_text(ROW.replace('"FR"', '"France"'))
    for command in (("models", "--all"), ("pull", "tiny")):
        done = run(*command)
        assert "models.toml: model 'tiny' has `country` = 'France'" in sentence(done.stderr)
        assert done.returncode == 3


def test_a_script_must_accept_a_license_that_restricts(run: Eclair, hub: str) -> None:
    done = run("pull", "tiny", ECLAIR_HUB=hub)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == "Tiny · Maker (FR) · Own terms · 100 KB"
    assert done.stderr.splitlines()[-1] == (
        "Tiny is under Own terms. Research only. If you accept that, add --accept-license."
    )
    assert not (run.folder / "models").exists()
    done = run("pull", "tiny", "--accept-license", HF_ENDPOINT=hub)
    assert done.returncode == 0
    assert done.stdout == f"Tiny is in {run.folder / 'models' / 'tiny-Q4_0.gguf'}\n"
    assert "the only one there is" in done.stderr
    listed = run("models", ECLAIR_EMBEDDED="true").stdout.splitlines()
    assert any(line.split()[:2] == ["tiny", "Tiny"] for line in listed)
    assert "on this machine" in run("models", "--all").stdout
    done = run("pull", "tiny", "--remove")
    assert done.stdout == "Tiny is removed; that frees 100 KB\n"
    done = run("pull", "tiny", "--accept-licence", HF_ENDPOINT=hub)
    assert done.returncode == 0, "the flag's former name is accepted too"
    assert run("pull", "tiny", "--remove").returncode == 0
    done = run("pull", "tiny", "--remove")
    assert (done.returncode, "nothing to remove" in done.stderr) == (2, True)


def test_models_that_come_and_go_are_recorded(run: Eclair, hub: str) -> None:
    run("key", "new", "bot")  # makes the database
    run("pull", "tiny", "--accept-license", HF_ENDPOINT=hub)
    run("pull", "tiny", "--remove")
    acts = [orjson.loads(line) for line in run("audit", "export").stdout.splitlines()]
    found = [(act["action"], act["object"]) for act in acts if act["action"].startswith("model.")]
    assert found == [("model.pulled", "tiny"), ("model.removed", "tiny")]


@pytest.mark.parametrize(("answer", "code"), [("n", 2), ("", 2), ("y", 0)])
def test_a_person_is_asked(run: Eclair, hub: str, answer: str, code: int) -> None:
    screen = Screen(run.folder, "pull", "tiny", ECLAIR_HUB=hub)
    try:
        screen.until("Research only.")
        screen.until("[y/N] ")
        screen.type(f"{answer}\n")
        screen.until("is in" if code == 0 else "The model was not downloaded.")
        assert screen.end() == code
    finally:
        screen.close()


def test_an_address_of_which_nothing_is_known(run: Eclair, hub: str) -> None:
    done = run("pull", f"{hub}/unknown.gguf")
    assert done.returncode == 0
    assert "Its license is unknown" in done.stderr
    assert "There is no hash to verify it with" in done.stderr
    assert run("pull", "unknown", "--remove").returncode == 0


@pytest.mark.parametrize(
    ("name", "said", "code"),
    [
        ("tini", "The catalog has no model 'tini'; it has tiny", 2),
        ("huge", "Huge needs about", 2),
        ("pixtral-large", "has no file of Pixtral Large 124B that llama.cpp runs", 2),
        ("tiny:Q9", "Tiny is not available as Q9. Available: Q4_0.", 2),
        ("hf:nonsense", "is not a repository", 2),
        ("./none.gguf", "There is no file none.gguf", 2),
        ("hf:maker/none", "has no maker/none", 2),
    ],
)
def test_what_cannot_be_pulled(run: Eclair, hub: str, name: str, said: str, code: int) -> None:
    done = run("pull", name, ECLAIR_HUB=hub)
    assert said in sentence(done.stderr)
    assert done.returncode == code


def test_a_language_that_the_model_does_not_list_is_said_before_the_answer(run: Eclair) -> None:
    asked = run("ask", "Warum ist der Himmel blau?", ECLAIR_EMBEDDED="true", ECLAIR_SCRIPTED="false")
    first, *_ = asked.stderr.splitlines()
    assert "SmolLM2 135M Instruct does not list German among its languages" in first
    assert "`eclair " in first
    asked = run("ask", "Why is the sky blue?", ECLAIR_EMBEDDED="true", ECLAIR_SCRIPTED="false")
    assert "among its languages" not in asked.stderr
