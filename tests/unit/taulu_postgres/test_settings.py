from __future__ import annotations

import pytest

from taulu.model import ConfigError
from taulu.spi import Environment
from taulu_postgres import PostgresAdapter
from taulu_postgres.settings import parse_settings


def test_the_nearest_option_is_named() -> None:
    with pytest.raises(ConfigError, match=r"no option 'hots'; did you mean 'host'\?"):
        parse_settings({"hots": "db"})


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({}, "host"),
        ({"host": "db", "port": 0}, "port"),
        ({"host": "db", "sslmode": "on"}, "sslmode"),
        ({"host": "db", "schema": "Bad"}, "schema"),
        ({"host": "db", "replicas": ["a:b:c"]}, "replicas"),
        ({"host": "db", "connections_max": 0}, "connections_max"),
        ({"host": "db", "dialect": "oracle"}, "dialect"),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, object], option: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_settings(options)
    assert refused.value.details["option"] == option


def test_a_dsn_that_cannot_be_parsed_is_not_shown() -> None:
    with pytest.raises(ConfigError, match="no connection string") as refused:
        PostgresAdapter.create({"dsn": "host=db password='hunter2"}, Environment())
    assert "hunter2" not in repr(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


def test_a_password_of_the_wrong_type_is_not_shown() -> None:
    with pytest.raises(ConfigError) as refused:
        parse_settings({"host": "db", "password": ["hunter2"]})
    assert "hunter2" not in repr(refused.value)


def test_secrets_are_not_in_what_settings_print() -> None:
    settings = parse_settings({"dsn": "postgresql://u:hunter2@db/x", "password": "hunter3"})
    assert "hunter" not in f"{settings!r}{settings}"


def test_options_win_over_the_dsn_and_the_primary_must_take_writes() -> None:
    adapter = PostgresAdapter.create(
        {"dsn": "postgresql://u@db:1/x", "port": 2, "replicas": ["standby:3"]}, Environment()
    )
    database = adapter._database
    assert database.place == "database 'x' at db:2"
    assert [pool._place for pool in database.standbys] == ["database 'x' at standby:3"]
    assert database._server._options["target_session_attrs"] == "read-write"
