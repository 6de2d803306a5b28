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

__all__ = ["RUN_ID", "Argument", "Connection", "DriverError", "Reply", "ReplyError", "key_slot"]

Argument: TypeAlias = bytes | str | int

RUN_ID: Argument = bytes(bytearray(b"run_id"))
"""In the place of a script's first argument it stands for the run of the server that the command
is sent to; told from other bytes by identity."""
_RUN_ID_AT = 4
"""After EVALSHA or EVAL, the script, the number of keys, and one key."""


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
        self.run_id = ""
        """Which run of the server is connected, once that was asked."""
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
        packed = self._raw.pack_commands([self._addressed(words) for words in commands])
        await self._raw.send_packed_command(packed, check_health=False)

    def _addressed(self, words: Sequence[Argument]) -> Sequence[Argument]:
        """Put the run of the server where it is wanted: a connection has only one."""
        if len(words) > _RUN_ID_AT and words[_RUN_ID_AT] is RUN_ID:
            return (*words[:_RUN_ID_AT], self.run_id, *words[_RUN_ID_AT + 1 :])
        return words

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
