"""`taulu.v1.DataService`: rows of `kv` and `wide` tables."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from taulu.gateway import Gateway
from taulu.model.clock import Clock
from taulu.model.consistency import Facts
from taulu.model.operation import GetRows, Page, QueryRows, ScanRows, WriteRows
from taulu.model.result import Failed, RowOutcome, Written
from taulu.model.row import Row
from taulu.policy.sift import merge, sift
from taulu.server.counts import check_keys, check_units
from taulu.server.method import Call, Method
from taulu.server.turns import in_turns
from taulu.v1 import consistency_pb2
from taulu.v1 import data_pb2 as pb
from taulu.wire.errors import error_message
from taulu.wire.facts import consistency_from, facts_message, level_from
from taulu.wire.mutations import unit_from
from taulu.wire.values import key_from, key_values_from, range_from, required, row_message

SERVICE = "taulu.v1.DataService"
PAGE_ROWS_DEFAULT = 100


@dataclass(frozen=True, slots=True)
class DataService:
    """Turns requests into operations, and results into replies."""

    gateway: Gateway
    clock: Clock

    def methods(self) -> list[Method[Any]]:
        """Return the service's methods."""
        return [
            Method(f"/{SERVICE}/Get", pb.GetRequest, unary=self.get),
            Method(f"/{SERVICE}/BatchGet", pb.BatchGetRequest, unary=self.batch_get),
            Method(f"/{SERVICE}/Query", pb.QueryRequest, unary=self.query),
            Method(f"/{SERVICE}/Scan", pb.ScanRequest, stream=self.scan),
            Method(f"/{SERVICE}/Write", pb.WriteRequest, unary=self.write),
            Method(f"/{SERVICE}/BatchWrite", pb.BatchWriteRequest, unary=self.batch_write),
        ]

    async def get(self, request: pb.GetRequest, call: Call) -> pb.GetResponse:
        """Read one row: a batch of one."""
        required(request, "key")
        operation = GetRows(
            request.table,
            (key_from(request.key),),
            tuple(request.columns),
            consistency_from(request.consistency),
        )
        result = await self.gateway(operation, call.context)
        outcome = result.outcomes[0]
        if isinstance(outcome, Failed):
            raise outcome.error
        row = row_message(outcome) if isinstance(outcome, Row) else None
        return pb.GetResponse(row=row, facts=self._facts(result.facts))

    async def batch_get(self, request: pb.BatchGetRequest, call: Call) -> pb.BatchGetResponse:
        """Read many rows."""
        check_keys(self.gateway, request.table, request.keys)
        keys, failed = sift(request.keys, key_from)
        operation = GetRows(
            request.table,
            keys,
            tuple(request.columns),
            consistency_from(request.consistency),
        )
        result = await self.gateway(operation, call.context)
        outcomes = merge(result.outcomes, failed)
        return pb.BatchGetResponse(
            outcomes=await in_turns(outcomes, _row_outcome, self.clock),
            facts=self._facts(result.facts),
        )

    async def query(self, request: pb.QueryRequest, call: Call) -> pb.QueryResponse:
        """Read one page of a partition."""
        operation = QueryRows(
            request.table,
            key_values_from(request.partition),
            _page(request.page_size, request.page_token, request.page_bytes),
            range_from(request.range),
            request.reverse,
            tuple(request.columns),
            consistency_from(request.consistency),
        )
        page = await self.gateway(operation, call.context)
        return pb.QueryResponse(
            rows=await in_turns(page.rows, row_message, self.clock),
            next_page_token=page.next_token,
            facts=self._facts(page.facts),
        )

    async def scan(self, request: pb.ScanRequest, call: Call) -> AsyncIterator[pb.ScanResponse]:
        """Stream the pages of one segment until its end."""
        consistency = consistency_from(request.consistency)
        token = request.page_token
        while True:
            operation = ScanRows(
                request.table,
                _page(request.page_size, token),
                request.segment,
                request.segment_count or 1,
                tuple(request.columns),
                consistency,
            )
            page = await self.gateway(operation, call.page_context(self.clock.monotonic()))
            yield pb.ScanResponse(
                rows=await in_turns(page.rows, row_message, self.clock),
                next_page_token=page.next_token,
                facts=self._facts(page.facts),
            )
            token = page.next_token
            if not token:
                return
            call.check_draining()

    async def write(self, request: pb.WriteRequest, call: Call) -> pb.WriteResponse:
        """Apply one unit: a batch of one."""
        check_units(self.gateway, request.table, (request,))
        unit = unit_from(
            pb.WriteUnit(
                mutations=request.mutations, conditions=request.conditions, token=request.token
            )
        )
        operation = WriteRows(request.table, (unit,), level_from(request.consistency))
        result = await self.gateway(operation, call.context)
        outcome = result.outcomes[0]
        if isinstance(outcome, Failed):
            raise outcome.error
        return pb.WriteResponse(facts=self._facts(result.facts))

    async def batch_write(self, request: pb.BatchWriteRequest, call: Call) -> pb.BatchWriteResponse:
        """Apply many independent units."""
        check_units(self.gateway, request.table, request.units)
        units, failed = sift(request.units, unit_from)
        operation = WriteRows(request.table, units, level_from(request.consistency))
        result = await self.gateway(operation, call.context)
        return pb.BatchWriteResponse(
            outcomes=[_write_outcome(outcome) for outcome in merge(result.outcomes, failed)],
            facts=self._facts(result.facts),
        )

    def _facts(self, facts: Facts) -> consistency_pb2.ReplyFacts:
        return facts_message(facts, self.clock, self.gateway.run)


def _page(rows_max: int, token: str, bytes_max: int = 0) -> Page:
    """Return a page; what is 0 or below is left to the table's limits."""
    return Page(rows_max if rows_max > 0 else PAGE_ROWS_DEFAULT, max(bytes_max, 0), token=token)


def _row_outcome(outcome: RowOutcome) -> pb.RowOutcome:
    match outcome:
        case Row():
            return pb.RowOutcome(found=row_message(outcome))
        case Failed(error=error):
            return pb.RowOutcome(failed=error_message(error))
        case _:
            return pb.RowOutcome(absent=pb.Absent())


def _write_outcome(outcome: Written | Failed) -> pb.WriteOutcome:
    if isinstance(outcome, Failed):
        return pb.WriteOutcome(failed=error_message(outcome.error))
    return pb.WriteOutcome(written=pb.Written(version=outcome.version))
