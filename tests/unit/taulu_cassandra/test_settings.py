from __future__ import annotations

import pytest

from taulu.model import ConfigError
from taulu_cassandra.settings import parse_settings

OPTIONS: dict[str, object] = {
    "contact_points": ["10.0.0.1"],
    "local_dc": "dc1",
    "replication": {"dc1": 3},
}


def test_what_is_needed_is_enough() -> None:
    settings = parse_settings(OPTIONS)
    assert (settings.port, settings.contact_points) == (9042, ("10.0.0.1",))


def test_a_password_is_shown_nowhere() -> None:
    settings = parse_settings({**OPTIONS, "username": "taulu", "password": "s3cret"})
    assert "s3cret" not in repr(settings) + str(settings.model_dump())
    with pytest.raises(ConfigError) as refused:
        parse_settings({**OPTIONS, "port": 0, "password": "s3cret"})
    assert "s3cret" not in str(refused.value) + repr(refused.value.__cause__)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"contact_point": "x"}, "contact_points"),
        ({"contact_points": []}, "contact_points"),
        ({"local_dc": ""}, "local_dc"),
        ({"replication": {}}, "replication"),
        ({"replication": {"dc1": "many"}}, "replication.dc1"),
        ({"keyspace_prefix": "Not-A-Name"}, "keyspace_prefix"),
        ({"operations_max": 0}, "operations_max"),
    ],
)
def test_a_wrong_option_is_named(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_settings(OPTIONS | wrong)
