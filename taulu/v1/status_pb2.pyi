import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ErrorGroup(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_GROUP_UNSPECIFIED: _ClassVar[ErrorGroup]
    ERROR_GROUP_CALLER: _ClassVar[ErrorGroup]
    ERROR_GROUP_CONFLICT: _ClassVar[ErrorGroup]
    ERROR_GROUP_TRANSIENT: _ClassVar[ErrorGroup]
    ERROR_GROUP_UNCERTAIN: _ClassVar[ErrorGroup]
    ERROR_GROUP_FATAL: _ClassVar[ErrorGroup]
ERROR_GROUP_UNSPECIFIED: ErrorGroup
ERROR_GROUP_CALLER: ErrorGroup
ERROR_GROUP_CONFLICT: ErrorGroup
ERROR_GROUP_TRANSIENT: ErrorGroup
ERROR_GROUP_UNCERTAIN: ErrorGroup
ERROR_GROUP_FATAL: ErrorGroup

class Error(_message.Message):
    __slots__ = ("group", "code", "message", "details", "retry_after")
    class DetailsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    GROUP_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_FIELD_NUMBER: _ClassVar[int]
    group: ErrorGroup
    code: str
    message: str
    details: _containers.ScalarMap[str, str]
    retry_after: _duration_pb2.Duration
    def __init__(self, group: _Optional[_Union[ErrorGroup, str]] = ..., code: _Optional[str] = ..., message: _Optional[str] = ..., details: _Optional[_Mapping[str, str]] = ..., retry_after: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...
