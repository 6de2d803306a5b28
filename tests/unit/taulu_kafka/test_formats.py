"""What stands in Kafka does not change by accident."""

from __future__ import annotations

from array import array
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from taulu.model import Corrupt, IdempotencyToken, LogRecord, NewRecord
from taulu.model.value import Value
from taulu_kafka.records import RecordCodec
from taulu_kafka.scan import Counted
from taulu_kafka.stamp import Stamp, read_stamp, token_digest, write_stamp
from tests.unit.taulu_kafka.parts import PLACE, TABLE, record

CODEC = RecordCodec(TABLE, "audit.events")
TOKEN = IdempotencyToken(0, "nonce-0001")
COLUMNS: dict[str, Value] = {
    "flag": True,
    "count": 2**63 - 1,
    "ratio": 0.1,
    "price": Decimal("12.30"),
    "text": 'a "b" \x00\U0001f9ea',
    "blob": b"\x00\xff",
    "at": datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
    "ref": UUID(int=7),
    "point": array("f", [0.5, -1.0, 3.25]),
    "tags": ["x", "y"],
    "prices": {"a": Decimal("1E+2")},
}
STAMP = Stamp("nonce-0001", "ab", 1_700_000_000_000_001, 41)


def written(columns: dict[str, Value]) -> bytes:
    return CODEC.draft(NewRecord(("s",), columns, TOKEN)).value


def read(value: bytes, *, key: bytes = b"s\x00\x01", stamp: Stamp | None = STAMP) -> LogRecord:
    message = record(5, stamp, value=value)._replace(key=key)
    return CODEC.read(Counted(message, stamp, 9))


def test_a_value_is_one_json_object_of_all_columns() -> None:
    assert written(COLUMNS).decode() == (
        '{"source":"s","flag":true,"count":9223372036854775807,"ratio":0.1,"price":"12.30",'
        '"text":"a \\"b\\" \\u0000\U0001f9ea","blob":"AP8=","at":"2026-01-02T03:04:05.000006Z",'
        '"ref":"00000000-0000-0000-0000-000000000007","point":[0.5,-1.0,3.25],'
        '"tags":["x","y"],"prices":{"a":"100"}}'
    )


def test_every_type_is_read_back_unchanged() -> None:
    expected = LogRecord(PLACE.partition, 5, 9, ("s",), COLUMNS)
    assert read(written(COLUMNS)) == expected


def test_numbers_that_json_lacks_are_strings() -> None:
    for number, text in ((float("inf"), "Infinity"), (float("-inf"), "-Infinity")):
        value = written({"ratio": number})
        assert value == f'{{"source":"s","ratio":"{text}"}}'.encode()
        assert read(value).columns == {"ratio": number}
    ratio = read(written({"ratio": float("nan")})).columns["ratio"]
    assert isinstance(ratio, float)
    assert ratio != ratio  # noqa: PLR0124 - only NaN is not itself
    assert read(written({"ratio": 3.0})).columns == {"ratio": 3.0}


def test_key_and_partition_are_those_of_kafkas_own_clients() -> None:
    draft = CODEC.draft(NewRecord(("s",), {}, TOKEN))
    assert draft.key == b"s\x00\x01"
    assert draft.place.topic == "audit.events"
    # Kafka's default partitioner, by the driver's own murmur2.
    confluent_kafka = pytest.importorskip("confluent_kafka")
    for n in range(200):
        draft = CODEC.draft(NewRecord((f"source-{n}",), {}, TOKEN))
        assert draft.place.partition == confluent_kafka.murmur2(draft.key, TABLE.log_partitions)


def test_headers_stay_what_they_are() -> None:
    headers = write_stamp(STAMP, CODEC.schema)
    assert headers == (
        ("taulu-token", b"nonce-0001"),
        ("taulu-effect", b"ab"),
        ("taulu-time", b"1700000000000001"),
        ("taulu-checked", b"41"),
        ("taulu-schema", b"1:25169f95"),
    )
    assert read_stamp(headers) == STAMP


def test_headers_of_others_are_no_stamp() -> None:
    for headers in (
        (),
        (("trace", b"1"),),
        (("taulu-token", b"only"),),
        write_stamp(STAMP, "1:0")[:3],
        (*write_stamp(STAMP, "1:0")[:3], ("taulu-checked", b"many")),
        (*write_stamp(STAMP, "1:0")[:3], ("taulu-checked", None)),
        (*write_stamp(STAMP, "1:0")[1:], ("taulu-token", b"\xff")),
    ):
        assert read_stamp(headers) is None


def test_effects_and_tokens_have_the_digests_that_they_had() -> None:
    draft = CODEC.draft(NewRecord(("s",), {"count": 1, "text": "a"}, TOKEN))
    assert draft.effect == "112e3d72063f1fcdf090da5bcb875223"
    assert draft.digest == token_digest("nonce-0001")
    assert draft.digest.hex() == "b42df5f8c06f05464c5301ac3fa9fd31"


def test_equal_effects_and_only_they_have_equal_digests() -> None:
    def effect(key: str, columns: dict[str, Value]) -> str:
        return CODEC.draft(NewRecord((key,), columns, TOKEN)).effect

    first = effect("s", {"count": 1, "text": "a"})
    assert effect("s", {"text": "a", "count": 1}) == first
    others = [
        effect("t", {"count": 1, "text": "a"}),
        effect("s", {"count": 2, "text": "a"}),
        effect("s", {"count": 1}),
        effect("s", {"ratio": 1.0, "text": "a"}),
    ]
    assert len({first, *others}) == 5


def test_columns_that_are_not_known_are_passed_over() -> None:
    assert read(b'{"source":"s","count":1,"later":[1]}').columns == {"count": 1}


def test_records_of_others_are_read_by_their_columns() -> None:
    got = read(b'{"source":"other","count":1,"text":null}', key=b"whatever", stamp=None)
    assert (got.key, got.columns) == (("other",), {"count": 1})
    assert read(b'{"count":1}', stamp=None).key == ("s",)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"text",
        b"[1]",
        b'{"source":"s","count":1.5}',
        b'{"source":"s","count":true}',
        b'{"source":"s","count":9223372036854775808}',
        b'{"source":"s","flag":1}',
        b'{"source":"s","at":"2026-01-02T03:04:05"}',
        b'{"source":"s","blob":"*"}',
        b'{"source":"s","price":"much"}',
        b'{"source":"s","ratio":"big"}',
        b'{"source":"s","tags":"x"}',
        b'{"source":"s","prices":["1"]}',
    ],
)
def test_what_is_no_record_of_the_table_is_corrupt_and_says_where_to_go_on(value: bytes) -> None:
    with pytest.raises(Corrupt) as refused:
        read(value, stamp=None)
    assert refused.value.details["offset"] == "5"
    assert refused.value.details["next_offset"] == "6"
