from __future__ import annotations

import pytest

from taulu.model import ConfigError, SchemaConflict
from taulu.spi import check_fits, wrong_option
from tests.unit.policy.parts import ORDERS


def test_a_table_that_fits_is_let_through_and_every_difference_is_told() -> None:
    check_fits(ORDERS, [])
    with pytest.raises(SchemaConflict, match=r"shop\.orders.*: kind differs; key differs\. "):
        check_fits(ORDERS, ["kind differs", "key differs"])


def test_a_wrong_option_is_named_with_the_way_to_it_and_without_its_value() -> None:
    refused = wrong_option("redis", ("nodes", 0), "it is no address")
    assert isinstance(refused, ConfigError)
    assert "option 'nodes.0' of adapter 'redis' is wrong: it is no address" in refused.message
    assert refused.details == {"adapter": "redis", "option": "nodes.0"}
    assert wrong_option("redis", (), "x", unnamed="nodes").details["option"] == "nodes"
    assert wrong_option("kafka", (), "x").message.startswith("what is set of adapter 'kafka'")
