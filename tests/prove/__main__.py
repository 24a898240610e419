"""`make prove SEEDS=n FIRST_SEED=k`: n schedules; the last line counts them, their faults and findings.

`JOBS` are the processes, two unless told otherwise.

`ONLY=3,17` replays the one seed with these of its faults alone, which is how a finding is told.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from tests.prove.run import Outcome, run, shortest

TOLD_EVERY = 100
# So many findings are made shorter; all are counted.
SHORTENED = 5


@dataclass
class Sum:
    """What all schedules together were; only those that found something are kept."""

    schedules: int = 0
    faults: int = 0
    calls: int = 0
    redriven: int = 0
    found: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        self.schedules += 1
        self.faults += len(outcome.struck)
        self.calls += outcome.calls
        self.redriven += outcome.redriven
        if outcome.finding:
            self.found.append(outcome)

    def __str__(self) -> str:
        seeds = ", ".join(str(outcome.seed) for outcome in self.found)
        return (
            f"{self.schedules:,} schedules with {self.faults:,} faults in {self.calls:,} calls, {self.redriven:,} dead "
            f"letters redriven: {f'found {len(self.found)}: seeds {seeds}' if self.found else 'found nothing'}"
        )


def main() -> int:
    asked = argparse.ArgumentParser(prog="make prove", description=__doc__)
    asked.add_argument("--seeds", type=int, default=200)
    asked.add_argument("--first-seed", type=int, default=0)
    asked.add_argument("--only", default="")
    asked.add_argument("--jobs", type=int, default=2)
    given = asked.parse_args()
    if given.only:
        return replay(given.first_seed, [int(number) for number in given.only.split(",")])
    began = time.perf_counter()
    print(f"make prove SEEDS={given.seeds} FIRST_SEED={given.first_seed}", flush=True)
    seeds = range(given.first_seed, given.first_seed + given.seeds)
    with ProcessPoolExecutor(given.jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        all_ = _summed(pool.map(run, seeds, chunksize=5), len(seeds))
        for outcome, short in zip(all_.found[:SHORTENED], pool.map(shortest, all_.found[:SHORTENED]), strict=True):
            tell(outcome, short)
    print(f"{(time.perf_counter() - began) / 60:.1f} minutes, {given.jobs} processes")
    print(all_)
    return 1 if all_.found else 0


def replay(seed: int, numbers: list[int]) -> int:
    """The seed again with some of its faults, step by step as it was found."""
    struck = run(seed).struck
    outcome = run(seed, frozenset(struck[number - 1] for number in numbers))
    tell(outcome, outcome)
    print(f"1 schedule with {len(outcome.struck)} faults: {outcome.finding or 'found nothing'}")
    return 1 if outcome.finding else 0


def tell(outcome: Outcome, short: Outcome) -> None:
    print(
        f"\nseed {outcome.seed}, with {outcome.vendors}: {short.finding}\n"
        f"  the shortest schedule that shows it ({len(short.struck)} faults):"
    )
    for fault in short.struck:
        print(f"    {fault}")
    numbers = ",".join(str(outcome.struck.index(fault) + 1) for fault in short.struck)
    again = f" ONLY={numbers}" if numbers else ""
    print(f"  again: make prove SEEDS=1 FIRST_SEED={outcome.seed}{again}\n", flush=True)


def _summed(outcomes: Iterable[Outcome], number: int) -> Sum:
    all_ = Sum()
    for outcome in outcomes:
        all_.add(outcome)
        if all_.schedules % TOLD_EVERY == 0 and all_.schedules < number:
            print(f"{all_.schedules:,} of {number:,} schedules, {len(all_.found)} findings", flush=True)
    return all_


if __name__ == "__main__":
    sys.exit(main())
