import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from taulu.v1 import consistency_pb2 as _consistency_pb2
from taulu.v1 import status_pb2 as _status_pb2
from taulu.v1 import value_pb2 as _value_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Bounds(_message.Message):
    __slots__ = ("floor", "ceiling")
    FLOOR_FIELD_NUMBER: _ClassVar[int]
    CEILING_FIELD_NUMBER: _ClassVar[int]
    floor: int
    ceiling: int
    def __init__(self, floor: _Optional[int] = ..., ceiling: _Optional[int] = ...) -> None: ...

class Counter(_message.Message):
    __slots__ = ("key", "value", "held_increase", "held_decrease", "version")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    HELD_INCREASE_FIELD_NUMBER: _ClassVar[int]
    HELD_DECREASE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    key: _value_pb2.Key
    value: int
    held_increase: int
    held_decrease: int
    version: int
    def __init__(self, key: _Optional[_Union[_value_pb2.Key, _Mapping]] = ..., value: _Optional[int] = ..., held_increase: _Optional[int] = ..., held_decrease: _Optional[int] = ..., version: _Optional[int] = ...) -> None: ...

class IncrementRequest(_message.Message):
    __slots__ = ("table", "key", "delta", "bounds", "token")
    TABLE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    DELTA_FIELD_NUMBER: _ClassVar[int]
    BOUNDS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    table: str
    key: _value_pb2.Key
    delta: int
    bounds: Bounds
    token: _consistency_pb2.IdempotencyToken
    def __init__(self, table: _Optional[str] = ..., key: _Optional[_Union[_value_pb2.Key, _Mapping]] = ..., delta: _Optional[int] = ..., bounds: _Optional[_Union[Bounds, _Mapping]] = ..., token: _Optional[_Union[_consistency_pb2.IdempotencyToken, _Mapping]] = ...) -> None: ...

class IncrementResponse(_message.Message):
    __slots__ = ("counter", "facts")
    COUNTER_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    counter: Counter
    facts: _consistency_pb2.ReplyFacts
    def __init__(self, counter: _Optional[_Union[Counter, _Mapping]] = ..., facts: _Optional[_Union[_consistency_pb2.ReplyFacts, _Mapping]] = ...) -> None: ...

class ReserveRequest(_message.Message):
    __slots__ = ("table", "key", "amount", "bounds", "ttl", "hold_id", "token")
    TABLE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    BOUNDS_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    HOLD_ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    table: str
    key: _value_pb2.Key
    amount: int
    bounds: Bounds
    ttl: _duration_pb2.Duration
    hold_id: str
    token: _consistency_pb2.IdempotencyToken
    def __init__(self, table: _Optional[str] = ..., key: _Optional[_Union[_value_pb2.Key, _Mapping]] = ..., amount: _Optional[int] = ..., bounds: _Optional[_Union[Bounds, _Mapping]] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., hold_id: _Optional[str] = ..., token: _Optional[_Union[_consistency_pb2.IdempotencyToken, _Mapping]] = ...) -> None: ...

class ReserveResponse(_message.Message):
    __slots__ = ("counter", "hold_id", "expire_time", "facts")
    COUNTER_FIELD_NUMBER: _ClassVar[int]
    HOLD_ID_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    counter: Counter
    hold_id: str
    expire_time: _timestamp_pb2.Timestamp
    facts: _consistency_pb2.ReplyFacts
    def __init__(self, counter: _Optional[_Union[Counter, _Mapping]] = ..., hold_id: _Optional[str] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., facts: _Optional[_Union[_consistency_pb2.ReplyFacts, _Mapping]] = ...) -> None: ...

class CommitRequest(_message.Message):
    __slots__ = ("table", "key", "hold_id", "amount", "token")
    TABLE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    HOLD_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    table: str
    key: _value_pb2.Key
    hold_id: str
    amount: int
    token: _consistency_pb2.IdempotencyToken
    def __init__(self, table: _Optional[str] = ..., key: _Optional[_Union[_value_pb2.Key, _Mapping]] = ..., hold_id: _Optional[str] = ..., amount: _Optional[int] = ..., token: _Optional[_Union[_consistency_pb2.IdempotencyToken, _Mapping]] = ...) -> None: ...

class CommitResponse(_message.Message):
    __slots__ = ("counter", "facts")
    COUNTER_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    counter: Counter
    facts: _consistency_pb2.ReplyFacts
    def __init__(self, counter: _Optional[_Union[Counter, _Mapping]] = ..., facts: _Optional[_Union[_consistency_pb2.ReplyFacts, _Mapping]] = ...) -> None: ...

class ReleaseRequest(_message.Message):
    __slots__ = ("table", "key", "hold_id", "token")
    TABLE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    HOLD_ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    table: str
    key: _value_pb2.Key
    hold_id: str
    token: _consistency_pb2.IdempotencyToken
    def __init__(self, table: _Optional[str] = ..., key: _Optional[_Union[_value_pb2.Key, _Mapping]] = ..., hold_id: _Optional[str] = ..., token: _Optional[_Union[_consistency_pb2.IdempotencyToken, _Mapping]] = ...) -> None: ...

class ReleaseResponse(_message.Message):
    __slots__ = ("counter", "facts")
    COUNTER_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    counter: Counter
    facts: _consistency_pb2.ReplyFacts
    def __init__(self, counter: _Optional[_Union[Counter, _Mapping]] = ..., facts: _Optional[_Union[_consistency_pb2.ReplyFacts, _Mapping]] = ...) -> None: ...

class GetCountersRequest(_message.Message):
    __slots__ = ("table", "keys", "consistency")
    TABLE_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    table: str
    keys: _containers.RepeatedCompositeFieldContainer[_value_pb2.Key]
    consistency: _consistency_pb2.Consistency
    def __init__(self, table: _Optional[str] = ..., keys: _Optional[_Iterable[_Union[_value_pb2.Key, _Mapping]]] = ..., consistency: _Optional[_Union[_consistency_pb2.Consistency, _Mapping]] = ...) -> None: ...

class GetCountersResponse(_message.Message):
    __slots__ = ("outcomes", "facts")
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    outcomes: _containers.RepeatedCompositeFieldContainer[CounterOutcome]
    facts: _consistency_pb2.ReplyFacts
    def __init__(self, outcomes: _Optional[_Iterable[_Union[CounterOutcome, _Mapping]]] = ..., facts: _Optional[_Union[_consistency_pb2.ReplyFacts, _Mapping]] = ...) -> None: ...

class CounterOutcome(_message.Message):
    __slots__ = ("found", "failed")
    FOUND_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    found: Counter
    failed: _status_pb2.Error
    def __init__(self, found: _Optional[_Union[Counter, _Mapping]] = ..., failed: _Optional[_Union[_status_pb2.Error, _Mapping]] = ...) -> None: ...
