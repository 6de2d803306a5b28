"""Which scenario finds which missing fence."""

from __future__ import annotations

from tests.cache import focused, mutations
from tests.cache.scenarios import SCENARIOS

MUTANTS = (
    (mutations.no_fence_of_flights, focused.HOT),
    (mutations.no_lease_check, focused.HOT),
    (mutations.near_before_shared, focused.HOT),
    (mutations.no_drop_of_near, focused.HOT),
    (mutations.no_drop_of_shared, focused.HOT),
    (mutations.no_news, focused.HOT),
    (mutations.absence_outlives_writes, focused.HOT),
    (mutations.batches_stay_open, focused.CROWDED),
    (mutations.writers_do_not_wait, focused.CROWDED),
    (mutations.expired_rows_are_served, focused.EXPIRING),
    (mutations.no_gap_detection, focused.LOST_NEWS),
    (mutations.no_silence_detection, focused.SKEWED_NEWS),
    (mutations.no_member_list, focused.UNHEARD),
    (mutations.restarts_count_as_new, focused.COMES_BACK),
    (mutations.no_miss_of_the_broken_way, SCENARIOS["outages"]),
    (mutations.no_refusal_when_cut_off, focused.CUT_OFF),
    (mutations.new_lists_are_believed, focused.UNLISTED),
    (mutations.nothing_missed_of_the_forgotten, focused.LAST_WORDS),
    (mutations.no_loss_of_failed_drops, focused.LOST_DROPS),
    (mutations.no_skew_in_news, focused.SKEWED_NEWS),
    (mutations.no_skew_in_shared_entries, focused.SKEWED_TIER),
    (mutations.no_skew_in_sessions, focused.SKEWED_SESSIONS),
    (mutations.no_bound_of_the_call, focused.BOUNDED),
    (mutations.no_session_time, focused.SLOW_SESSIONS),
    (mutations.no_session_version, focused.SESSIONS),
    (mutations.sessions_by_version_of_pages, focused.PAGES),
    (mutations.no_ticket, focused.RIVALS),
    (mutations.repeats_fill, focused.RIVALS),
    (mutations.loads_below_quorum, focused.HOT),
)
