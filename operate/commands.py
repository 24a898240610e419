"""What each command prints, and the exit code that it ends with."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from dealdesk.edge import clock
from dealdesk.errors import VersionMoved
from operate import dead_letters as letters
from operate import figures as sums
from operate import replay as replays
from operate import snapshots
from operate.compare import compare as compared
from operate.installation import Installation, NotPossible
from operate.snapshots import Finding
from operate.vendors import vendors_of

WELL, WRONG, CANNOT = 0, 1, 2
NEWEST = 5
VERDICT = {True: "same", False: "DIFFERS", None: "UNKNOWN"}


def dead_letters(at: Installation, _given: argparse.Namespace) -> int:
    """One line a queue, and its newest letters below it."""
    found = 0
    for name, queue in letters.queues(at).items():
        number = letters.count(queue.dead_url)
        found += number
        print(f"{name:20}{number:>6}")
        for letter in letters.newest(queue.dead_url, NEWEST) if number else []:
            print(f"  {letter.type:28}{letter.deal_id or '-':28}{_age(letter.sent_at)} old")
    return WRONG if found else WELL


def redrive(at: Installation, given: argparse.Namespace) -> int:
    """By SQS itself where everything goes and SQS can; else one by one."""
    queue = letters.queue_named(at, given.queue)
    number = letters.count(queue.dead_url)
    picky = given.deal or given.most
    moved = letters.redrive_some(queue, given.deal, given.most) if picky else letters.redrive_all(queue)
    if moved is None:
        print(f"{given.queue}: SQS is moving about {number} back; dead-letters shows what is left")
    else:
        print(f"{given.queue}: {moved} moved back, about {max(0, number - moved)} left")
    return WELL


def verify(at: Installation, given: argparse.Namespace) -> int:
    """Names every fault; of many deals, those that are whole are only counted."""
    faults = list(snapshots.policy_faults(at)) if given.all else []
    for fault in faults:
        print(fault)
    seen = wrong = 0
    for finding in _examined(at, given):
        seen += 1
        wrong += not finding.whole
        for fault in (*finding.broken, *finding.stale):
            print(f"{finding.deal_id}: {fault}")
        if finding.whole and not given.all:
            print(f"{finding.deal_id}: whole, {finding.events} events")
    if given.all:
        print(f"{seen} deals, {wrong} with faults")
    return WRONG if wrong or faults else WELL


def rebuild(at: Installation, given: argparse.Namespace) -> int:
    """Where the events themselves are broken, nothing is written: a snapshot may be the last that knows of them."""
    left = waiting = 0
    for finding in _examined(at, given):
        if finding.broken:
            left += 1
            print(f"{finding.deal_id}: left as it is, {finding.broken[0]}; restore the events from a backup first")
        elif finding.stale and not given.apply:
            waiting += 1
            print(f"{finding.deal_id}: would be written anew from {finding.events} events: {'; '.join(finding.stale)}")
        elif finding.stale:
            left += not _mended(at, finding)
        elif not given.all:
            print(f"{finding.deal_id}: is what its {finding.events} events say; nothing to do")
    if waiting:
        print("nothing was written; say --apply to do it")
    return WRONG if left or waiting else WELL


def figures(at: Installation, given: argparse.Namespace, now: datetime) -> int:
    """Names every fault, and puts it right where that is wanted."""
    left = 0
    for fault in sums.faults(at):
        left += not (given.apply and _counted_anew(fault, now))
        if not given.apply:
            print(fault.what)
    if not left:
        print("the figures are what the events say")
    elif not given.apply:
        print("nothing was written; say --apply to do it")
    return WRONG if left else WELL


def replay(at: Installation, given: argparse.Namespace, now: datetime) -> int:
    """From the archive where there is one, else from the table."""
    span = replays.Span(clock.parse(given.begin, "--from"), clock.parse(given.end, "--to"))
    if span.begin >= span.end:
        raise NotPossible(f"--from must lie before --to; {given.begin} does not lie before {given.end}")
    whom = given.to_rule or "every reaction"
    if replays.has_archive(at):
        name = replays.start_replay(at, span, given.to_rule, now)
        print(f"EventBridge replays to {whom}; watch it: aws events describe-replay --replay-name {name}")
    else:
        number = replays.publish_again(at, span, given.to_rule)
        print(f"this stack has no archive: {number} events of the table were given again to {whom}")
    return WELL


def compare(at: Installation, given: argparse.Namespace) -> int:
    """One line for each thing that a vendor holds, or may hold."""
    deals = at.deals
    deal, history = deals.load(given.deal_id), deals.history(given.deal_id)
    verdicts = []
    for line in compared(deal, history, vendors_of(at)):
        verdicts.append(line.agrees)
        print(f"{VERDICT[line.agrees]:8} {line.what}: the desk has {line.desk}; {line.vendor}")
    if not verdicts:
        print(f"{given.deal_id} has nothing at a vendor yet")
    if False in verdicts:
        return WRONG
    return CANNOT if None in verdicts else WELL


def _examined(at: Installation, given: argparse.Namespace) -> Iterator[Finding]:
    for deal_id in snapshots.deal_ids(at) if given.all else [given.deal_id]:
        yield snapshots.examine(at, deal_id)


def _mended(at: Installation, finding: Finding) -> bool:
    try:
        snapshots.mend(at, finding)
    except VersionMoved as moved:
        print(f"{finding.deal_id}: {moved}")
        return False
    print(f"{finding.deal_id}: written anew from {finding.events} events: {'; '.join(finding.stale)}")
    return True


def _counted_anew(fault: sums.Fault, now: datetime) -> bool:
    try:
        fault.repair(now)
    except VersionMoved as moved:
        print(moved)
        return False
    print(f"{fault.what}; counted anew")
    return True


def _age(moment: datetime) -> str:
    age = datetime.now(UTC) - moment
    if age >= timedelta(days=1):
        return f"{age.days} days"
    minutes = int(age.total_seconds()) // 60
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
