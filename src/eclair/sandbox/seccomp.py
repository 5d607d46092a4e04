"""A seccomp filter for a process that computes and reads open files, and needs nothing else of the kernel.

The filter refuses by number of the system call, so that a library which probes a call gets an error and goes on. Linux
on x86-64 and ARM64 only. The program is classic BPF, as `linux/seccomp.h` and `linux/filter.h` define it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Iterable, Mapping

LISTENER_CALLS = frozenset(
    {"socket", "bind", "listen", "accept", "accept4", "sendto", "sendmsg", "sendmmsg", "shutdown"}
)
"""Calls of a process that is connected to. Without them, what comes through open sockets can still be read."""

CONNECTION_CALLS = frozenset(
    {"socket", "bind", "connect", "sendto", "sendmsg", "sendmmsg", "shutdown", "chmod", "fchmodat", "fchmodat2"}
)
"""Calls of a program that connects to others, and keeps the packages that it fetches."""

PROGRAM_CALLS = frozenset({"execve", "execveat", "fork", "vfork", "clone"})

_X86_64: Mapping[str, int] = {
    "socket": 41,
    "connect": 42,
    "bind": 49,
    "listen": 50,
    "accept": 43,
    "accept4": 288,
    "sendto": 44,
    "sendmsg": 46,
    "sendmmsg": 307,
    "shutdown": 48,
    "execve": 59,
    "execveat": 322,
    "fork": 57,
    "vfork": 58,
    "ptrace": 101,
    "process_vm_readv": 310,
    "process_vm_writev": 311,
    "process_madvise": 440,
    "kcmp": 312,
    "pidfd_open": 434,
    "pidfd_getfd": 438,
    "pidfd_send_signal": 424,
    "kill": 62,
    "tkill": 200,
    "rt_sigqueueinfo": 129,
    "rt_tgsigqueueinfo": 297,
    "bpf": 321,
    "perf_event_open": 298,
    "userfaultfd": 323,
    "mount": 165,
    "umount2": 166,
    "pivot_root": 155,
    "chroot": 161,
    "move_mount": 429,
    "open_tree": 428,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "mount_setattr": 442,
    "unshare": 272,
    "setns": 308,
    "open_by_handle_at": 304,
    "name_to_handle_at": 303,
    "fanotify_init": 300,
    "keyctl": 250,
    "add_key": 248,
    "request_key": 249,
    "kexec_load": 246,
    "kexec_file_load": 320,
    "init_module": 175,
    "finit_module": 313,
    "delete_module": 176,
    "reboot": 169,
    "swapon": 167,
    "swapoff": 168,
    "acct": 163,
    "quotactl": 179,
    "quotactl_fd": 443,
    "syslog": 103,
    "settimeofday": 164,
    "clock_settime": 227,
    "adjtimex": 159,
    "clock_adjtime": 305,
    "vhangup": 153,
    "sethostname": 170,
    "setdomainname": 171,
    "iopl": 172,
    "ioperm": 173,
    "personality": 135,
    "modify_ldt": 154,
    "shmget": 29,
    "shmat": 30,
    "shmctl": 31,
    "msgget": 68,
    "msgsnd": 69,
    "msgrcv": 70,
    "semget": 64,
    "semop": 65,
    "semtimedop": 220,
    "mq_open": 240,
    "mq_unlink": 241,
    "chmod": 90,
    "fchmod": 91,
    "fchmodat": 268,
    "fchmodat2": 452,
    "chown": 92,
    "lchown": 94,
    "fchown": 93,
    "fchownat": 260,
    "utime": 132,
    "utimes": 235,
    "futimesat": 261,
    "utimensat": 280,
    "setxattr": 188,
    "lsetxattr": 189,
    "fsetxattr": 190,
    "removexattr": 197,
    "lremovexattr": 198,
    "fremovexattr": 199,
    "setpriority": 141,
    "ioprio_set": 251,
    "migrate_pages": 256,
    "move_pages": 279,
}
_ARM64: Mapping[str, int] = {
    "socket": 198,
    "connect": 203,
    "bind": 200,
    "listen": 201,
    "accept": 202,
    "accept4": 242,
    "sendto": 206,
    "sendmsg": 211,
    "sendmmsg": 269,
    "shutdown": 210,
    "execve": 221,
    "execveat": 281,
    "ptrace": 117,
    "process_vm_readv": 270,
    "process_vm_writev": 271,
    "process_madvise": 440,
    "kcmp": 272,
    "pidfd_open": 434,
    "pidfd_getfd": 438,
    "pidfd_send_signal": 424,
    "kill": 129,
    "tkill": 130,
    "rt_sigqueueinfo": 138,
    "rt_tgsigqueueinfo": 240,
    "bpf": 280,
    "perf_event_open": 241,
    "userfaultfd": 282,
    "mount": 40,
    "umount2": 39,
    "pivot_root": 41,
    "chroot": 51,
    "move_mount": 429,
    "open_tree": 428,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "mount_setattr": 442,
    "unshare": 97,
    "setns": 268,
    "open_by_handle_at": 265,
    "name_to_handle_at": 264,
    "fanotify_init": 262,
    "keyctl": 219,
    "add_key": 217,
    "request_key": 218,
    "kexec_load": 104,
    "kexec_file_load": 294,
    "init_module": 105,
    "finit_module": 273,
    "delete_module": 106,
    "reboot": 142,
    "swapon": 224,
    "swapoff": 225,
    "acct": 89,
    "quotactl": 60,
    "quotactl_fd": 443,
    "syslog": 116,
    "settimeofday": 170,
    "clock_settime": 112,
    "adjtimex": 171,
    "clock_adjtime": 266,
    "vhangup": 58,
    "sethostname": 161,
    "setdomainname": 162,
    "personality": 92,
    "shmget": 194,
    "shmat": 196,
    "shmctl": 195,
    "msgget": 186,
    "msgsnd": 189,
    "msgrcv": 188,
    "semget": 190,
    "semop": 193,
    "semtimedop": 192,
    "mq_open": 180,
    "mq_unlink": 181,
    "fchmod": 52,
    "fchmodat": 53,
    "fchmodat2": 452,
    "fchown": 55,
    "fchownat": 54,
    "utimensat": 88,
    "setxattr": 5,
    "lsetxattr": 6,
    "fsetxattr": 7,
    "removexattr": 14,
    "lremovexattr": 15,
    "fremovexattr": 16,
    "setpriority": 140,
    "ioprio_set": 30,
    "migrate_pages": 238,
    "move_pages": 239,
}

_ABSENT_CALLS = {"clone3": 435, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427}
"""Refused as if the kernel lacked them. Callers of clone3 fall back to clone, whose flags a filter can read."""

_MACHINES = {
    "x86_64": (0xC000003E, _X86_64, 56, 234, 302, 53),
    "aarch64": (0xC00000B7, _ARM64, 220, 131, 261, 199),
}
"""Audit architecture, numbers of the calls, and those of clone, tgkill, prlimit64 and socketpair."""

_X32_BIT = 0x40000000
_CLONE_THREAD = 0x00010000
_SOCKET_TYPE, _SOCK_STREAM = 0xF, 1

# struct seccomp_data: number, architecture, instruction pointer, six arguments of 64 bits, of which these are read.
_NUMBER, _ARCHITECTURE, _ARGUMENT, _SECOND_ARGUMENT = 0, 4, 16, 24

_LOAD, _AND, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000

_PR_SET_SECCOMP = 22
_MODE_FILTER = 2

_INSTRUCTION = struct.Struct("=HBBI")


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def is_supported() -> bool:
    """Return whether the filter knows this system and processor."""
    return sys.platform == "linux" and sys.byteorder == "little" and platform.machine() in _MACHINES


def install_filter(*, allowed: Iterable[str] = ()) -> None:
    """Filter the system calls of this thread, its future threads and its programs for good.

    `allowed` are calls that stay nevertheless. The process must have given up new privileges before. Raises OSError.
    """
    program = _program(frozenset(allowed), os.getpid())
    libc = ctypes.CDLL(None, use_errno=True)
    data = _Program(len(program) // _INSTRUCTION.size, program)
    if libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(data), 0, 0):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _program(allowed: frozenset[str], pid: int) -> bytes:
    architecture, calls, clone, tgkill, prlimit, socketpair = _MACHINES[platform.machine()]
    refuse, absent = _ERRNO | errno.EPERM, _ERRNO | errno.ENOSYS
    code = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if platform.machine() == "x86_64":
        code += [(_AT_LEAST, 0, 1, _X32_BIT), (_RETURN, 0, 0, absent)]
    for number in _ABSENT_CALLS.values():
        code += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, absent)]
    for name, number in calls.items():
        if name not in allowed:
            code += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, refuse)]
    if "clone" not in allowed:  # threads, and no processes
        code += [
            (_EQUAL, 0, 4, clone),
            (_LOAD, 0, 0, _ARGUMENT),
            (_ANY_BIT, 1, 0, _CLONE_THREAD),
            (_RETURN, 0, 0, refuse),
            (_RETURN, 0, 0, _ALLOW),
        ]
    code += [  # streams within the process, which asynchronous libraries need; a datagram socket could send elsewhere
        (_EQUAL, 0, 5, socketpair),
        (_LOAD, 0, 0, _SECOND_ARGUMENT),
        (_AND, 0, 0, _SOCKET_TYPE),
        (_EQUAL, 1, 0, _SOCK_STREAM),
        (_RETURN, 0, 0, refuse),
        (_RETURN, 0, 0, _ALLOW),
    ]
    code += [  # signals to its own threads, and limits of its own: `abort` and `setrlimit` need these
        (_EQUAL, 1, 0, tgkill),
        (_EQUAL, 0, 4, prlimit),
        (_LOAD, 0, 0, _ARGUMENT),
        (_EQUAL, 2, 0, pid),
        (_EQUAL, 1, 0, 0),
        (_RETURN, 0, 0, refuse),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join([_INSTRUCTION.pack(*instruction) for instruction in code])
