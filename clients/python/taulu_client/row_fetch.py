"""Reading rows by key, in as many calls as the limits ask for."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from taulu.model.consistency import Consistency, Facts, Level
from taulu.model.result import Absent, Failed
from taulu.model.row import Key, Row
from taulu.v1 import consistency_pb2, data_pb2, value_pb2
from taulu.wire.facts import consistency_message, facts_from
from taulu.wire.values import key_message
from taulu_client import messages, rpc
from taulu_client.sendable import sendable
from taulu_client.sender import REQUEST_OVERHEAD_BYTES, Chunking, Sender
from taulu_client.shape import Shape

_REPLY_GROWTH = 4
"""How many bytes of a reply one byte of a stored row becomes at most: a list of numbers does."""


class Fetched(NamedTuple):
    """What a call brought for one key."""

    outcome: Row | Absent
    facts: Facts
    reply: consistency_pb2.ReplyFacts
    message: data_pb2.RowOutcome
    sent_s: float
    """When the call was sent, on the monotonic clock."""


async def fetch_rows(
    sender: Sender, shape: Shape, keys: Sequence[Key], columns: Sequence[str], wanted: Consistency
) -> list[Fetched | Failed]:
    """Read any number of rows; one outcome per key, in order."""

    async def attempt(sent: Sequence[value_pb2.Key], left_s: float) -> list[Fetched | Failed]:
        with sendable():
            request = data_pb2.BatchGetRequest(
                table=shape.info.name,
                keys=sent,
                columns=columns,
                consistency=consistency_message(wanted),
            )
        sent_s, sent_us = time.monotonic(), messages.now_us()
        reply = await sender.rpc.call(rpc.BATCH_GET, request, left_s)
        facts = facts_of_call(reply.facts, sent_us)
        sender.session.see(facts)
        return [
            outcome
            if isinstance(outcome, Failed)
            else Fetched(outcome, facts, reply.facts, message, sent_s)
            for outcome, message in zip(
                messages.row_outcomes(reply.outcomes), reply.outcomes, strict=True
            )
        ]

    asked = [key_message(key) for key in keys]
    chunking = _read_chunking(shape, sender.options.response_bytes_max)
    sizes = [message.ByteSize() for message in asked]
    return await sender.send_all(asked, sizes, chunking, attempt)


def facts_of_call(reply: consistency_pb2.ReplyFacts, sent_us: int) -> Facts:
    """Return what a reply says, on this machine's clock.

    Its age is counted back from when the call was sent, so that the way back makes nothing
    younger. At QUORUM and above the store was read after that.
    """
    facts = facts_from(reply, sent_us)
    return replace(facts, as_of_us=sent_us) if facts.level >= Level.QUORUM else facts


def chunking_of(shape: Shape, items: str) -> Chunking:
    """Return how large a request may be whose items are counted by one of the table's limits."""
    limits = shape.info.limits
    return Chunking(limits[items], limits["request_bytes"] - REQUEST_OVERHEAD_BYTES)


def _read_chunking(shape: Shape, response_bytes_max: int) -> Chunking:
    """Return pieces whose rows fit one reply, be each as large as the table allows."""
    chunking = chunking_of(shape, "batch_keys")
    row_bytes = _REPLY_GROWTH * max(1, shape.info.limits.get("row_bytes", 1))
    rows = max(1, response_bytes_max // row_bytes)
    return replace(chunking, items_max=min(chunking.items_max, rows))
