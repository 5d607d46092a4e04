"""A hostile file reader: it tries each way out of its sandbox, in Python and by system calls.

Run as `python -m tests.hostile WALL ...`, it raises only the named walls around itself and prints as JSON what became
of each escape.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import errno
import json
import mmap
import os
import platform
import resource
import socket
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from eclair.sandbox import landlock, seccomp, walls
from eclair.sandbox.protocol import ProcessLimits, SandboxProtocol
from eclair.sandbox.worker import serve
from eclair.util.frames import Codec

SECRET = b"the key under the mat"

WALLS = ("namespaces", "landlock", "seccomp")

REFUSALS = {errno.EPERM, errno.EACCES, errno.EXDEV, errno.ENOSYS, errno.ENETUNREACH, errno.ECONNREFUSED}
"""Errors of a wall. Any other error is a way out that was tried in vain."""


@dataclass(frozen=True, slots=True)
class Targets:
    """Things outside: a TCP and a UDP port of 127.0.0.1, sockets, a file with a secret, a folder, a process."""

    tcp_port: int
    udp_port: int
    unix_path: str
    abstract_name: str
    secret: str
    folder: str
    pid: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """An escape. Any of `walls` alone refuses it; `landlock 4` is Landlock's ABI 4 or a later one."""

    name: str
    walls: tuple[str, ...]
    is_refused: bool
    outcome: str


PROTOCOL = SandboxProtocol(__name__, Codec(Targets), (Attempt,))


def main() -> None:
    serve(PROTOCOL, attempts, lambda _: ProcessLimits(1 << 30, 20))


Escape = Callable[[Targets], object]
_ESCAPES: list[tuple[str, tuple[str, ...], Escape]] = []


def escape(*walls: str) -> Callable[[Escape], Escape]:
    """Register a way out, which any of these walls closes."""

    def register(function: Escape) -> Escape:
        _ESCAPES.append((function.__name__.replace("_", " "), walls, function))
        return function

    return register


def attempts(targets: Targets) -> Iterator[Attempt]:
    """Try each way out."""
    for name, closed_by, function in _ESCAPES:
        try:
            function(targets)
        except OSError as error:
            is_refused = error.errno in REFUSALS or isinstance(error, PermissionError)
            yield Attempt(name, closed_by, is_refused, str(error))
        else:
            yield Attempt(name, closed_by, False, "got out")


_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_X86 = platform.machine() == "x86_64"


def _call(x86: int, arm: int, *arguments: int | bytes | None) -> int:
    """Make a system call without any library between. Raises OSError."""
    given = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    result = int(_libc.syscall(x86 if _X86 else arm, *given))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def _address(port: int) -> bytes:
    return socket.AF_INET.to_bytes(2, sys.byteorder) + port.to_bytes(2, "big") + bytes([127, 0, 0, 1]) + bytes(8)


# Network


@escape("namespaces", "landlock 4", "seccomp")
def connect_by_tcp(targets: Targets) -> None:
    socket.create_connection(("127.0.0.1", targets.tcp_port), 5).close()


@escape("namespaces", "landlock 4", "seccomp")
def connect_by_tcp_natively(targets: Targets) -> None:
    descriptor = _call(41, 198, socket.AF_INET, socket.SOCK_STREAM, 0)
    _call(42, 203, descriptor, _address(targets.tcp_port), 16)


@escape("namespaces", "seccomp")
def send_by_udp(targets: Targets) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as line:
        line.sendto(b"secret", ("127.0.0.1", targets.udp_port))


@escape("namespaces", "seccomp")
def send_by_udp_natively(targets: Targets) -> None:
    descriptor = _call(41, 198, socket.AF_INET, socket.SOCK_DGRAM, 0)
    _call(44, 206, descriptor, b"secret", 6, 0, _address(targets.udp_port), 16)


@escape("seccomp")
def open_a_socket_natively(_: Targets) -> None:
    _call(41, 198, socket.AF_NETLINK, socket.SOCK_RAW, 0)


@escape("seccomp")
def send_by_a_pair_of_unix_sockets(_: Targets) -> None:
    pair = (ctypes.c_int * 2)()
    _call(53, 199, socket.AF_UNIX, socket.SOCK_DGRAM, 0, ctypes.addressof(pair))


@escape("landlock 4", "seccomp")
def listen_by_tcp(_: Targets) -> None:
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        line.listen()


@escape("seccomp")
def connect_to_a_unix_socket(targets: Targets) -> None:
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(targets.unix_path)


@escape("namespaces", "landlock 6", "seccomp")
def connect_to_an_abstract_socket(targets: Targets) -> None:
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(f"\0{targets.abstract_name}")


@escape("seccomp")
def set_up_io_uring(_: Targets) -> None:
    _call(425, 425, 1, bytes(120))


# Programs and processes


@escape("landlock", "seccomp")
def run_a_program(_: Targets) -> None:
    subprocess.run(["/bin/true"], check=True)


@escape("landlock", "seccomp")
def spawn_a_program(_: Targets) -> None:
    pid = os.posix_spawn("/bin/true", ["true"], {})
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
        raise PermissionError("the program did not run")


@escape("seccomp")
def execute_natively_from_memory(_: Targets) -> None:
    program = os.memfd_create("program")
    os.write(program, Path("/bin/true").read_bytes())
    _in_a_fork(lambda: _call(322, 281, program, b"", None, None, 0x1000))


@escape("seccomp")
def fork(_: Targets) -> None:
    _in_a_fork(lambda: None)


@escape("seccomp")
def fork_natively(_: Targets) -> None:
    if (pid := _call(56, 220, 17, 0, 0, 0, 0)) == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def _in_a_fork(work: Callable[[], object]) -> None:
    if (pid := os.fork()) == 0:
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
        raise PermissionError("refused in the fork")


@escape("landlock", "seccomp")
def attach_to_the_server(targets: Targets) -> None:
    seize = 0x4206  # which doesn't stop it
    _call(101, 117, seize, targets.pid, 0, 0)


@escape("landlock", "seccomp")
def read_the_servers_memory(targets: Targets) -> None:
    buffer = ctypes.create_string_buffer(8)
    vector = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), 8)
    address = ctypes.addressof(vector)
    _call(310, 270, targets.pid, address, 1, address, 1, 0)


@escape("landlock")
def read_the_servers_memory_as_a_file(targets: Targets) -> None:
    Path(f"/proc/{targets.pid}/mem").open("rb").close()


@escape("landlock")
def read_the_servers_environment(targets: Targets) -> None:
    Path(f"/proc/{targets.pid}/environ").read_bytes()


@escape("seccomp")
def take_a_descriptor_of_the_server(targets: Targets) -> None:
    _call(438, 438, _call(434, 434, targets.pid, 0), 0, 0)


@escape("landlock 6", "seccomp")
def signal_the_server(targets: Targets) -> None:
    os.kill(targets.pid, 0)


@escape("landlock 6", "seccomp")
def signal_a_thread_of_the_server(targets: Targets) -> None:
    _call(234, 131, targets.pid, targets.pid, 0)


@escape("seccomp")
def limit_the_server(targets: Targets) -> None:
    resource.prlimit(targets.pid, resource.RLIMIT_CORE, (0, 0))


@escape("seccomp")
def slow_the_server_down(targets: Targets) -> None:
    os.setpriority(os.PRIO_PROCESS, targets.pid, os.getpriority(os.PRIO_PROCESS, targets.pid))


# Files


@escape("landlock")
def read_a_secret(targets: Targets) -> None:
    Path(targets.secret).read_bytes()


@escape("landlock")
def read_a_secret_natively(targets: Targets) -> None:
    _call(257, 56, -100, os.fsencode(targets.secret), os.O_RDONLY, 0)


@escape("landlock")
def read_a_secret_by_another_way(targets: Targets) -> None:
    Path(f"/proc/self/root{targets.secret}").read_bytes()


@escape("landlock")
def read_a_secret_through_a_link(targets: Targets) -> None:
    link = Path(os.environ.get("TMPDIR", targets.folder), "planted")
    os.link(targets.secret, link)
    link.read_bytes()


@escape("landlock")
def read_the_accounts(_: Targets) -> None:
    Path("/etc/passwd").read_bytes()


@escape("landlock")
def list_a_folder(targets: Targets) -> None:
    os.listdir(targets.folder)


@escape("landlock")
def write_a_file(targets: Targets) -> None:
    os.open(Path(targets.folder, "new"), os.O_CREAT | os.O_WRONLY)


@escape("landlock 3")
def empty_a_file(targets: Targets) -> None:
    os.truncate(targets.secret, os.path.getsize(targets.secret))


@escape("landlock")
def remove_a_file(targets: Targets) -> None:
    Path(targets.folder, "victim").unlink()


@escape("landlock")
def plant_a_link(targets: Targets) -> None:
    Path(targets.folder, "planted").symlink_to("/etc/passwd")


@escape("seccomp")
def open_a_file_to_all(targets: Targets) -> None:
    os.chmod(targets.secret, 0o644)


@escape("seccomp")
def open_a_file_by_its_handle(targets: Targets) -> None:
    handle = ctypes.create_string_buffer(b"\x80\0\0\0" + bytes(132))
    mount = ctypes.c_int()
    path = os.fsencode(targets.secret)
    _call(303, 264, -100, path, ctypes.addressof(handle), ctypes.addressof(mount), 0)


# The kernel


@escape("seccomp")
def load_a_kernel_program(_: Targets) -> None:
    _call(321, 280, 5, bytes(128), 128)


@escape("seccomp")
def count_kernel_events(_: Targets) -> None:
    _call(298, 241, bytes(128), 0, -1, -1, 0)


@escape("seccomp")
def make_a_namespace(_: Targets) -> None:
    _call(272, 97, 0x10000000)


@escape("seccomp")
def mount_a_filesystem(targets: Targets) -> None:
    _call(165, 40, b"none", os.fsencode(targets.folder), b"tmpfs", 0, None)


@escape("seccomp")
def use_the_keyring(_: Targets) -> None:
    _call(250, 219, 0, -4, 1)


@escape("seccomp")
def handle_page_faults(_: Targets) -> None:
    _call(323, 282, 1)


@escape("seccomp")
def share_memory(_: Targets) -> None:
    _call(29, 194, 0, mmap.PAGESIZE, 0o1600)


@contextlib.contextmanager
def outside(folder: Path) -> Generator[Targets]:
    """Set up in the present folder what a hostile reader wants to reach."""
    secret = folder / "secret"
    secret.write_bytes(SECRET)
    secret.chmod(0o600)
    (folder / "victim").touch()
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(type=socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_UNIX) as unix,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        udp.bind(("127.0.0.1", 0))
        unix.bind("socket")
        unix.listen()
        name = f"eclair-{os.getpid()}"
        if sys.platform == "linux":
            abstract.bind(f"\0{name}")
            abstract.listen()
        ports = tcp.getsockname()[1], udp.getsockname()[1]
        yield Targets(*ports, str(folder / "socket"), name, str(secret), str(folder), os.getpid())


def present_walls() -> set[str]:
    """Return the walls that this system has, and each ABI of Landlock."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "eclair.sandbox.walls"], capture_output=True, check=True, timeout=60
    )
    found = json.loads(done.stdout)
    abis = {f"landlock {number}" for number in range(1, found["landlock"] + 1)}
    return {name for name, holds in found.items() if holds} | abis


def attempts_behind(targets: Targets, walls: Sequence[str]) -> list[Attempt]:
    """Try each way out of a process behind these walls alone."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "tests.hostile", *walls],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        input=json.dumps(dataclasses.asdict(targets)),
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )
    if done.returncode:
        raise ChildProcessError(done.stderr)
    return [Attempt(**each) for each in json.loads(done.stdout)]


def _enclosed(targets: Targets, chosen: list[str]) -> list[Attempt]:
    """Raise the chosen walls and no other around this process, and try each way out."""
    if "namespaces" in chosen and not walls.leave_network():
        raise OSError(errno.EPERM, "namespaces")
    walls.forbid_new_privileges()
    if "landlock" in chosen:
        landlock.restrict_files([*walls.python_folders(), Path("/bin"), Path("/usr")], [])
    if "seccomp" in chosen:
        seccomp.install_filter()
    return list(attempts(targets))


if __name__ == "__main__":
    found = _enclosed(Targets(**json.load(sys.stdin)), sys.argv[1:])
    sys.stdout.write(json.dumps([dataclasses.asdict(attempt) for attempt in found]))
