import datetime

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

class NewRecord(_message.Message):
    __slots__ = ("key", "columns", "token")
    class ColumnsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _value_pb2.Value
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_value_pb2.Value, _Mapping]] = ...) -> None: ...
    KEY_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    key: _containers.RepeatedCompositeFieldContainer[_value_pb2.Value]
    columns: _containers.MessageMap[str, _value_pb2.Value]
    token: _consistency_pb2.IdempotencyToken
    def __init__(self, key: _Optional[_Iterable[_Union[_value_pb2.Value, _Mapping]]] = ..., columns: _Optional[_Mapping[str, _value_pb2.Value]] = ..., token: _Optional[_Union[_consistency_pb2.IdempotencyToken, _Mapping]] = ...) -> None: ...

class AppendRequest(_message.Message):
    __slots__ = ("table", "records")
    TABLE_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    table: str
    records: _containers.RepeatedCompositeFieldContainer[NewRecord]
    def __init__(self, table: _Optional[str] = ..., records: _Optional[_Iterable[_Union[NewRecord, _Mapping]]] = ...) -> None: ...

class AppendResponse(_message.Message):
    __slots__ = ("outcomes", "facts")
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    outcomes: _containers.RepeatedCompositeFieldContainer[AppendOutcome]
    facts: _consistency_pb2.ReplyFacts
    def __init__(self, outcomes: _Optional[_Iterable[_Union[AppendOutcome, _Mapping]]] = ..., facts: _Optional[_Union[_consistency_pb2.ReplyFacts, _Mapping]] = ...) -> None: ...

class AppendOutcome(_message.Message):
    __slots__ = ("appended", "failed")
    APPENDED_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    appended: Appended
    failed: _status_pb2.Error
    def __init__(self, appended: _Optional[_Union[Appended, _Mapping]] = ..., failed: _Optional[_Union[_status_pb2.Error, _Mapping]] = ...) -> None: ...

class Appended(_message.Message):
    __slots__ = ("partition", "offset", "append_time")
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    APPEND_TIME_FIELD_NUMBER: _ClassVar[int]
    partition: int
    offset: int
    append_time: _timestamp_pb2.Timestamp
    def __init__(self, partition: _Optional[int] = ..., offset: _Optional[int] = ..., append_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ReadRequest(_message.Message):
    __slots__ = ("table", "partition", "offset", "time", "earliest", "latest", "follow", "record_count_max", "page_bytes")
    TABLE_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    EARLIEST_FIELD_NUMBER: _ClassVar[int]
    LATEST_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    RECORD_COUNT_MAX_FIELD_NUMBER: _ClassVar[int]
    PAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    table: str
    partition: int
    offset: int
    time: _timestamp_pb2.Timestamp
    earliest: Earliest
    latest: Latest
    follow: bool
    record_count_max: int
    page_bytes: int
    def __init__(self, table: _Optional[str] = ..., partition: _Optional[int] = ..., offset: _Optional[int] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., earliest: _Optional[_Union[Earliest, _Mapping]] = ..., latest: _Optional[_Union[Latest, _Mapping]] = ..., follow: bool = ..., record_count_max: _Optional[int] = ..., page_bytes: _Optional[int] = ...) -> None: ...

class Earliest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Latest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class LogRecord(_message.Message):
    __slots__ = ("partition", "offset", "append_time", "key", "columns")
    class ColumnsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _value_pb2.Value
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_value_pb2.Value, _Mapping]] = ...) -> None: ...
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    APPEND_TIME_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    partition: int
    offset: int
    append_time: _timestamp_pb2.Timestamp
    key: _containers.RepeatedCompositeFieldContainer[_value_pb2.Value]
    columns: _containers.MessageMap[str, _value_pb2.Value]
    def __init__(self, partition: _Optional[int] = ..., offset: _Optional[int] = ..., append_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., key: _Optional[_Iterable[_Union[_value_pb2.Value, _Mapping]]] = ..., columns: _Optional[_Mapping[str, _value_pb2.Value]] = ...) -> None: ...

class ReadResponse(_message.Message):
    __slots__ = ("records", "next_offset", "end_offset", "facts")
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    NEXT_OFFSET_FIELD_NUMBER: _ClassVar[int]
    END_OFFSET_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    records: _containers.RepeatedCompositeFieldContainer[LogRecord]
    next_offset: int
    end_offset: int
    facts: _consistency_pb2.ReplyFacts
    def __init__(self, records: _Optional[_Iterable[_Union[LogRecord, _Mapping]]] = ..., next_offset: _Optional[int] = ..., end_offset: _Optional[int] = ..., facts: _Optional[_Union[_consistency_pb2.ReplyFacts, _Mapping]] = ...) -> None: ...
