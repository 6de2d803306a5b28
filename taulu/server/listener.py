"""Reserving the port that the worker processes of one server share."""

from __future__ import annotations

import socket
from collections.abc import Generator
from contextlib import contextmanager

from taulu.model.errors import ConfigError


@contextmanager
def reserve_port(host: str, port: int, setting: str = "listen") -> Generator[int]:
    """Hold a port for the workers of this server, and give its number.

    The workers bind it with SO_REUSEPORT. A first bind without that option finds out whether
    someone else already listens there: with it, a second server would quietly take a share of
    the first one's calls.

    Args:
        host: Where to listen.
        port: Its number; 0 takes a free one.
        setting: What to change when it is taken.

    Raises:
        ConfigError: The address is taken, or cannot be bound at all.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            # Binding succeeds beside a listener that has SO_REUSEADDR too; listening does not.
            probe.listen(1)
            chosen = int(probe.getsockname()[1])
        held = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise refusal(host, port, setting, error) from error
    with held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            held.bind((host, chosen))
        except OSError as error:
            raise refusal(host, port, setting, error) from error
        yield chosen


def refusal(host: str, port: int, setting: str, error: OSError) -> ConfigError:
    """Return what to say of an address that cannot be bound."""
    return ConfigError(
        f"cannot listen on {host}:{port}: {error.strerror or error}; "
        f"choose another `{setting}` address, or stop what uses this one",
        details={setting: f"{host}:{port}"},
    )
