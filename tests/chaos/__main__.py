"""`make chaos SEED=n DEALS=n MINUTES=n`: the running system under faults, kills and restarts, and what was left of it.

Exit code 1 says that something was found. The same seed makes the same trouble in the same order; what it meets depends
on the machine as well.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import time

from local import stack
from tests.chaos.mischief import Mischief
from tests.chaos.run import Outcome, Run, start


def main() -> int:
    asked = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    asked.add_argument("--seed", type=int, default=None, help="without one, a new seed each time")
    asked.add_argument("--deals", type=int, default=36)
    asked.add_argument("--minutes", type=float, default=2.0, help="of kills, restarts and webhooks that go wrong")
    given = asked.parse_args()
    seed = secrets.randbelow(1_000_000) if given.seed is None else given.seed
    if stack.find() is not None:
        print("error: a system is up that others may use; `make down` first", file=sys.stderr)
        return 2
    began = time.monotonic()

    def say(what: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {what}", flush=True)

    say(f"seed {seed}: {given.deals} deals, {given.minutes:g} minutes of trouble")
    try:
        run = start(say)
        say("the system is up")
        run.rough(seed, given.deals, given.minutes * 60)
        say("no more kills, and webhooks arrive; the vendors fail until their scripts end")
        run.come_to_rest()
        say("at rest")
        run.look()
        tell(run)
    finally:
        stack.stop()
    again = f"make chaos SEED={seed} DEALS={given.deals} MINUTES={given.minutes:g}"
    print(f"{again}: {_verdict(run.outcome)}")
    return 1 if run.outcome.findings else 0


def tell(run: Run) -> None:
    """What was done, and where the deals stand."""
    outcome, mischief = run.outcome, run.mischief
    for what, count in _done(mischief):
        print(f"  {count:>6,}  {what}")
    print(f"  deals: {_listed(outcome.stages)}")
    for deal_id, whom in sorted(outcome.waiting.items()):
        print(f"    {deal_id} waits for {whom}")
    for name, number in sorted(outcome.redriven.items()):
        print(f"  {number} dead letters of {name} were redriven")
    for finding in outcome.findings:
        print(f"  FOUND: {finding}")


def _done(mischief: Mischief) -> list[tuple[str, int]]:
    lost, not_taken = mischief.webhooks_lost()
    done = [(f"calls: the vendor {kind}", number) for kind, number in sorted(mischief.vendors_failed().items())]
    done += [("webhooks that were lost", lost), ("tries of a webhook that the desk did not take", not_taken)]
    done += [(f"spells of a vendor's webhooks going {mode}", n) for mode, n in sorted(mischief.modes.items())]
    done += [(f"kills of {function}", number) for function, number in sorted(mischief.kills.items())]
    done += [("batches of the queues or the stream that ended with their process", mischief.died_at_work())]
    done += [("restarts of AWS", mischief.restarts), ("events told again after them", mischief.told_again)]
    return done


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in sorted(counts.items()))


def _verdict(outcome: Outcome) -> str:
    return f"found {len(outcome.findings)}" if outcome.findings else "found nothing"


if __name__ == "__main__":
    sys.exit(main())
