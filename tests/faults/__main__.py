"""Print what catches each fault in each world, and what is said of clean experience."""

from __future__ import annotations

import argparse
import sys
import time

from tests.faults.environments import worlds
from tests.faults.harness import ROWS, cases, scene, table_of, try_fault


def main() -> int:
    """Try the whole corpus; fail where something is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1, help="repeat with so many other recordings")
    parser.add_argument("--rows", type=int, default=ROWS, help="of the reference, and of what is damaged")
    parser.add_argument("--fault", help="only this one")
    parser.add_argument("--world", choices=list(worlds()), help="only this one")
    asked = parser.parse_args()
    missed = 0
    for seed in range(asked.seeds):
        began, outcomes = time.monotonic(), []
        for name in worlds():
            if asked.world in (None, name):
                on = scene(name, seed, asked.rows)
                share = 1000 * on.said.concerned / on.said.rows
                _tell(f"{name}: {on.said.concerned} of {on.said.rows} clean rows ({share:.2f} in 1,000)")
                for saying, count in on.said.sayings.items():
                    _tell(f"  said of clean experience: {saying} {count}")
        for fault, name in cases():
            if asked.world in (None, name) and asked.fault in (None, fault.name):
                outcome = try_fault(fault, scene(name, seed, asked.rows), seed)
                outcomes.append(outcome)
                if not outcome.caught or asked.fault:
                    _tell(f"{fault.name} in {name}: wanted {sorted(outcome.truth.columns)}")
                    for saying, count in sorted(outcome.news.items(), key=lambda pair: -pair[1]):
                        _tell(f"  said: {saying} {count}")
        missed += sum(not outcome.caught for outcome in outcomes)
        _tell(table_of(outcomes))
        first, exact = (sum(getattr(one, how) for one in outcomes) for how in ("first", "exact"))
        _tell(
            f"seed {seed}: {time.monotonic() - began:.0f} s, {len(outcomes)} cases, {missed} missed so far; "
            f"{first} told first, {exact} to the element"
        )
    return 1 if missed else 0


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
