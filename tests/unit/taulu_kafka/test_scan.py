from __future__ import annotations

from taulu_kafka.stamp import LOOK_BACK_MAX, Stamp
from tests.unit.taulu_kafka.parts import Log, record


def offsets(log: Log, start: int = 0) -> list[int]:
    return [counted.record.offset for counted in log.counted(start)]


def test_a_second_record_of_a_token_does_not_count() -> None:
    log = Log()
    log.append(Stamp("token-a", "1", 10, 0))
    log.append(Stamp("token-b", "2", 11, 0))
    log.append(Stamp("token-a", "1", 12, 0))
    assert offsets(log) == [0, 1]


def test_a_page_that_begins_behind_the_first_record_still_knows_the_second() -> None:
    log = Log()
    log.append(Stamp("token-a", "1", 10, 0))
    log.append(Stamp("token-b", "2", 11, 1))
    log.append(Stamp("token-a", "1", 12, 0))
    log.append(Stamp("token-c", "3", 13, 3))
    assert offsets(log, 1) == [1, 3]
    assert offsets(log, 2) == [3]


def test_a_token_whose_window_was_over_counts_again() -> None:
    log = Log()
    log.append(Stamp("token-a", "1", 10, 0))
    log.append(Stamp("token-a", "1", 99, 1))
    assert offsets(log) == [0, 1]


def test_a_record_that_landed_too_far_behind_is_void_for_every_reader() -> None:
    log = Log()
    for number in range(LOOK_BACK_MAX + 1):
        log.append(Stamp(f"token-{number}", "1", 10, number))
    late = log.append(Stamp("token-late", "2", 11, 0))
    again = log.append(Stamp("token-late", "2", 12, late + 1))
    assert offsets(log, late - 3) == [late - 3, late - 2, late - 1, again]
    assert offsets(log, late) == [again]


def test_times_never_step_back_whatever_the_writers_clocks_say() -> None:
    log = Log()
    log.append(Stamp("token-a", "1", 50, 0))
    log.append(Stamp("token-b", "2", 40, 0))
    log.append(Stamp("token-c", "3", 60, 1))
    assert [counted.time_us for counted in log.counted(0)] == [50, 50, 60]
    # The same from anywhere.
    assert [counted.time_us for counted in log.counted(1)] == [50, 60]


def test_records_of_others_always_count_at_kafkas_own_time() -> None:
    log = Log()
    log.append(Stamp("token-a", "1", 9_000, 0))
    log.records.append(record(1, time_ms=4))
    log.append(Stamp("token-b", "2", 1_000, 1))
    assert [(one.record.offset, one.time_us) for one in log.counted(0)] == [
        (0, 9_000),
        (1, 4_000),
        (2, 1_000),
    ]


def test_where_the_log_begins_nothing_further_back_is_asked_for() -> None:
    log = Log(low=1)
    log.append(Stamp("token-a", "1", 10, 0))
    log.append(Stamp("token-b", "2", 11, 0))
    assert offsets(log, 1) == [1]
