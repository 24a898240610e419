"""The snapshot is nothing but the fold of its events."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from dealdesk.domain import events as e
from dealdesk.domain.deal import REACTION_OF, Deal, DealId, waits_for
from dealdesk.domain.fold import apply, fold
from dealdesk.domain.stages import Effect, Stage
from tests.unit.domain.deals import LATER, NOW, a_deal, a_story, decided
from tests.unit.domain.quotes import a_quote

REAL = [stage for stage in Stage if stage not in (Stage.EXPIRED, Stage.LOST)]


@pytest.mark.parametrize("stage", REAL)
def test_folding_the_whole_story_anew_gives_the_same_deal(stage: Stage) -> None:
    story = a_story(stage)

    again = fold(Deal(DealId("d-1")), story.events, NOW)

    assert replace(again, version=story.deal.version) == story.deal
    assert story.deal.stage is stage


@pytest.mark.parametrize("stage", REAL)
def test_it_makes_no_difference_where_a_story_is_cut(stage: Stage) -> None:
    story = a_story(stage)

    for cut in range(len(story.events) + 1):
        first = fold(Deal(DealId("d-1")), story.events[:cut], NOW)
        assert fold(first, story.events[cut:], NOW) == fold(Deal(DealId("d-1")), story.events, NOW)


def test_every_kind_of_event_can_be_folded() -> None:
    told = {type(event) for stage in REAL for event in a_story(stage).events}
    told |= {type(event) for event in decided(a_deal(Stage.PENDING_APPROVAL))}
    rest: list[e.Event] = [
        e.DetailsChanged(a_quote(name="Another name"), "person-1"),
        e.QuoteRefused("no list price"),
        e.ApprovalAnswered("d-1:1:finance", "a0B"),
        e.ApprovalExpired(NOW),
        e.SlaBreached("touch", NOW),
        e.ApprovalReminded(1, "finance", ()),
        e.ApprovalEscalated(1, "finance", 1, None, (), "late"),
        e.EnvelopeReported("env", "k", "signature_request_declined"),
        e.EnvelopeDeclined("env", "no"),
        e.EnvelopeVoided("env", "changed", expired=False),
        e.EnvelopeVoidRequested("void:k", "env", "changed"),
        e.EnvelopeExpirySet("env", NOW),
        e.EnvelopeResendRequested("resend:k", "env"),
        e.EnvelopeResent("resend:k", "env"),
        e.SigningViewRequested("env"),
        e.PaymentReported("pay", "cs", "CHECKOUT.ORDER.APPROVED"),
        e.PaymentApproved("capture:k", "pay", "cs"),
        e.PaymentProcessing("capture:k", "pay"),
        e.PaymentFailed("pay", "expired", "unpaid"),
        e.PaymentPartiallyPaid("pay", "cs", a_quote().net_total, "pi_1"),
        e.PaymentUnmatched("pay", "cs", a_quote().net_total, "late", duplicate=False),
        e.PaymentCancelRequested("cancel:k", "pay", "cs", "person-fin"),
        e.PaymentRolledBack("pay", "withdrawn"),
        e.RefundRequested("ref", "pay", "pi_1", a_quote().net_total, "overpaid", "person-1"),
        e.RefundApproved("refund:ref", "ref", "person-fin"),
        e.RefundRejected("ref", "person-fin", "no"),
        e.RefundSubmitted("refund:ref", "ref", "pay", "pi_1", a_quote().net_total, "re_1"),
        e.RefundFailed("refund:ref", "ref", "closed account"),
        e.PaymentRefunded("refund:ref", "ref", "pay", "pi_1", a_quote().net_total, "re_1"),
        e.PaymentDisputed("dp", "pay", "pi_1", a_quote().net_total, "OPEN", "fraudulent"),
        e.InvoiceRejected("inv", "person-fin", "wrong"),
        e.InvoiceFailed("invoice:inv", "inv", "closed"),
        e.EffectFailed("k", "send_envelope", "no signer"),
        e.IntentAttempted("k", 1, LATER),
        e.IntentInterrupted("k", "timeout"),
        e.VendorAsked("payment", "open"),
        e.InvoiceReported("inv", "7", "updated"),
        e.CreditMemoRequested(
            e.CreditMemo("crd", "CM-1", "inv", "DD-1", "7", "a", "A", "USD", (), 0, "less"), "person-1"
        ),
        e.CreditMemoApproved("credit:crd", "crd", "person-fin"),
        e.CreditMemoRejected("crd", "person-fin", "no"),
        e.CreditMemoPosted("credit:crd", "crd", "CM-1", "8", 0, NOW.date()),
        e.CreditMemoFailed("credit:crd", "crd", "closed"),
        e.InvoiceDiffers("inv", 1_080_000, 1_000_000, "USD", 80_000),
        e.InvoiceDifferenceAccepted("inv", 80_000, "person-fin", "the tax is collected apart"),
    ]

    assert told | {type(event) for event in rest} >= set(e.EVENT_TYPES.values())
    for event in rest:
        assert apply(a_deal(Stage.DRAFT), event, NOW).id == "d-1"


def test_an_event_about_another_subject_moves_nothing() -> None:
    deal = a_deal(Stage.AWAITING_PAYMENT)

    for event in (
        e.EnvelopeCompleted("env-other", NOW),
        e.EnvelopeDeclined("env-other", "no"),
        e.PaymentFailed("pay-other", "expired", "unpaid"),
        e.InvoiceRejected("inv-other", "person-fin", "wrong"),
        e.EffectFailed("key-other", "post_invoice", "no"),
        e.VendorAsked("payment", "open"),
        e.InvoiceReported("inv_d-1_1", "7", "updated: 0 of 100 open"),
    ):
        assert apply(deal, event, LATER) == deal


def test_an_event_is_stamped_with_its_own_time() -> None:
    deal = fold(a_deal(Stage.DRAFT), [e.VendorAsked("crm", "same")], LATER)

    assert deal.updated_at == LATER


def test_an_intent_that_failed_and_is_asked_again_keeps_its_count() -> None:
    """The count is what makes the next attempt look first whether the vendor has done it."""
    deal = a_deal(Stage.APPROVED)
    key = deal.intents[0].key
    deal = fold(deal, [e.IntentAttempted(key, 1, LATER), e.EffectFailed(key, "send_envelope", "no signer")], NOW)
    assert (deal.intents[0].failed, deal.intents[0].lease_until) == ("no signer", None)

    deal = fold(deal, [e.EnvelopeRequested(key, "docusign", deal.fingerprint or "")], NOW)

    assert [(intent.attempts, intent.failed) for intent in deal.intents] == [(1, "")]


def test_an_interrupted_attempt_gives_its_lease_back_and_keeps_its_count() -> None:
    deal = a_deal(Stage.APPROVED)
    key = deal.intents[0].key
    deal = fold(deal, [e.IntentAttempted(key, 2, LATER), e.IntentInterrupted(key, "timeout")], NOW)

    assert [(intent.attempts, intent.lease_until) for intent in deal.intents] == [(2, None)]


def test_editors_are_only_ever_added() -> None:
    story = a_story(Stage.APPROVED)
    story.quoted(a_quote(payment_terms_days=29, owner_id="person-7"), editor="person-8")

    assert story.deal.editors == ("person-1", "person-7", "person-8")


def test_new_terms_drop_the_intent_to_send_the_old_ones() -> None:
    story = a_story(Stage.APPROVED).quoted(a_quote(off="60"))

    assert story.deal.intents == ()


@pytest.mark.parametrize(
    ("stage", "waits"),
    [
        (Stage.EVALUATED, None),
        (Stage.APPROVED, "request_signature"),
        (Stage.OUT_FOR_SIGNATURE, "request_signature"),
        (Stage.SIGNED, None),
        (Stage.AWAITING_PAYMENT, "request_payment"),
        (Stage.CLOSED, None),
        (Stage.REJECTED, None),
        (Stage.RECALLED, None),
    ],
)
def test_a_silent_deal_is_asked_about_where_it_waits(stage: Stage, waits: str | None) -> None:
    assert waits_for(a_deal(stage)) == waits


def test_a_deal_of_the_crm_that_waits_for_people_is_read_again() -> None:
    crm = e.CrmRecord("salesforce", "0067F00000deal1QAA")

    for stage in (Stage.DRAFT, Stage.PENDING_APPROVAL, Stage.PAID):
        assert waits_for(replace(a_deal(stage), crm=crm)) == "read_crm"
        assert waits_for(a_deal(stage)) is None


def test_a_failed_intent_waits_for_a_person() -> None:
    deal = a_deal(Stage.APPROVED)
    deal = fold(deal, [e.EffectFailed(deal.intents[0].key, "send_envelope", "no signer")], NOW + timedelta(hours=1))

    assert waits_for(deal) is None


def test_every_effect_has_a_reaction() -> None:
    assert set(REACTION_OF) == set(Effect)
