"""Requests that the driver gives up by itself. That cannot be brought about on a real cluster at
will, so a stand-in for the vendor's client answers here."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from taulu_kafka._driver import Admin, DriverError


class Scripted:
    """Answers `create_topics` with one thing after another."""

    def __init__(self, *answers: int | None) -> None:
        self.answers = list(answers)

    def create_topics(self, topics: list[Any], request_timeout: float) -> dict[str, Future[None]]:
        answer, done = self.answers.pop(0), Future[None]()
        if answer is None:
            done.set_result(None)
        else:
            done.set_exception(KafkaException(KafkaError(answer)))
        return {topics[0].topic: done}


def create(*answers: int | None) -> Scripted:
    admin = Admin({"bootstrap.servers": "127.0.0.1:1"})
    scripted = Scripted(*answers)
    admin._admin = scripted
    admin.create("t", 1, 1, {}, timeout_s=1.0)
    return scripted


def test_a_request_whose_connection_the_driver_let_go_is_sent_again() -> None:
    lost = KafkaError._DESTROY_BROKER
    assert create(lost, lost, None).answers == []


def test_it_is_not_sent_again_for_ever() -> None:
    with pytest.raises(DriverError, match="_DESTROY_BROKER"):
        create(*[KafkaError._DESTROY_BROKER] * 4)


def test_what_the_cluster_refused_is_not_sent_again() -> None:
    with pytest.raises(DriverError, match="TOPIC_ALREADY_EXISTS"):
        create(KafkaError.TOPIC_ALREADY_EXISTS)
