from __future__ import annotations

import pytest

from taulu.model import ConfigError, Level
from taulu.spi import Environment
from taulu_redis import RedisAdapter
from taulu_redis.greeting import troubles_of
from taulu_redis.settings import Address, parse_address, parse_settings

NODE = ["127.0.0.1:6379"]
STRONG = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({}, "nodes"),
        ({"nodes": []}, "nodes"),
        ({"nodes": ["localhost"]}, "nodes"),
        ({"nodes": ["localhost:70000"]}, "nodes"),
        ({"nodes": NODE, "paswort": "x"}, "paswort"),
        ({"nodes": NODE, "mode": "sentinel"}, "service"),
        ({"nodes": NODE, "service": "a"}, "service"),
        ({"nodes": [*NODE, "b:1"]}, "standalone has one node"),
        ({"nodes": NODE, "quorum_replicas": 1}, "quorum_replicas"),
        ({"nodes": NODE, "mode": "cluster", "db": 1}, "db"),
        ({"nodes": NODE, "durability": "sometimes"}, "durability"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(options: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        parse_settings(options)


def test_no_error_and_no_text_of_settings_holds_a_secret() -> None:
    with pytest.raises(ConfigError) as refused:
        parse_settings({"nodes": NODE, "password": ["open-sesame"]})
    settings = parse_settings({"nodes": NODE, "password": "open-sesame"})
    shown = repr(refused.value) + str(refused.value.details) + repr(settings) + str(settings)
    assert "sesame" not in shown


def test_addresses_may_have_brackets() -> None:
    assert parse_address("[::1]:6379") == Address("::1", 6379)
    assert str(parse_address("redis.example:1")) == "redis.example:1"


@pytest.mark.parametrize(
    ("options", "strongest_read", "strongest_write"),
    [
        ({}, Level.LINEARIZABLE, Level.LINEARIZABLE),
        ({"durability": "everysec"}, Level.BOUNDED_STALENESS, Level.EVENTUAL),
        ({"durability": "none"}, Level.BOUNDED_STALENESS, Level.EVENTUAL),
        ({"allow_eviction": True}, Level.BOUNDED_STALENESS, Level.EVENTUAL),
        ({"mode": "cluster"}, Level.EVENTUAL, Level.EVENTUAL),
        ({"mode": "cluster", "quorum_replicas": 1}, Level.LINEARIZABLE, Level.LINEARIZABLE),
        ({"mode": "sentinel", "service": "a"}, Level.EVENTUAL, Level.EVENTUAL),
        (
            {"mode": "cluster", "quorum_replicas": 1, "durability": "everysec"},
            Level.BOUNDED_STALENESS,
            Level.EVENTUAL,
        ),
    ],
)
def test_levels_are_what_the_set_up_can_keep(
    options: dict[str, object], strongest_read: Level, strongest_write: Level
) -> None:
    adapter = RedisAdapter.create({"nodes": NODE, **options}, Environment())
    assert max(adapter.capabilities.read_levels) is strongest_read
    assert max(adapter.capabilities.write_levels) is strongest_write


@pytest.mark.parametrize(
    ("declared", "changed", "said"),
    [
        ("always", {}, []),
        ("always", {"appendonly": "no"}, ["appendonly yes"]),
        ("always", {"appendfsync": "everysec"}, ["appendfsync always"]),
        ("always", {"no-appendfsync-on-rewrite": "yes"}, ["no-appendfsync-on-rewrite no"]),
        ("everysec", {"appendfsync": "everysec"}, []),
        ("everysec", {"appendfsync": "no"}, ["appendfsync everysec"]),
        ("none", {"appendonly": "no", "appendfsync": "no"}, []),
        ("none", {"maxmemory-policy": "volatile-lru"}, ["noeviction"]),
    ],
)
def test_a_server_that_is_weaker_than_declared_is_found_out(
    declared: str, changed: dict[str, str], said: list[str]
) -> None:
    settings = parse_settings({"nodes": NODE, "durability": declared})
    troubles = troubles_of({**STRONG, **changed}, settings)
    assert len(troubles) == len(said)
    assert all(words in trouble for words, trouble in zip(said, troubles, strict=True))
