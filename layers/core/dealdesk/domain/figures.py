"""What one deal adds to the desk's figures: read from its events, and from nothing else.

Every fact is counted once, in the quarter of an hour of its own time. The same history always gives the same counts,
so the sums over all deals are corrected by difference when a deal moves, and can be made anew at any time.

What is counted, and in which quarter:

| name | how many | at |
|---|---|---|
| `touch.after:S` | clocks that a person ended after S seconds of opening time | start of the clock |
| `touch.waiting:T` | clocks that run; too late after the minute T | start of the clock |
| `touch.missed`, `touch.withdrawn` | untouched until too late; no longer wanted before that | start of the clock |
| `touch.auto` | deals that no person had to look at | approval |
| `evaluated.OUTCOME` | revisions judged | judgement |
| `created.cash:S`, `presented.cash:S` | deals paid S seconds after they were made, or first sent | arrival |
| `created.to_cash:S`, `.to_lost:S`, `.open:T` | deals made that were paid, were lost, are open since hour T | start |
| `presented.to_cash:S` … | the same of the deals sent out | first sending |
| `stage.NAME:S` | deals that reached a milestone S seconds after the one before | milestone |
| `cash.reopened` | deals of which money went back within 90 days | arrival |
| `signed.inside`, `.exception`, `.outside` | contracts signed: by the rules, by approvals, by neither | signing |
| `intents`, `duplicates` | effects promised on money and documents; payments that came twice | promise, payment |
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from dealdesk.domain import events as e
from dealdesk.domain.certificate import gate
from dealdesk.domain.collected import collected, outstanding
from dealdesk.domain.deal import Deal, DealId
from dealdesk.domain.fold import fold
from dealdesk.domain.stages import DisputeStatus, Stage
from dealdesk.errors import CertificateInvalid

SECOND = timedelta(seconds=1)
REOPENS_WITHIN = timedelta(days=90)
TOUCHES_EXACT_BELOW = 1_000
ENDED = frozenset({Stage.REJECTED, Stage.RECALLED, Stage.EXPIRED, Stage.LOST})
PROMISES = (e.EnvelopeRequested, e.PaymentRequested, e.RefundApproved, e.PostingRequested, e.CreditMemoApproved)
MILESTONES = ("created", "approved", "sent", "signed", "cash", "posted")

Counts = dict[str, dict[str, int]]
"""How many by quarter, like `2026-11-25T14:15`, and name."""


def count(deal_id: str, history: Iterable[tuple[datetime, e.Event]]) -> Counts:
    """What the deal with this history adds, events in their order with the time of each."""
    reader = _Reader(Deal(DealId(deal_id)))
    for at, event in history:
        reader.read(event, at)
    counts: Counts = {}
    for (at, name), number in Counter(reader.facts()).items():
        of_quarter = counts.setdefault(quarter_of(at), {})
        of_quarter[name] = of_quarter.get(name, 0) + number
    return counts


def changes(before: Mapping[str, Mapping[str, int]], after: Mapping[str, Mapping[str, int]]) -> Counts:
    """What has to be added to sums that hold `before` so that they hold `after`; nothing where they agree."""
    found: Counts = {}
    for quarter in sorted({*before, *after}):
        was, is_now = before.get(quarter, {}), after.get(quarter, {})
        moved = {name: is_now.get(name, 0) - was.get(name, 0) for name in sorted({*was, *is_now})}
        if wanted := {name: number for name, number in moved.items() if number}:
            found[quarter] = wanted
    return found


def quarter_of(at: datetime) -> str:
    """The quarter of an hour, in UTC, as rows name it."""
    utc = at.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H}:{utc.minute - utc.minute % 15:02d}"


def bucket(seconds: int, exact_below: int = 100) -> int:
    """Whole seconds, kept to a number that is at most 1.25% off, so that few different ones stand for any time."""
    whole = max(0, seconds)
    if whole < exact_below:
        return whole
    scale = 1
    while whole >= 1_000 * scale:
        scale *= 10
    leading = whole // scale
    step = scale * (2 if leading < 200 else 5 if leading < 500 else 10)
    return (whole + step // 2) // step * step


@dataclass
class _Clock:
    """A touch clock and how it ended; `left_at` is when nobody had to look any more."""

    clock: e.TouchClock
    seconds: int | None = None
    left_at: datetime | None = None

    @property
    def name(self) -> str:
        if self.seconds is not None:
            return f"touch.after:{bucket(self.seconds, TOUCHES_EXACT_BELOW)}"
        if self.left_at is None:
            return f"touch.waiting:{_minute_after(self.clock.due_at)}"
        return "touch.missed" if self.left_at > self.clock.due_at else "touch.withdrawn"


@dataclass
class _Reader:
    """Reads a history event by event; `facts` are what came of it."""

    deal: Deal
    clocks: list[_Clock] = field(default_factory=list)
    found: list[tuple[datetime, str]] = field(default_factory=list)
    marks: dict[str, datetime] = field(default_factory=dict)
    presented_at: datetime | None = None
    ended_at: datetime | None = None
    reopened: bool = False
    promised: set[str] = field(default_factory=set)

    def read(self, event: e.Event, at: datetime) -> None:
        self.deal = fold(self.deal, [event], at)
        self._about_the_quote(event, at)
        self._about_the_contract(event, at)
        self._about_money(event, at)
        self._about_clocks(event, at)
        if self.deal.stage not in ENDED:
            self.ended_at = None
        elif self.ended_at is None:
            self.ended_at = at

    def facts(self) -> Iterator[tuple[datetime, str]]:
        yield from self.found
        for clock in self.clocks:
            yield clock.clock.starts_at, clock.name
        if created := self.marks.get("created"):
            yield from self._on_the_way("created", created)
        if self.presented_at:
            yield from self._on_the_way("presented", self.presented_at)
        yield from self._stages()
        if self.reopened:
            yield self.marks["cash"], "cash.reopened"

    def _about_the_quote(self, event: e.Event, at: datetime) -> None:
        match event:
            case e.QuoteReceived():
                self.marks.setdefault("created", min(event.submitted_at, at))
            case e.QuoteEvaluated():
                self.found.append((at, f"evaluated.{event.decision.outcome.value}"))
            case e.DealApproved():
                if "approved" not in self.marks and not event.certificate.grants:
                    self.found.append((at, "touch.auto"))
                self.marks["approved"] = at

    def _about_the_contract(self, event: e.Event, at: datetime) -> None:
        match event:
            case e.EnvelopeSent():
                self.presented_at = self.presented_at or at
                self.marks["sent"] = at
            case e.EnvelopeCompleted() if self.deal.stage is Stage.SIGNED and "signed" not in self.marks:
                self.marks["signed"] = at
                self.found.append((at, f"signed.{self._terms(at)}"))
            case e.InvoicePosted():
                self.marks.setdefault("posted", at)

    def _terms(self, at: datetime) -> str:
        """Whether what was signed lies inside the rules, inside what people approved, or outside of both."""
        try:
            gate(self.deal, "signature", at, signed=True)
        except CertificateInvalid:
            return "outside"
        assert self.deal.certificate is not None
        return "exception" if self.deal.certificate.grants else "inside"

    def _about_money(self, event: e.Event, at: datetime) -> None:
        if isinstance(event, PROMISES) and event.key not in self.promised:
            self.promised.add(event.key)
            self.found.append((at, "intents"))
        if isinstance(event, e.PaymentUnmatched) and event.duplicate:
            self.found.append((at, "duplicates"))
        if "cash" not in self.marks and isinstance(event, e.PaymentEvent) and self._is_paid():
            self.marks["cash"] = at
        elif "cash" in self.marks and _takes_back(event):
            self.reopened = self.reopened or at - self.marks["cash"] <= REOPENS_WITHIN

    def _is_paid(self) -> bool:
        return collected(self.deal) is not None and outstanding(self.deal).amount_minor == 0

    def _about_clocks(self, event: e.Event, at: datetime) -> None:
        if isinstance(event, e.ApprovalRequested) and event.clock:
            self.clocks.append(_Clock(event.clock))
        if not self.clocks:
            return
        newest = self.clocks[-1]
        if isinstance(event, e.DealTouched):
            newest.seconds = event.business_seconds
        if self.deal.stage is Stage.PENDING_APPROVAL:
            newest.left_at = None
        elif newest.left_at is None:
            newest.left_at = at

    def _on_the_way(self, start: str, at: datetime) -> Iterator[tuple[datetime, str]]:
        if cash := self.marks.get("cash"):
            took = bucket((cash - at) // SECOND)
            yield cash, f"{start}.cash:{took}"
            yield at, f"{start}.to_cash:{took}"
        elif self.ended_at:
            yield at, f"{start}.to_lost:{bucket((self.ended_at - at) // SECOND)}"
        else:
            yield at, f"{start}.open:{at.astimezone(UTC):%Y-%m-%dT%H}"

    def _stages(self) -> Iterator[tuple[datetime, str]]:
        """Each milestone with the time since the one before, in the order in which they came."""
        reached = sorted((self.marks[name], MILESTONES.index(name)) for name in MILESTONES if name in self.marks)
        for (before, _), (at, number) in pairwise(reached):
            yield at, f"stage.{MILESTONES[number]}:{bucket((at - before) // SECOND)}"


def _takes_back(event: e.Event) -> bool:
    if isinstance(event, e.PaymentDisputed):
        return event.outcome == DisputeStatus.LOST
    return isinstance(event, e.PaymentRefunded)


def _minute_after(at: datetime) -> str:
    """The first whole minute that is not before `at`."""
    utc = at.astimezone(UTC)
    whole = utc.replace(second=0, microsecond=0)
    return f"{whole if whole == utc else whole + timedelta(minutes=1):%Y-%m-%dT%H:%M}"
