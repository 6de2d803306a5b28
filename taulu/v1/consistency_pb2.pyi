import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ConsistencyLevel(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONSISTENCY_LEVEL_UNSPECIFIED: _ClassVar[ConsistencyLevel]
    CONSISTENCY_LEVEL_EVENTUAL: _ClassVar[ConsistencyLevel]
    CONSISTENCY_LEVEL_BOUNDED_STALENESS: _ClassVar[ConsistencyLevel]
    CONSISTENCY_LEVEL_SESSION: _ClassVar[ConsistencyLevel]
    CONSISTENCY_LEVEL_QUORUM: _ClassVar[ConsistencyLevel]
    CONSISTENCY_LEVEL_LINEARIZABLE: _ClassVar[ConsistencyLevel]

class Source(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SOURCE_UNSPECIFIED: _ClassVar[Source]
    SOURCE_NEAR_CACHE: _ClassVar[Source]
    SOURCE_SHARED_CACHE: _ClassVar[Source]
    SOURCE_REPLICA: _ClassVar[Source]
    SOURCE_PRIMARY: _ClassVar[Source]
    SOURCE_CLIENT_CACHE: _ClassVar[Source]
CONSISTENCY_LEVEL_UNSPECIFIED: ConsistencyLevel
CONSISTENCY_LEVEL_EVENTUAL: ConsistencyLevel
CONSISTENCY_LEVEL_BOUNDED_STALENESS: ConsistencyLevel
CONSISTENCY_LEVEL_SESSION: ConsistencyLevel
CONSISTENCY_LEVEL_QUORUM: ConsistencyLevel
CONSISTENCY_LEVEL_LINEARIZABLE: ConsistencyLevel
SOURCE_UNSPECIFIED: Source
SOURCE_NEAR_CACHE: Source
SOURCE_SHARED_CACHE: Source
SOURCE_REPLICA: Source
SOURCE_PRIMARY: Source
SOURCE_CLIENT_CACHE: Source

class Consistency(_message.Message):
    __slots__ = ("level", "max_staleness", "session_token")
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    MAX_STALENESS_FIELD_NUMBER: _ClassVar[int]
    SESSION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    level: ConsistencyLevel
    max_staleness: _duration_pb2.Duration
    session_token: str
    def __init__(self, level: _Optional[_Union[ConsistencyLevel, str]] = ..., max_staleness: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., session_token: _Optional[str] = ...) -> None: ...

class ReplyFacts(_message.Message):
    __slots__ = ("consistency", "version", "age", "source", "session_token", "stale", "as_of_us", "worker")
    CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    AGE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SESSION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    STALE_FIELD_NUMBER: _ClassVar[int]
    AS_OF_US_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    consistency: ConsistencyLevel
    version: int
    age: _duration_pb2.Duration
    source: Source
    session_token: str
    stale: bool
    as_of_us: int
    worker: int
    def __init__(self, consistency: _Optional[_Union[ConsistencyLevel, str]] = ..., version: _Optional[int] = ..., age: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., source: _Optional[_Union[Source, str]] = ..., session_token: _Optional[str] = ..., stale: bool = ..., as_of_us: _Optional[int] = ..., worker: _Optional[int] = ...) -> None: ...

class IdempotencyToken(_message.Message):
    __slots__ = ("create_time_us", "nonce")
    CREATE_TIME_US_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    create_time_us: int
    nonce: str
    def __init__(self, create_time_us: _Optional[int] = ..., nonce: _Optional[str] = ...) -> None: ...
