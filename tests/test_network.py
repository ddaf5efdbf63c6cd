"""The suite itself: nothing beyond loopback is reached."""

from __future__ import annotations

import socket

import pytest
from pytest_socket import SocketConnectBlockedError


def test_a_connection_beyond_loopback_is_refused() -> None:
    with socket.socket() as outside, pytest.raises((SocketConnectBlockedError, UserWarning)):
        # Its warning comes first and is an error in this suite.
        outside.connect(("192.0.2.1", 80))  # an address reserved for documentation
