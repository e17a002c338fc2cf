"""The system-call filter of a sandbox: what docker's default profile denies to a container without capabilities.

Denied with EPERM: mounting, namespaces, kernel modules, kexec, reboot, swap, clocks, key rings, BPF, perf,
userfaultfd, handles, quotas, raw port and memory-policy calls, terminal injection. Answered with ENOSYS (so that
callers fall back): `clone3` (its flags lie in memory, where no filter can read them), io_uring, calls newer than
this table, and other instruction sets' call tables (32-bit, x32). Sockets: unix, IPv4, IPv6 and netlink only.
"""

from __future__ import annotations

import os

_EPERM, _ENOSYS, _EAFNOSUPPORT = 1, 38, 97
_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_LOAD, _JUMP_EQ, _JUMP_GE, _JUMP_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NR, _ARCH = 0, 4  # offsets in struct seccomp_data

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT = 0x40000000
_NEWEST = 466  # removexattrat (Linux 6.13); numbers from 424 on are the same everywhere
_NAMESPACE_FLAGS = 0x7E020080  # CLONE_NEW{USER,PID,NET,IPC,UTS,CGROUP,NS,TIME}
_TERMINAL_INJECTION = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX
_PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
_SOCKET_FAMILIES = (1, 2, 10, 16)

# name: (x86_64, aarch64); None where the architecture has no such call
_DENIED: dict[str, tuple[int | None, int | None]] = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "clock_adjtime": (305, 266),
    "clock_settime": (227, 112),
    "create_module": (174, None),
    "delete_module": (176, 106),
    "fanotify_init": (300, 262),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "get_kernel_syms": (177, None),
    "get_mempolicy": (239, 236),
    "init_module": (175, 105),
    "ioperm": (173, None),
    "iopl": (172, None),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "lookup_dcookie": (212, 18),
    "mbind": (237, 235),
    "migrate_pages": (256, 238),
    "modify_ldt": (154, None),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "move_pages": (279, 239),
    "name_to_handle_at": (303, 264),
    "nfsservctl": (180, 42),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "pivot_root": (155, 41),
    "query_module": (178, None),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "set_mempolicy": (238, 237),
    "set_mempolicy_home_node": (450, 450),
    "setns": (308, 268),
    "settimeofday": (164, 170),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "sysfs": (139, None),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "uselib": (134, None),
    "userfaultfd": (323, 282),
    "ustat": (136, None),
    "vhangup": (153, 58),
    "vmsplice": (278, 75),
    "_sysctl": (156, None),
}
_ABSENT = {"clone3": 435, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427}
_FILTERED = {"clone": (56, 220), "ioctl": (16, 29), "personality": (135, 92), "socket": (41, 198)}


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return code.to_bytes(2, "little") + bytes((if_true, if_false)) + value.to_bytes(4, "little")


def _refuse(code: int) -> bytes:
    return _instruction(_RETURN, _ERRNO | code)


def _argument(index: int) -> bytes:
    return _instruction(_LOAD, 16 + 8 * index)  # the low half: both architectures are little-endian


def _block(number: int, body: bytes) -> bytes:
    """`body` for call `number` alone; it must end in a return. The call's number stays loaded for what follows."""
    return _instruction(_JUMP_EQ, number, 0, len(body) // 8) + body


def _none_of(index: int, values: tuple[int, ...], code: int) -> bytes:
    tests = b"".join(_instruction(_JUMP_EQ, value, 0, 1) + _refuse(code) for value in values)
    return _argument(index) + tests + _instruction(_RETURN, _ALLOW)


def _one_of(index: int, values: tuple[int, ...], code: int) -> bytes:
    tests = b"".join(_instruction(_JUMP_EQ, value, 0, 1) + _instruction(_RETURN, _ALLOW) for value in values)
    return _argument(index) + tests + _refuse(code)


def supported() -> bool:
    """Whether there is a table for this machine's architecture."""
    return os.uname().machine in _AUDIT_ARCH


def program() -> bytes:
    """The filter for this machine's architecture, 8 bytes an instruction. Raises OSError where there is none."""
    machine = os.uname().machine
    if not supported():
        raise OSError(_ENOSYS, f"no system-call table for {machine}")
    column = 0 if machine == "x86_64" else 1
    namespaces = _argument(0) + _instruction(_JUMP_SET, _NAMESPACE_FLAGS, 0, 1) + _refuse(_EPERM)
    parts = [
        _instruction(_LOAD, _ARCH),
        _instruction(_JUMP_EQ, _AUDIT_ARCH[machine], 1, 0) + _refuse(_ENOSYS),
        _instruction(_LOAD, _NR),
        _instruction(_JUMP_GE, min(_NEWEST + 1, _X32_BIT), 0, 1) + _refuse(_ENOSYS),
        *(_block(number, _refuse(_ENOSYS)) for number in _ABSENT.values()),
        *(_block(row[column] or 0, _refuse(_EPERM)) for row in _DENIED.values() if row[column] is not None),
        _block(_FILTERED["clone"][column], namespaces + _instruction(_RETURN, _ALLOW)),
        _block(_FILTERED["ioctl"][column], _none_of(1, _TERMINAL_INJECTION, _EPERM)),
        _block(_FILTERED["personality"][column], _one_of(0, _PERSONALITIES, _EPERM)),
        _block(_FILTERED["socket"][column], _one_of(0, _SOCKET_FAMILIES, _EAFNOSUPPORT)),
        _instruction(_RETURN, _ALLOW),
    ]
    return b"".join(parts)
