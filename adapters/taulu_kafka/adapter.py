"""The Kafka adapter: operations on log tables to the appender and the readers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from taulu.model import (
    AppendRecords,
    AppendResults,
    ConfigError,
    Facts,
    FromLatest,
    FromOffset,
    InvalidArgument,
    Kind,
    Level,
    LogPage,
    ReadLog,
    Source,
    Table,
    Unavailable,
)
from taulu.spi import Adapter, Capabilities, Context, Environment, Feature, Finding
from taulu_kafka._driver import Admin, DriverError, Place
from taulu_kafka.appending import Appender
from taulu_kafka.ends import Ends
from taulu_kafka.examination import examine
from taulu_kafka.mapping import START_THEM, to_taulu
from taulu_kafka.partitions import Partitions
from taulu_kafka.readers import Readers
from taulu_kafka.reading import PageRead
from taulu_kafka.records import RecordCodec
from taulu_kafka.sender import Sender
from taulu_kafka.settings import ADAPTER_NAME, KafkaSettings, parse_settings
from taulu_kafka.tails import Tails
from taulu_kafka.topics import TopicPlan, plan_topic, prepare_topic, wrong_options

_OPEN_S = 10.0
_CLOSE_S = 3.0
_ANSWER_S = 0.1
"""How long before the caller's deadline an answer is given, so that it arrives in time."""
_ANSWER_SHARE = 0.2
"""The most of a short deadline that is kept for that."""
_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class _Running:
    """What an open adapter has."""

    admin: Admin
    sender: Sender
    tails: Tails
    readers: Readers
    ends: Ends
    partitions: Partitions
    appender: Appender


class KafkaAdapter(Adapter):
    """Keeps each log table in one topic; see the README for what it promises."""

    name = ADAPTER_NAME
    capabilities = Capabilities(
        kinds=frozenset({Kind.LOG}),
        features=frozenset({Feature.READ_FROM_TIME, Feature.RETENTION}),
        read_levels=frozenset({Level.EVENTUAL}),
        write_levels=frozenset({Level.QUORUM}),
    )

    def __init__(self, settings: KafkaSettings, environment: Environment) -> None:
        super().__init__()
        self._settings = settings
        self._environment = environment
        self._clock = environment.clock
        self._codecs: dict[str, RecordCodec] = {}
        self._open: _Running | None = None

    @classmethod
    def create(cls, options: Mapping[str, object], environment: Environment) -> KafkaAdapter:
        """See `Adapter.create`; the options are those of `KafkaSettings`."""
        return cls(parse_settings(options), environment)

    async def open(self) -> None:
        """See `Adapter.open`. A cluster of which no broker answers is `Unavailable`."""
        settings, clock = self._settings, self._clock
        try:
            admin = Admin(settings.client_config())
            await asyncio.to_thread(admin.cluster, _OPEN_S)
            sender = Sender(settings.producer_config())
            tails = Tails(settings.consumer_config())
        except DriverError as error:
            raise to_taulu(error, f"Kafka at {settings.servers}", START_THEM) from error
        readers = Readers(
            settings.reader_config(), settings.readers, settings.read_queue_max, clock.monotonic
        )
        window_us = int(self._environment.token_window_s * _MICROSECONDS)
        partitions = Partitions(tails, readers, clock, window_us, settings.tokens_max)
        ends = Ends(clock.monotonic)
        appender = Appender(sender, partitions, readers, clock, ends, settings.write_queue_max)
        for part in (sender, tails, readers):
            part.start()
        self._open = _Running(admin, sender, tails, readers, ends, partitions, appender)

    async def close(self) -> None:
        """See `Adapter.close`. What is under way is given a few seconds."""
        running, self._open = self._open, None
        if running is None:
            return
        await asyncio.to_thread(running.sender.stop, _CLOSE_S)
        await running.partitions.close()
        await asyncio.gather(
            asyncio.to_thread(running.tails.stop), asyncio.to_thread(running.readers.stop)
        )

    async def examine(self, tables: Sequence[Table] = ()) -> list[Finding]:
        """See `Adapter.examine`."""
        window_us = int(self._environment.token_window_s * _MICROSECONDS)
        since_ms = (self._clock.now_us() - window_us) // 1_000
        plans = [self._plan(table) for table in tables]
        return await asyncio.to_thread(examine, self._settings, plans, since_ms)

    def _wrong_options(self, table: Table) -> list[str]:
        return wrong_options(table)

    async def _prepare(self, table: Table) -> None:
        plan = self._plan(table)
        for other, codec in self._codecs.items():
            if codec.topic == plan.name and other != table.full_name:
                raise ConfigError(
                    f"tables {other} and {table.full_name} both name topic {plan.name}; give "
                    "each a topic of its own",
                    details={"table": table.full_name, "topic": plan.name},
                )
        await asyncio.to_thread(prepare_topic, self._running.admin, plan)
        self._codecs[table.full_name] = RecordCodec(table, plan.name)

    def _plan(self, table: Table) -> TopicPlan:
        return plan_topic(table, self._settings.topic_prefix, self._environment.token_window_s)

    async def _append_records(
        self, operation: AppendRecords, table: Table, context: Context
    ) -> AppendResults:
        now_us = self._clock.now_us()
        outcomes = await self._running.appender.append(
            self._codecs[table.full_name], operation.records, self._answer_by(context)
        )
        return AppendResults(outcomes, Facts(Level.QUORUM, 0, now_us, Source.PRIMARY))

    async def _read_log(self, operation: ReadLog, table: Table, context: Context) -> LogPage:
        place, ends = self._place(operation, table), self._running.ends
        deadline = self._answer_by(context)
        give_up = min(self._clock.monotonic() + operation.wait_s, deadline)
        while True:
            now_us = self._clock.now_us()
            read = PageRead(
                self._codecs[table.full_name],
                place,
                operation.start,
                operation.records_max,
                operation.bytes_max,
                None if table.ttl_us is None else now_us - table.ttl_us + 1,
                ends.known(place),
            )
            found = await self._running.readers.run(read, deadline)
            ends.note(place, found.end_offset)
            if found.records or self._clock.monotonic() >= give_up:
                facts = Facts(Level.EVENTUAL, 0, now_us, Source.PRIMARY)
                return LogPage(found.records, found.next_offset, found.end_offset, facts)
            if isinstance(operation.start, FromLatest) or found.next_offset < found.end_offset:
                # The end as it was when the call came is what it must wait behind.
                operation = replace(operation, start=FromOffset(found.next_offset))
            if found.next_offset >= found.end_offset:
                await self._running.partitions.grown(place, found.end_offset, give_up)

    def _answer_by(self, context: Context) -> float:
        left_s = max(0.0, context.deadline - self._clock.monotonic())
        return context.deadline - min(_ANSWER_S, left_s * _ANSWER_SHARE)

    def _place(self, operation: ReadLog, table: Table) -> Place:
        if not 0 <= operation.partition < table.log_partitions:
            raise InvalidArgument(
                f"log {table.full_name} has no partition {operation.partition}; it has 0 to "
                f"{table.log_partitions - 1}",
                details={"table": table.full_name, "partition": str(operation.partition)},
            )
        return Place(self._codecs[table.full_name].topic, operation.partition)

    @property
    def _running(self) -> _Running:
        if self._open is None:
            raise Unavailable(f"Kafka at {self._settings.servers} is not open; open it first")
        return self._open
