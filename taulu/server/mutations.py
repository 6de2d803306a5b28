"""Mutations and conditions of a write, from messages to the model."""

from __future__ import annotations

from taulu.model.errors import InvalidArgument
from taulu.model.operation import (
    Condition,
    Delete,
    DeleteRange,
    IfAbsent,
    IfColumns,
    IfPresent,
    IfVersion,
    Mutation,
    Put,
    Update,
    WriteUnit,
)
from taulu.model.row import Key
from taulu.model.value import Value
from taulu.server.facts import token_from
from taulu.server.values import (
    columns_from,
    duration_us,
    key_from,
    key_values_from,
    range_from,
    required,
)
from taulu.v1 import data_pb2 as pb


def unit_from(message: pb.WriteUnit) -> WriteUnit:
    """Return a write unit.

    Raises:
        InvalidArgument: A mutation or condition says nothing, or a key is missing.
        InvalidToken: The token was left out.
    """
    return WriteUnit(
        tuple(mutation_from(mutation) for mutation in message.mutations),
        token_from(message.token),
        tuple(condition_from(condition) for condition in message.conditions),
    )


def mutation_from(message: pb.Mutation) -> Mutation:
    """Return a mutation."""
    match message.WhichOneof("mutation"):
        case "put":
            return Put(*_columns_and_ttl(message.put))
        case "update":
            return Update(*_columns_and_ttl(message.update))
        case "delete":
            required(message.delete, "key")
            return Delete(key_from(message.delete.key))
        case "delete_range":
            stretch = message.delete_range
            return DeleteRange(key_values_from(stretch.partition), range_from(stretch.range))
        case _:
            raise InvalidArgument(
                "a mutation is empty; set put, update, delete or delete_range in it"
            )


def _columns_and_ttl(message: pb.Put | pb.Update) -> tuple[Key, dict[str, Value], int | None]:
    required(message, "key")
    ttl_us = duration_us(message.ttl) if message.HasField("ttl") else None
    return key_from(message.key), columns_from(message.columns), ttl_us


def condition_from(message: pb.Condition) -> Condition:
    """Return a condition."""
    required(message, "key")
    key = key_from(message.key)
    match message.WhichOneof("condition"):
        case "if_absent":
            return IfAbsent(key)
        case "if_present":
            return IfPresent(key)
        case "if_version":
            return IfVersion(key, message.if_version)
        case "if_columns":
            return IfColumns(key, columns_from(message.if_columns.columns))
        case _:
            raise InvalidArgument(
                "a condition is empty; set if_absent, if_present, if_version or if_columns in it"
            )
