import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from taulu.v1 import value_pb2 as _value_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Worker(_message.Message):
    __slots__ = ("server_id", "number", "count", "run")
    SERVER_ID_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    server_id: str
    number: int
    count: int
    run: int
    def __init__(self, server_id: _Optional[str] = ..., number: _Optional[int] = ..., count: _Optional[int] = ..., run: _Optional[int] = ...) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = ("tables",)
    TABLES_FIELD_NUMBER: _ClassVar[int]
    tables: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, tables: _Optional[_Iterable[str]] = ...) -> None: ...

class WatchResponse(_message.Message):
    __slots__ = ("worker", "sent_us", "invalidations", "missed", "vouchings")
    WORKER_FIELD_NUMBER: _ClassVar[int]
    SENT_US_FIELD_NUMBER: _ClassVar[int]
    INVALIDATIONS_FIELD_NUMBER: _ClassVar[int]
    MISSED_FIELD_NUMBER: _ClassVar[int]
    VOUCHINGS_FIELD_NUMBER: _ClassVar[int]
    worker: Worker
    sent_us: int
    invalidations: _containers.RepeatedCompositeFieldContainer[Invalidation]
    missed: bool
    vouchings: _containers.RepeatedCompositeFieldContainer[Vouching]
    def __init__(self, worker: _Optional[_Union[Worker, _Mapping]] = ..., sent_us: _Optional[int] = ..., invalidations: _Optional[_Iterable[_Union[Invalidation, _Mapping]]] = ..., missed: bool = ..., vouchings: _Optional[_Iterable[_Union[Vouching, _Mapping]]] = ...) -> None: ...

class Invalidation(_message.Message):
    __slots__ = ("table", "places")
    TABLE_FIELD_NUMBER: _ClassVar[int]
    PLACES_FIELD_NUMBER: _ClassVar[int]
    table: str
    places: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, table: _Optional[str] = ..., places: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Vouching(_message.Message):
    __slots__ = ("table", "vouched", "since_us", "until_us")
    TABLE_FIELD_NUMBER: _ClassVar[int]
    VOUCHED_FIELD_NUMBER: _ClassVar[int]
    SINCE_US_FIELD_NUMBER: _ClassVar[int]
    UNTIL_US_FIELD_NUMBER: _ClassVar[int]
    table: str
    vouched: bool
    since_us: int
    until_us: int
    def __init__(self, table: _Optional[str] = ..., vouched: bool = ..., since_us: _Optional[int] = ..., until_us: _Optional[int] = ...) -> None: ...

class VerifyCacheRequest(_message.Message):
    __slots__ = ("table", "sample_size")
    TABLE_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_SIZE_FIELD_NUMBER: _ClassVar[int]
    table: str
    sample_size: int
    def __init__(self, table: _Optional[str] = ..., sample_size: _Optional[int] = ...) -> None: ...

class VerifyCacheResponse(_message.Message):
    __slots__ = ("worker", "sampled", "done", "checked", "lagging", "beyond", "staleness_p50", "staleness_p95", "staleness_p99", "staleness_max", "counter_examples", "bound")
    WORKER_FIELD_NUMBER: _ClassVar[int]
    SAMPLED_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    CHECKED_FIELD_NUMBER: _ClassVar[int]
    LAGGING_FIELD_NUMBER: _ClassVar[int]
    BEYOND_FIELD_NUMBER: _ClassVar[int]
    STALENESS_P50_FIELD_NUMBER: _ClassVar[int]
    STALENESS_P95_FIELD_NUMBER: _ClassVar[int]
    STALENESS_P99_FIELD_NUMBER: _ClassVar[int]
    STALENESS_MAX_FIELD_NUMBER: _ClassVar[int]
    COUNTER_EXAMPLES_FIELD_NUMBER: _ClassVar[int]
    BOUND_FIELD_NUMBER: _ClassVar[int]
    worker: Worker
    sampled: int
    done: int
    checked: int
    lagging: int
    beyond: int
    staleness_p50: _duration_pb2.Duration
    staleness_p95: _duration_pb2.Duration
    staleness_p99: _duration_pb2.Duration
    staleness_max: _duration_pb2.Duration
    counter_examples: _containers.RepeatedCompositeFieldContainer[CounterExample]
    bound: _duration_pb2.Duration
    def __init__(self, worker: _Optional[_Union[Worker, _Mapping]] = ..., sampled: _Optional[int] = ..., done: _Optional[int] = ..., checked: _Optional[int] = ..., lagging: _Optional[int] = ..., beyond: _Optional[int] = ..., staleness_p50: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., staleness_p95: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., staleness_p99: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., staleness_max: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., counter_examples: _Optional[_Iterable[_Union[CounterExample, _Mapping]]] = ..., bound: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class CounterExample(_message.Message):
    __slots__ = ("key", "tier", "cached_version", "stored_version", "staleness")
    KEY_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    CACHED_VERSION_FIELD_NUMBER: _ClassVar[int]
    STORED_VERSION_FIELD_NUMBER: _ClassVar[int]
    STALENESS_FIELD_NUMBER: _ClassVar[int]
    key: _value_pb2.Key
    tier: str
    cached_version: int
    stored_version: int
    staleness: _duration_pb2.Duration
    def __init__(self, key: _Optional[_Union[_value_pb2.Key, _Mapping]] = ..., tier: _Optional[str] = ..., cached_version: _Optional[int] = ..., stored_version: _Optional[int] = ..., staleness: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class GetCacheStatsRequest(_message.Message):
    __slots__ = ("table",)
    TABLE_FIELD_NUMBER: _ClassVar[int]
    table: str
    def __init__(self, table: _Optional[str] = ...) -> None: ...

class GetCacheStatsResponse(_message.Message):
    __slots__ = ("worker", "tables", "channels", "near_bytes", "near_bytes_max", "near_places", "watchers")
    WORKER_FIELD_NUMBER: _ClassVar[int]
    TABLES_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    NEAR_BYTES_FIELD_NUMBER: _ClassVar[int]
    NEAR_BYTES_MAX_FIELD_NUMBER: _ClassVar[int]
    NEAR_PLACES_FIELD_NUMBER: _ClassVar[int]
    WATCHERS_FIELD_NUMBER: _ClassVar[int]
    worker: Worker
    tables: _containers.RepeatedCompositeFieldContainer[TableCacheStats]
    channels: _containers.RepeatedCompositeFieldContainer[ChannelState]
    near_bytes: int
    near_bytes_max: int
    near_places: int
    watchers: int
    def __init__(self, worker: _Optional[_Union[Worker, _Mapping]] = ..., tables: _Optional[_Iterable[_Union[TableCacheStats, _Mapping]]] = ..., channels: _Optional[_Iterable[_Union[ChannelState, _Mapping]]] = ..., near_bytes: _Optional[int] = ..., near_bytes_max: _Optional[int] = ..., near_places: _Optional[int] = ..., watchers: _Optional[int] = ...) -> None: ...

class TableCacheStats(_message.Message):
    __slots__ = ("table", "counts", "hit_ratio", "near_places", "hottest", "vouched", "why_not")
    class CountsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    TABLE_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    HIT_RATIO_FIELD_NUMBER: _ClassVar[int]
    NEAR_PLACES_FIELD_NUMBER: _ClassVar[int]
    HOTTEST_FIELD_NUMBER: _ClassVar[int]
    VOUCHED_FIELD_NUMBER: _ClassVar[int]
    WHY_NOT_FIELD_NUMBER: _ClassVar[int]
    table: str
    counts: _containers.ScalarMap[str, int]
    hit_ratio: float
    near_places: int
    hottest: _containers.RepeatedCompositeFieldContainer[HotPlace]
    vouched: bool
    why_not: str
    def __init__(self, table: _Optional[str] = ..., counts: _Optional[_Mapping[str, int]] = ..., hit_ratio: _Optional[float] = ..., near_places: _Optional[int] = ..., hottest: _Optional[_Iterable[_Union[HotPlace, _Mapping]]] = ..., vouched: bool = ..., why_not: _Optional[str] = ...) -> None: ...

class HotPlace(_message.Message):
    __slots__ = ("partition", "share")
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    partition: _containers.RepeatedCompositeFieldContainer[_value_pb2.Value]
    share: float
    def __init__(self, partition: _Optional[_Iterable[_Union[_value_pb2.Value, _Mapping]]] = ..., share: _Optional[float] = ...) -> None: ...

class ChannelState(_message.Message):
    __slots__ = ("name", "vouches", "why_not", "gaps")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VOUCHES_FIELD_NUMBER: _ClassVar[int]
    WHY_NOT_FIELD_NUMBER: _ClassVar[int]
    GAPS_FIELD_NUMBER: _ClassVar[int]
    name: str
    vouches: bool
    why_not: str
    gaps: int
    def __init__(self, name: _Optional[str] = ..., vouches: bool = ..., why_not: _Optional[str] = ..., gaps: _Optional[int] = ...) -> None: ...
