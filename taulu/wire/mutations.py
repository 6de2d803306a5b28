"""Mutations and conditions of a write, between messages and the model."""

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
from taulu.v1 import data_pb2 as pb
from taulu.wire.facts import token_from, token_message
from taulu.wire.values import (
    columns_from,
    columns_message,
    duration_message,
    duration_us,
    key_from,
    key_message,
    key_values_from,
    range_from,
    range_message,
    required,
    value_message,
)


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


def unit_message(unit: WriteUnit) -> pb.WriteUnit:
    """Return a write unit as a message."""
    return pb.WriteUnit(
        mutations=[mutation_message(mutation) for mutation in unit.mutations],
        conditions=[condition_message(condition) for condition in unit.conditions],
        token=token_message(unit.token),
    )


def mutation_message(mutation: Mutation) -> pb.Mutation:
    """Return a mutation as a message."""
    match mutation:
        case Put():
            put = pb.Put(key=key_message(mutation.key), columns=columns_message(mutation.columns))
            if mutation.ttl_us is not None:
                put.ttl.CopyFrom(duration_message(mutation.ttl_us))
            return pb.Mutation(put=put)
        case Update():
            update = pb.Update(
                key=key_message(mutation.key), columns=columns_message(mutation.columns)
            )
            if mutation.ttl_us is not None:
                update.ttl.CopyFrom(duration_message(mutation.ttl_us))
            return pb.Mutation(update=update)
        case Delete():
            return pb.Mutation(delete=pb.Delete(key=key_message(mutation.key)))
        case DeleteRange():
            stretch = pb.DeleteRange(
                partition=[value_message(value) for value in mutation.partition],
                range=range_message(mutation.range),
            )
            return pb.Mutation(delete_range=stretch)


def condition_message(condition: Condition) -> pb.Condition:
    """Return a condition as a message."""
    key = key_message(condition.key)
    match condition:
        case IfAbsent():
            return pb.Condition(key=key, if_absent=pb.Absent())
        case IfPresent():
            return pb.Condition(key=key, if_present=pb.Present())
        case IfVersion(version=version):
            return pb.Condition(key=key, if_version=version)
        case IfColumns(columns=columns):
            equal = pb.ColumnsEqual(columns=columns_message(columns))
            return pb.Condition(key=key, if_columns=equal)
