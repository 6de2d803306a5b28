"""Redis connections as this adapter uses them: the only file that touches `redis`.

Only the driver's connection is used: sockets, TLS, log-in and the protocol. Its pools and its
clients for Sentinel and Cluster send a command again by themselves, and do not say whether it
was sent before the connection broke; see docs/adr/0025.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, Union, cast

from redis.asyncio.connection import Connection as _Connection
from redis.asyncio.connection import SSLConnection as _SSLConnection
from redis.crc import key_slot
from redis.exceptions import RedisError as DriverError
from redis.exceptions import ResponseError as _ResponseError

if TYPE_CHECKING:
    from taulu_redis.settings import Address, RedisSettings

__all__ = ["Argument", "Connection", "DriverError", "Reply", "ReplyError", "key_slot"]

Argument: TypeAlias = bytes | str | int


@dataclass(frozen=True, slots=True)
class ReplyError:
    """The server's refusal of one command."""

    code: str
    """The first word, for instance `MOVED`."""
    text: str
    """All of it."""
    cause: DriverError


Reply: TypeAlias = Union[int, bytes, "list[Reply]", ReplyError, None]


class Connection:
    """One connection to one server. Every method raises `DriverError` or `OSError`."""

    def __init__(
        self, address: Address, settings: RedisSettings, *, is_sentinel: bool = False
    ) -> None:
        options: dict[str, Any] = {
            "host": address.host,
            "port": address.port,
            "db": 0 if is_sentinel else settings.db,
            "protocol": 2,
            "socket_timeout": None,
            "socket_connect_timeout": settings.connect_timeout_s,
            "driver_info": None,
        }
        username = settings.sentinel_username if is_sentinel else settings.username
        password = settings.sentinel_password if is_sentinel else settings.password
        if password is not None:
            options |= {"username": username, "password": password.get_secret_value()}
        if settings.tls:
            options |= {
                "ssl_ca_certs": _path(settings.tls_ca_file),
                "ssl_certfile": _path(settings.tls_cert_file),
                "ssl_keyfile": _path(settings.tls_key_file),
            }
        self._raw: Any = (_SSLConnection if settings.tls else _Connection)(**options)

    async def connect(self) -> None:
        """Connect and log in."""
        await self._raw.connect()

    @property
    def is_open(self) -> bool:
        """Whether the connection is there, as far as is known without asking."""
        return bool(self._raw.is_connected) and not self._raw._reader.at_eof()

    async def exchange(self, commands: Sequence[Sequence[Argument]]) -> list[Reply]:
        """Send commands at once and return their replies, in order."""
        await self.send(commands)
        return [await self.receive() for _ in commands]

    async def send(self, commands: Sequence[Sequence[Argument]]) -> None:
        """Send commands and wait for nothing."""
        await self._raw.send_packed_command(self._raw.pack_commands(commands), check_health=False)

    async def receive(self) -> Reply:
        """Wait for the next reply, or the next message of a subscription."""
        try:
            return cast(
                Reply,
                await self._raw.read_response(disable_decoding=True, disconnect_on_error=False),
            )
        except DriverError as error:
            code = error.status_code
            if code is not None:
                return ReplyError(code, f"{code} {error}", error)
            if isinstance(error, _ResponseError):
                text = str(error)
                return ReplyError(text.partition(" ")[0], text, error)
            raise

    async def close(self) -> None:
        """Close the connection at once; safe to call twice."""
        await self._raw.disconnect(nowait=True)


def _path(path: object) -> str | None:
    return None if path is None else str(path)
