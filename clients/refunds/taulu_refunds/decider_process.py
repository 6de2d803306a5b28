"""One decider as a process: batches of deliveries in on one pipe, word of each out on another.

A line in is `{"batch": 7, "deliveries": [...]}`; when every claim of it is settled, the line
`{"batch": 7}` goes out. Whoever sends a batch keeps it until then.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import cast

from taulu_client import Client, errors
from taulu_refunds.claims import delivery_from_json
from taulu_refunds.decider import Decider
from taulu_refunds.moments import utc_now
from taulu_refunds.policy import Policy, read_policy
from taulu_refunds.stores import Stores, open_stores

BATCHES_AT_ONCE = 2
TIMEOUT_S = 10.0
GATEWAY_S_MAX = 300.0
"""How long a decider waits for a gateway that cannot be reached, in seconds."""
_REST_S = 0.2
_LINE_BYTES_MAX = 1024 * 1024


async def run_decider(address: str) -> None:
    """Decide what comes in on standard input until it ends."""
    reader = asyncio.StreamReader(limit=_LINE_BYTES_MAX)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with Client(address, timeout_s=TIMEOUT_S) as client:
        stores = open_stores(client)
        policy = await _policy_when_there(stores)
        slots = asyncio.Semaphore(BATCHES_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            while line := await reader.readline():
                await slots.acquire()
                # Each batch has a decider of its own: claims of two batches never mix.
                decider = Decider(stores, policy, utc_now)
                group.create_task(_decide(decider, line, slots))


async def _policy_when_there(stores: Stores) -> Policy:
    """Return the policy in force; a gateway that is just being started again is waited for."""
    give_up = time.monotonic() + GATEWAY_S_MAX
    while True:
        try:
            return await read_policy(stores.policies)
        except errors.TransientError:
            if time.monotonic() > give_up:
                raise
            await asyncio.sleep(_REST_S)


async def _decide(decider: Decider, line: bytes, slots: asyncio.Semaphore) -> None:
    batch = cast("dict[str, object]", json.loads(line))
    fields = cast("list[dict[str, str | int]]", batch["deliveries"])
    await decider.decide([delivery_from_json(one) for one in fields])
    sys.stdout.write(json.dumps({"batch": batch["batch"]}) + "\n")
    sys.stdout.flush()
    slots.release()
