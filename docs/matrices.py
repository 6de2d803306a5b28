"""Write the capability and the fault matrix from what tests found out; nothing is typed.

    python docs/matrices.py build/results            take over what the tests there found out
    python docs/matrices.py --check build/results    say where it differs from the pages
    python docs/matrices.py --check                  say whether the pages fit matrices.json

`make test` leaves its results in build/results, and `make matrices` takes them over. What a run
found out is kept, without what varies from run to run, in docs/reference/matrices.json,
and the pages are written from that. A part that did not run, because its server cannot be had on
this machine, stays as it was recorded; where CI is set, every part must have run.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from matrix_pages import capability_page, fault_page
from matrix_records import Matrices, recorded

FOLDER = Path(__file__).parent / "reference"
KEPT = FOLDER / "matrices.json"


def main() -> int:
    """Take over, or check."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", nargs="?", type=Path, help="where the tests left their results")
    parser.add_argument("--check", action="store_true", help="change nothing")
    asked = parser.parse_args()
    kept: Matrices = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    found = recorded(asked.results) if asked.results is not None else {}
    wrong = [f"{name} is broken" for name, part in found.items() if part["broken"]]
    if asked.check:
        wrong += differences(kept, found, is_whole=bool(asked.results and os.environ.get("CI")))
    merged = kept if asked.check else {**kept, **found}
    for path, text in pages(merged).items():
        if not asked.check:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            wrong.append(f"{path.name} does not say what was recorded")
    for line in wrong:
        print(line, file=sys.stderr)
    if asked.check and wrong:
        print("after `make test`, run `make matrices` to take over what it found", file=sys.stderr)
    return 1 if wrong else 0


def pages(matrices: Matrices) -> dict[Path, str]:
    """Return the text of every file that follows from the records."""
    text = json.dumps(matrices, indent=1, sort_keys=True) + "\n"
    # From the text, so that the order of what was found does not show.
    matrices = json.loads(text)
    return {
        KEPT: text,
        FOLDER / "capabilities.md": capability_page(matrices),
        FOLDER / "faults.md": fault_page(matrices),
    }


def differences(kept: Matrices, found: Matrices, *, is_whole: bool) -> list[str]:
    """Return where a run differs from what is kept, a line each."""
    lines = [
        f"{name} was found to be otherwise than recorded"
        for name, part in found.items()
        if kept.get(name) != part
    ]
    absent = sorted(set(kept) - set(found)) if found or is_whole else []
    if absent and is_whole:
        lines += [f"{name} did not run" for name in absent]
    elif absent:
        print(f"not run here, so not checked: {', '.join(absent)}")
    return lines


if __name__ == "__main__":
    sys.exit(main())
