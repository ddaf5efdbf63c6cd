from __future__ import annotations

import os
import socket
import sys

import pytest

from coach.batch.owners import PATIENCE, Owner, is_alive, this_process

ME = this_process()
HERE = socket.gethostname()
linux = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")


def test_this_process_is_alive() -> None:
    assert is_alive(Owner(HERE, ME.pid, ME.started, seen=0.0), now=1.0)


@linux
def test_another_process_with_the_same_number_is_not_the_owner() -> None:
    assert not is_alive(Owner(HERE, os.getpid(), "an earlier start", seen=1.0), now=1.0)


@linux
def test_a_number_nobody_has_is_dead() -> None:
    assert not is_alive(Owner(HERE, 2**22 + 1, ME.started, seen=1.0), now=1.0)


def test_where_starts_are_not_told_a_number_nobody_has_is_dead_all_the_same() -> None:
    assert not is_alive(Owner(HERE, 2**22 + 1, "", seen=1.0), now=1.0)


@pytest.mark.parametrize(("silence", "alive"), [(PATIENCE - 1, True), (PATIENCE + 1, False)])
def test_where_starts_are_not_told_a_number_in_use_counts_for_so_long_only(silence: float, alive: bool) -> None:
    assert is_alive(Owner(HERE, ME.pid, "", seen=1000.0), now=1000.0 + silence) is alive


@pytest.mark.parametrize(("silence", "alive"), [(PATIENCE - 1, True), (PATIENCE + 1, False)])
def test_another_machine_counts_as_dead_when_it_has_been_silent_for_long(silence: float, alive: bool) -> None:
    assert is_alive(Owner("elsewhere", 1, "x", seen=1000.0), now=1000.0 + silence) is alive
