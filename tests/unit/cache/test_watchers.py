from __future__ import annotations

from taulu.cache.near import Place
from taulu.cache.watchers import WAITING_MAX, Watchers

MINE = Place("shop.orders", b"ada")


async def test_a_watcher_hears_of_its_tables_only() -> None:
    watchers = Watchers()
    watcher = watchers.add(frozenset({"shop.orders"}))
    watchers.tell([MINE, Place("shop.other", b"ada")])
    assert await watcher.next(1.0) == [MINE]
    assert await watcher.next(0.01) == []
    watchers.remove(watcher)
    watchers.tell([MINE])
    assert await watcher.next(0.01) == []


async def test_a_watcher_that_does_not_keep_up_is_told_so() -> None:
    watchers = Watchers()
    watcher = watchers.add(frozenset({"shop.orders"}))
    watchers.tell([MINE] * (WAITING_MAX + 1))
    assert await watcher.next(1.0) == []
    assert watcher.has_missed
