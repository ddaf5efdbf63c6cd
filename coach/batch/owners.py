"""Whether a process that once claimed rows still lives. Numbers of processes are given out again, so its start counts too."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import NamedTuple

BEAT = 15.0
"""Seconds between signs of life."""
PATIENCE = 8 * BEAT
"""Seconds without a sign of life after which a process on another machine, or one that cannot be looked up, counts as dead."""


class Process(NamedTuple):
    """A process, told apart from any other that had its number."""

    pid: int
    started: str
    """When it began, in the system's own terms; empty where the system does not say."""


class Owner(NamedTuple):
    """Who made a claim, and when it last gave a sign of life."""

    host: str
    pid: int
    started: str
    seen: float


def this_process() -> Process:
    """The process this code runs in."""
    return Process(os.getpid(), _started(os.getpid()) or "")


def is_alive(owner: Owner, now: float) -> bool:
    """Whether the owner's process runs, as far as that can be looked up; else whether it gave a sign of life of late."""
    if owner.host == socket.gethostname():
        if owner.started:
            return _started(owner.pid) == owner.started
        if not _is_taken(owner.pid):
            return False
    return now - owner.seen < PATIENCE


def _is_taken(pid: int) -> bool:
    """Whether some process has this number; True where the system does not say."""
    if sys.platform == "win32":  # signal 0 is Ctrl-C there
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _started(pid: int) -> str | None:
    """When a process began; None where there is none, or the system does not say."""
    if sys.platform != "linux":
        return None
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None
    # The name stands in brackets and may hold anything; state is the first field after it, the start the twentieth.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else f"{boot}:{fields[19]}"
