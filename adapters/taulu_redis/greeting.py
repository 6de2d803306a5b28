"""What is asked of every server before it is used: is it what the settings declare?"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from taulu.model import ConfigError, Unavailable
from taulu_redis import mapping
from taulu_redis._driver import Connection, Reply, ReplyError
from taulu_redis.scripts import ALL_SCRIPTS
from taulu_redis.settings import Address, Durability, Mode, RedisSettings

_log = logging.getLogger(__name__)

CHECKED = ("appendonly", "appendfsync", "no-appendfsync-on-rewrite", "maxmemory-policy")
"""The server's settings on which promises stand."""


@dataclass(frozen=True, slots=True)
class Greeting:
    """Makes connections ready: checks role and configuration, loads the scripts, learns the run."""

    settings: RedisSettings

    async def __call__(self, connection: Connection, address: Address) -> None:
        """See `Greet`.

        Raises:
            ConfigError: The server is set up otherwise than declared.
            Unavailable: It is no primary, or cannot answer yet.
        """
        commands = [("ROLE",), *(("CONFIG", "GET", name) for name in CHECKED)]
        loads = [("SCRIPT", "LOAD", script.text) for script in ALL_SCRIPTS]
        role, *found, server = await connection.exchange([*commands, *loads, ("INFO", "server")])
        if isinstance(role, ReplyError):
            raise mapping.to_taulu(role, str(address))
        if self.settings.mode is not Mode.CLUSTER and role_of(role) != "master":
            raise Unavailable(f"Redis at {address} is a replica, and cannot be written")
        for reply in found[len(CHECKED) :]:
            if isinstance(reply, ReplyError):
                raise mapping.to_taulu(reply, str(address))
        connection.run_id = facts_of(server).get("run_id", "")
        config = config_of(found[: len(CHECKED)])
        if config is None:
            _log.warning("Redis at %s does not show its configuration; it is trusted", address)
            return
        if troubles := troubles_of(config, self.settings):
            raise ConfigError(
                f"Redis at {address} is not set up as declared: {'; '.join(troubles)}",
                details={"server": str(address)},
            )


def role_of(reply: Reply) -> str:
    """Return `master`, `slave` or `sentinel` of a reply to ROLE."""
    if isinstance(reply, list) and reply and isinstance(reply[0], bytes):
        return reply[0].decode()
    return "unknown"


def facts_of(reply: Reply) -> dict[str, str]:
    """Return the facts in a reply to INFO; none when it may not be asked."""
    text = reply.decode() if isinstance(reply, bytes) else ""
    pairs = (line.partition(":") for line in text.splitlines() if ":" in line)
    return {name: value for name, _, value in pairs}


def config_of(replies: list[Reply]) -> dict[str, str] | None:
    """Return the settings in replies to CONFIG GET; None when they may not be read."""
    found: dict[str, str] = {}
    for reply in replies:
        if not isinstance(reply, list):
            return None
        texts = [part.decode() for part in reply if isinstance(part, bytes)]
        found |= dict(zip(texts[::2], texts[1::2], strict=True))
    return found


def troubles_of(config: dict[str, str], settings: RedisSettings) -> list[str]:
    """Return where a server's configuration is weaker than declared, one sentence each."""
    troubles: list[str] = []
    declared, fsync = settings.durability, config.get("appendfsync")
    if declared is not Durability.NONE and config.get("appendonly") != "yes":
        troubles.append(
            f"durability {declared.value} needs appendonly yes; set it, or declare durability none"
        )
    if declared is Durability.ALWAYS and fsync != "always":
        troubles.append(
            f"durability always needs appendfsync always, and it is {fsync}; set it, or declare "
            "durability everysec and write at EVENTUAL"
        )
    if declared is Durability.ALWAYS and config.get("no-appendfsync-on-rewrite") == "yes":
        troubles.append("durability always needs no-appendfsync-on-rewrite no; set it")
    if declared is Durability.EVERYSEC and fsync == "no":
        troubles.append("durability everysec needs appendfsync everysec or always; set it")
    policy = config.get("maxmemory-policy")
    if policy != "noeviction" and not settings.allow_eviction:
        troubles.append(
            f"maxmemory-policy {policy} drops data when memory is short; set noeviction, or "
            "allow_eviction if this data may vanish"
        )
    return troubles
