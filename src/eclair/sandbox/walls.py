"""Walls that a process raises around itself before it reads untrusted bytes. They can't be taken down again.

Linux has four, none of which needs root: no new privileges, namespaces without a network, Landlock for files, and a
filter of system calls. Run as `python -m eclair.sandbox.walls`, the module reports as JSON which ones hold here.
"""

from __future__ import annotations

import ctypes
import dataclasses
import json
import os
import resource
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from eclair.sandbox import landlock, seccomp

MAX_OPEN_FILES = 256

_SYSTEM_FILES = (
    *("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/share"),
    *("/etc/ld.so.cache", "/etc/localtime", "/etc/mime.types", "/proc/cpuinfo", "/proc/meminfo", "/proc/self"),
    *("/proc/sys/vm/overcommit_memory", "/sys/bus/pci", "/sys/devices", "/sys/fs/cgroup"),
    *("/dev/urandom", "/dev/random", "/dev/zero"),
)
"""Libraries, and what libraries ask of the machine."""

_SYSTEM_FOLDERS = ("/bin", "/dev", "/etc", "/lib", "/lib64", "/opt", "/proc", "/run/opengl-driver", "/sys", "/usr")
_PROGRAM_FOLDERS = (
    *("/bin", "/lib", "/lib64", "/opt", "/sbin", "/usr"),
    *("/etc/alternatives", "/etc/ca-certificates", "/etc/hosts", "/etc/ld.so.cache", "/etc/localtime"),
    *("/etc/mime.types", "/etc/nsswitch.conf", "/etc/pki", "/etc/resolv.conf", "/etc/ssl", "/run/systemd/resolve"),
    *("/proc/cpuinfo", "/proc/meminfo", "/proc/self", "/proc/version", "/proc/sys/vm/overcommit_memory"),
    *("/sys/devices/system/cpu", "/sys/fs/cgroup", "/dev/urandom", "/dev/random", "/dev/zero", "/dev/tty"),
)
"""Programs of the system, and what they ask of the machine; nothing in /etc that is a secret."""

_ACCELERATORS = ("dri", "kfd", "nvidia*", "accel", "dxg")
_ACCELERATOR_CACHES = (".nv", ".cache/mesa_shader_cache", ".cache/mesa_shader_cache_db", ".cache/neo_compiler_cache")
"""Folders in the home where drivers keep compiled code."""

_LOADERS = ("lib*/ld-*.so*", "lib/*/ld-*.so*")
"""Dynamic loaders, which the kernel starts with a program."""

_NULL = Path("/dev/null")
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_CLONE_NEWUSER, _CLONE_NEWNET, _CLONE_NEWIPC = 0x10000000, 0x40000000, 0x08000000


@dataclass(frozen=True, slots=True)
class Walls:
    """Walls that hold. `landlock` is the kernel's ABI, 0 without."""

    no_new_privileges: bool = False
    namespaces: bool = False
    landlock: int = 0
    seccomp: bool = False


def leave_network() -> bool:
    """Move this process, and those that it will fork, into namespaces without a network. Returns whether that worked.

    Call it before any thread starts. Many systems don't let ordinary users make namespaces.
    """
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    tries = (_CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWIPC, _CLONE_NEWNET | _CLONE_NEWIPC)
    return any(libc.unshare(flags) == 0 for flags in tries)


def forbid_new_privileges() -> bool:
    """Forbid this process and its children to gain privileges. Returns whether the system can. Raises OSError."""
    if sys.platform != "linux":
        return False
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    return True


def die_with_parent(signal: int) -> None:
    """Have the system send this process a signal when its parent ends; Linux only. Raises OSError."""
    if sys.platform == "linux":
        _prctl(_PR_SET_PDEATHSIG, signal)


def enclose_reader(
    read: Iterable[Path] = (),
    write: Iterable[Path] = (),
    *,
    allowed: Iterable[str] = (),
    programs: Sequence[Path] = (),
) -> Walls:
    """Leave this process Python's packages, the files beneath `read`, and those beneath `write` to change.

    No network, no other processes, and no programs but `programs`, which have the same walls and may be ended;
    `allowed` are system calls that stay. Threads that run already stay outside. Raises OSError if the system has a wall
    and it can't be raised.
    """
    resource.setrlimit(resource.RLIMIT_NOFILE, (MAX_OPEN_FILES, MAX_OPEN_FILES))
    if sys.platform != "linux":
        if not programs:
            resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))  # on Linux this would forbid threads too
        return Walls()
    read = [*python_folders(), *map(Path, _SYSTEM_FILES), *read]
    if not programs:
        return _enclose(read, [_NULL, *write], allowed)
    loaders = [path for pattern in _LOADERS for path in Path("/").glob(pattern)]
    calls = {*allowed, *seccomp.PROGRAM_CALLS, "kill"}
    return _enclose(read, [_NULL, *write], calls, programs=[*programs, *loaders])


def enclose_engine(
    read: Iterable[Path], write: Iterable[Path], *, listens: bool = False, starts_programs: bool = False
) -> Walls:
    """Leave this process the system, its accelerators, and the same files as `enclose_reader`.

    It connects nowhere. With `listens` it may be connected to; with `starts_programs` it may start some, which have the
    same walls. Raises OSError.
    """
    if sys.platform != "linux":
        return Walls()
    home = Path.home()
    devices = [path for pattern in _ACCELERATORS for path in Path("/dev").glob(pattern)]
    allowed = (seccomp.LISTENER_CALLS if listens else frozenset[str]()) | (
        seccomp.PROGRAM_CALLS if starts_programs else frozenset[str]()
    )
    return _enclose(
        [*python_folders(), *map(Path, _SYSTEM_FOLDERS), *read],
        [_NULL, _SHARED_MEMORY, *devices, *(home / cache for cache in _ACCELERATOR_CACHES), *write],
        allowed | {"setpriority"},
        listens=listens,
        starts_programs=starts_programs,
    )


def enclose_program(read: Iterable[Path], write: Iterable[Path], *, connects: bool = False) -> Walls:
    """Leave this process the system's programs and the files beneath `read`, which it may start, and those in `write`.

    It reaches no network unless it `connects`, and signals only what it started. Raises OSError.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform != "linux":
        return Walls()
    calls = {*seccomp.PROGRAM_CALLS, "kill", "setpriority", "utimensat", "fchmod"}
    calls.add("sendto")  # event loops wake themselves by a pair of streams; there are no sockets that lead elsewhere
    return _enclose(
        [*map(Path, _PROGRAM_FOLDERS), *read],
        [_NULL, *write],
        calls | (seccomp.CONNECTION_CALLS if connects else frozenset[str]()),
        connects=connects,
        starts_programs=True,
    )


def _enclose(
    read: Iterable[Path],
    write: Iterable[Path],
    allowed: Iterable[str],
    *,
    listens: bool = False,
    connects: bool = False,
    starts_programs: bool = False,
    programs: Iterable[Path] = (),
) -> Walls:
    forbid_new_privileges()
    abi = landlock.restrict_files(
        read, write, listens=listens, connects=connects, starts_programs=starts_programs, programs=programs
    )
    if is_filtered := seccomp.is_supported():
        seccomp.install_filter(allowed=allowed)
    return Walls(True, landlock=abi, seccomp=is_filtered)


def python_folders() -> list[Path]:
    """List the folders of the interpreter's libraries and packages."""
    paths = sysconfig.get_paths()
    named = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    prefixes = [os.path.join(prefix, "lib") for prefix in (sys.base_prefix, sys.prefix)]
    return [Path(path) for path in dict.fromkeys([*named, *prefixes, *sys.path]) if path]


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def main() -> None:
    """Raise all walls, and print which ones hold."""
    namespaces = leave_network()
    sys.stdout.write(json.dumps(dataclasses.asdict(dataclasses.replace(enclose_reader(), namespaces=namespaces))))


if __name__ == "__main__":
    main()
