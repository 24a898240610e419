"""`make prove SEEDS=n FIRST_SEED=k`: n schedules on two cores; the last line counts them, their faults and findings.

`ONLY=3,17` replays the one seed with these of its faults alone, which is how a finding is told.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor

from tests.prove.run import Outcome, run, shortest

CORES = 2
TOLD_EVERY = 100


def main() -> int:
    asked = argparse.ArgumentParser(prog="make prove", description=__doc__)
    asked.add_argument("--seeds", type=int, default=200)
    asked.add_argument("--first-seed", type=int, default=0)
    asked.add_argument("--only", default="")
    given = asked.parse_args()
    if given.only:
        return replay(given.first_seed, [int(number) for number in given.only.split(",")])
    began = time.perf_counter()
    seeds = range(given.first_seed, given.first_seed + given.seeds)
    with ProcessPoolExecutor(CORES, mp_context=multiprocessing.get_context("spawn")) as pool:
        outcomes = list(_told(pool.map(run, seeds, chunksize=5), len(seeds)))
        found = [outcome for outcome in outcomes if outcome.finding]
        for outcome, short in zip(found[:5], pool.map(shortest, found[:5]), strict=True):
            tell(outcome, short)
    minutes = (time.perf_counter() - began) / 60
    faults, calls = sum(len(o.struck) for o in outcomes), sum(o.calls for o in outcomes)
    told = "found nothing" if not found else f"found {len(found)}: seeds {', '.join(str(o.seed) for o in found)}"
    print(f"{len(seeds):,} schedules with {faults:,} faults in {calls:,} calls ({minutes:.1f} min): {told}")
    return 1 if found else 0


def replay(seed: int, numbers: list[int]) -> int:
    """The seed again with some of its faults, step by step as it was found."""
    struck = run(seed).struck
    outcome = run(seed, frozenset(struck[number - 1] for number in numbers))
    tell(outcome, outcome)
    print(f"1 schedule with {len(outcome.struck)} faults: {outcome.finding or 'found nothing'}")
    return 1 if outcome.finding else 0


def tell(outcome: Outcome, short: Outcome) -> None:
    print(
        f"\nseed {outcome.seed}: {short.finding}\n  the shortest schedule that shows it ({len(short.struck)} faults):"
    )
    for fault in short.struck:
        print(f"    {fault}")
    numbers = ",".join(str(outcome.struck.index(fault) + 1) for fault in short.struck)
    again = f" ONLY={numbers}" if numbers else ""
    print(f"  again: make prove SEEDS=1 FIRST_SEED={outcome.seed}{again}\n", flush=True)


def _told(outcomes: Iterable[Outcome], number: int) -> Iterable[Outcome]:
    faults = found = 0
    for done, outcome in enumerate(outcomes, start=1):
        faults += len(outcome.struck)
        found += bool(outcome.finding)
        if done % TOLD_EVERY == 0 or done == number:
            print(f"{done:,} of {number:,} schedules, {faults:,} faults, {found} findings", flush=True)
        yield outcome


if __name__ == "__main__":
    sys.exit(main())
