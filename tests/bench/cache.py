"""What the cache is worth, measured: `make bench-cache` writes build/bench-cache.json.

Five questions: whether any read breaks the contract in millions under faults, in simulated time;
how many loads a cold row costs under many readers; how near the hit ratio comes to the best that
any choice of rows could reach; what hits cost beside reads of the store, as ratios of calls that
were timed in turn; and how many writes share a round trip of the news that tell of them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from pathlib import Path

from tests.bench.cache_costs import cost_of_hits
from tests.bench.cache_hits import hit_ratios
from tests.bench.cache_loads import loads_of_cold_rows
from tests.bench.cache_news import writes_per_round_trip
from tests.bench.cache_staleness import stale_reads

READS = 5_000_000


def main() -> None:
    """Run all of it, write the figures down, and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reads", type=int, default=READS, help="reads to check under faults")
    parser.add_argument("--out", type=Path, default=Path("build/bench-cache.json"))
    asked = parser.parse_args()
    begun_s = time.monotonic()
    figures: dict[str, object] = {
        "costs": asyncio.run(cost_of_hits()),
        "news": asyncio.run(writes_per_round_trip()),
        "cold_rows": loads_of_cold_rows(),
        "hit_ratios": asyncio.run(hit_ratios()),
        "stale_reads": stale_reads(asked.reads),
    }
    figures["took_s"] = round(time.monotonic() - begun_s, 1)
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(figures, indent=2) + "\n")
    for name, rows in figures.items():
        print(f"\n{name}")
        if isinstance(rows, list):
            _print_table(rows)
        else:
            print(f"  {rows}")
    print(f"\nwritten to {asked.out}")


def _print_table(rows: list[dict[str, object]]) -> None:
    names = list(rows[0])
    cells = [names, *([str(row[name]) for name in names] for row in rows)]
    widths = [max(len(line[at]) for line in cells) for at in range(len(names))]
    for line in cells:
        print("  " + "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))


if __name__ == "__main__":
    main()
