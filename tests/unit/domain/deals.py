"""Deals at every stage, made by the same decisions that make them in the desk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from dealdesk.domain import approvals, escalation, invoices, payments, signature
from dealdesk.domain import events as e
from dealdesk.domain.approvals import Answer
from dealdesk.domain.deal import Deal, DealId
from dealdesk.domain.directory import NOBODY, Directory
from dealdesk.domain.fold import fold
from dealdesk.domain.money import Money
from dealdesk.domain.policy import Policy
from dealdesk.domain.quote import Quote
from dealdesk.domain.stages import EnvelopeStatus, Stage
from dealdesk.domain.submission import judge
from dealdesk.policies import load_template
from tests.unit.domain.quotes import a_quote

CLASSIC = load_template("classic")
NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=6)
OWNER, FINANCE, EXECUTIVE = "person-1", "person-fin", "person-exe"
IN_FINANCE, IN_EXECUTIVE = frozenset({"grp-finance"}), frozenset({"grp-executive"})

THROUGH_THE_JOB = (
    Stage.DRAFT,
    Stage.APPROVED,
    Stage.OUT_FOR_SIGNATURE,
    Stage.AWAITING_PAYMENT,
    Stage.PAID,
    Stage.CLOSED,
)


class Story:
    """A deal, and everything that has happened to it so far."""

    def __init__(self, deal_id: str = "d-1", directory: Directory = NOBODY, policy: Policy = CLASSIC) -> None:
        self.directory, self.policy = directory, policy
        self.deal = Deal(DealId(deal_id))
        self.events: list[e.Event] = []
        self.times: list[datetime] = []

    def then(self, happened: Sequence[e.Event], at: datetime = NOW) -> Story:
        self.events += happened
        self.times += [at] * len(happened)
        self.deal = replace(fold(self.deal, happened, at), version=len(self.events))
        return self

    def quoted(self, quote: Quote, editor: str = OWNER, at: datetime = NOW) -> Story:
        return self.then(judge(self.deal, quote, self.policy, {}, editor, self.directory, at), at)

    def decided(self, step: str = "finance", by: str = FINANCE, at: datetime = NOW, **answer: Any) -> Story:
        """Somebody answers, on the terms as they are unless `answer` says otherwise; only the directory knows them."""
        given = {"approve": True, "fingerprint": self.deal.fingerprint or "", "groups": frozenset(), **answer}
        return self.then(approvals.decide(self.deal, Answer(step, by=by, **given), self.directory, at), at)

    def chased(self, at: datetime) -> list[e.Event]:
        """What the passing of time does to the round, its touch clock aside; it happens to the deal as well."""
        happened = escalation.chase(self.deal, self.directory, at)
        self.then(happened, at)
        return [event for event in happened if not isinstance(event, e.SlaBreached)]

    def signed_by_customer(self) -> Story:
        assert self.deal.envelope is not None
        key, envelope_id = self.deal.envelope.key, self.deal.envelope.id
        return self.then(signature.moved(self.deal, key, envelope_id, EnvelopeStatus.COMPLETED, "", NOW, NOW))


def a_story(stage: Stage, deal_id: str = "d-1", **terms: Any) -> Story:
    """The shortest true story of a deal that stands at `stage` now."""
    story = Story(deal_id).then([e.QuoteReceived(None, NOW, OWNER)])
    match stage:
        case Stage.EVALUATED:
            return story.quoted(a_quote(off="60", **terms))
        case Stage.PENDING_APPROVAL | Stage.REJECTED:
            story.quoted(a_quote(off="25", payment_terms_days=40, **terms))
            return story if stage is Stage.PENDING_APPROVAL else story.then(decided(story.deal, approve=False))
        case Stage.RECALLED:
            story.quoted(a_quote(**terms))
            return story.then(approvals.recall(story.deal, OWNER, may_recall_any=False))
        case Stage.SIGNED:
            story = a_story(Stage.OUT_FOR_SIGNATURE, deal_id, **terms)
            return story.then([e.EnvelopeCompleted(f"env-{deal_id}", NOW)])
        case Stage.INVOICED:
            story = a_story(Stage.PAID, deal_id, **terms)
            return story.then([event for event in posting(story.deal) if not isinstance(event, e.DealClosed)])
        case Stage.EXPIRED | Stage.LOST:
            story.quoted(a_quote(off="60", **terms))
            story.deal = replace(story.deal, stage=stage)
            return story
    for step in THROUGH_THE_JOB[: THROUGH_THE_JOB.index(stage) + 1]:
        _next(story, step, a_quote(**terms))
    return story


def a_deal(stage: Stage, deal_id: str = "d-1", **terms: Any) -> Deal:
    return a_story(stage, deal_id, **terms).deal


def decided(
    deal: Deal,
    step: str = "finance",
    *,
    by: str = FINANCE,
    groups: frozenset[str] = IN_FINANCE,
    approve: bool = True,
    fingerprint: str | None = None,
    directory: Directory = NOBODY,
) -> list[e.Event]:
    """Finance says yes to the terms as they are, unless the test says otherwise."""
    seen = fingerprint or deal.fingerprint or ""
    return approvals.decide(deal, Answer(step, approve, seen, by, groups), directory, NOW)


def paid(deal: Deal, amount: Money | None = None, reference: str = "pi_1") -> list[e.Event]:
    """The provider says that the money of the deal's newest payment has arrived."""
    assert deal.payment is not None
    return payments.succeeded(deal, deal.payment.id, "cs_1", amount or deal.payment.amount, reference, NOW)


def linked(deal: Deal) -> list[e.Event]:
    assert deal.payment is not None
    return payments.link_created(deal, deal.payment.key, "cs_1", "https://pay.test/cs_1", LATER)


def posting(deal: Deal) -> list[e.Event]:
    """Finance approves the draft and the ledger takes it."""
    assert deal.invoice is not None
    invoice_id = deal.invoice.draft.invoice_id
    happened = invoices.approve(deal, invoice_id, FINANCE, IN_FINANCE, NOBODY, NOW)
    return happened + posted(fold(deal, happened, NOW))


def posted(deal: Deal, now: datetime = LATER) -> list[e.Event]:
    assert deal.invoice is not None
    draft = deal.invoice.draft
    key = f"invoice:{draft.invoice_id}"
    return invoices.posted(deal, key, "qb-1", draft.number, draft.total_minor, now.date(), now)


def _next(story: Story, stage: Stage, quote: Quote) -> None:
    deal = story.deal
    match stage:
        case Stage.APPROVED:
            story.quoted(quote)
        case Stage.OUT_FOR_SIGNATURE:
            story.then(signature.sent(deal, f"envelope:{deal.id}:r1:1", f"env-{deal.id}", NOW))
        case Stage.AWAITING_PAYMENT:
            story.signed_by_customer()
            story.then(linked(story.deal))
        case Stage.PAID:
            story.then(paid(deal))
        case Stage.CLOSED:
            story.then(posting(deal))
