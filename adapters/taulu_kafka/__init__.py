"""The Kafka adapter: logs as topics."""

from taulu_kafka.adapter import KafkaAdapter

__all__ = ["KafkaAdapter"]
