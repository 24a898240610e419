"""The contract is sent once for the approved terms; reports come late, twice, early and against each other."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from dealdesk.domain import events as e
from dealdesk.domain import signature
from dealdesk.domain.deal import Deal
from dealdesk.domain.expiries import expiries
from dealdesk.domain.fold import fold
from dealdesk.domain.stages import Effect, EnvelopeStatus, Stage
from dealdesk.errors import CertificateInvalid, DealUnknown, WrongStage
from tests.unit.domain.deals import NOW, Story, a_deal, a_story
from tests.unit.domain.quotes import a_quote

SENT, COMPLETED, DECLINED, VOIDED = EnvelopeStatus
KEY, ENVELOPE = "envelope:d-1:r1:1", "env-d-1"


def types(happened: list[e.Event]) -> list[str]:
    return [event.TYPE for event in happened]


def report(deal: Deal, status: EnvelopeStatus, *, envelope: str = ENVELOPE, key: str = KEY) -> list[e.Event]:
    return signature.moved(deal, key, envelope, status, "too expensive", NOW, NOW)


def ended(status: EnvelopeStatus) -> Deal:
    story = a_story(Stage.OUT_FOR_SIGNATURE)
    return story.then(report(story.deal, status)).deal


@pytest.mark.parametrize(
    ("status", "expected", "stage"),
    [
        (SENT, [], Stage.OUT_FOR_SIGNATURE),
        (COMPLETED, ["document.completed", "payment.requested"], Stage.AWAITING_PAYMENT),
        (DECLINED, ["document.declined"], Stage.APPROVED),
        (VOIDED, ["document.voided"], Stage.APPROVED),
    ],
)
def test_each_report_about_a_contract_that_is_out(status: EnvelopeStatus, expected: list[str], stage: Stage) -> None:
    deal = a_deal(Stage.OUT_FOR_SIGNATURE)

    happened = report(deal, status)

    assert types(happened) == expected
    assert fold(deal, happened, NOW).stage is stage


@pytest.mark.parametrize("first", [COMPLETED, DECLINED, VOIDED])
@pytest.mark.parametrize("second", EnvelopeStatus)
def test_nothing_follows_an_end(first: EnvelopeStatus, second: EnvelopeStatus) -> None:
    assert report(ended(first), second) == []


@pytest.mark.parametrize("order", list(permutations([SENT, SENT, COMPLETED])))
def test_reports_in_any_order_end_the_same(order: tuple[EnvelopeStatus, ...]) -> None:
    story = a_story(Stage.APPROVED)
    for status in order:
        story.then(report(story.deal, status))

    assert story.deal.stage is Stage.AWAITING_PAYMENT
    assert types(story.events).count("document.sent") == 1
    assert types(story.events).count("payment.requested") == 1


def test_a_report_that_beats_our_own_answer_is_the_answer() -> None:
    story = a_story(Stage.APPROVED)
    story.then(report(story.deal, COMPLETED))

    assert types(story.events)[-3:] == ["document.sent", "document.completed", "payment.requested"]
    assert signature.sent(story.deal, KEY, ENVELOPE, NOW) == []


@pytest.mark.parametrize("stage", [Stage.DRAFT, Stage.OUT_FOR_SIGNATURE, Stage.CLOSED])
def test_a_contract_that_the_deal_never_asked_for_is_unknown(stage: Stage) -> None:
    with pytest.raises(DealUnknown):
        report(a_deal(stage), COMPLETED, envelope="env-other", key="envelope:d-2:r1:1")


def test_only_an_approved_deal_asks_for_a_signature() -> None:
    for stage in (Stage.DRAFT, Stage.EVALUATED, Stage.PENDING_APPROVAL, Stage.REJECTED, Stage.RECALLED):
        assert signature.request(a_deal(stage)) == []


def test_the_key_comes_from_the_revision_and_a_new_attempt_on_the_same_terms_has_its_own() -> None:
    [first] = signature.request(a_deal(Stage.APPROVED))
    [again] = signature.request(ended(DECLINED))
    revised = a_story(Stage.OUT_FOR_SIGNATURE).quoted(a_quote(payment_terms_days=20)).deal
    [other] = signature.request(revised)

    keys = [event.key for event in (first, again, other) if isinstance(event, e.EnvelopeRequested)]
    assert keys == [KEY, "envelope:d-1:r1:2", "envelope:d-1:r2:1"]


# -- the terms change while the contract is out


def edited(story: Story, **terms: Any) -> Story:
    return story.quoted(a_quote(**(terms or {"payment_terms_days": 40})))


def voids(deal: Deal) -> list[str]:
    return [intent.subject for intent in deal.intents if intent.effect is Effect.VOID_ENVELOPE]


def test_an_edit_withdraws_the_contract_that_is_out() -> None:
    story = edited(a_story(Stage.OUT_FOR_SIGNATURE))

    assert story.deal.stage is Stage.PENDING_APPROVAL
    assert voids(story.deal) == [ENVELOPE]


@pytest.mark.parametrize("terms", [{"payment_terms_days": 40}, {"payment_terms_days": 20}, {"off": "60"}], ids=str)
@pytest.mark.parametrize("status", [COMPLETED, DECLINED, VOIDED])
def test_a_customer_who_was_faster_than_the_withdrawal_is_recorded_and_pays_nothing(
    terms: dict[str, Any], status: EnvelopeStatus
) -> None:
    story = edited(a_story(Stage.OUT_FOR_SIGNATURE), **terms)
    stage = story.deal.stage

    story.then(report(story.deal, status))

    assert story.deal.envelope is not None
    assert story.deal.envelope.status is status
    assert (story.deal.stage, story.deal.payments, voids(story.deal)) == (stage, (), [])


def overtaken() -> Story:
    """The terms changed while the contract was being sent, and nobody knows yet whether it is out."""
    story = a_story(Stage.APPROVED)
    return edited(story.then([e.IntentAttempted(KEY, 1, NOW)]))


def test_a_contract_that_went_out_after_its_terms_changed_is_withdrawn() -> None:
    story = overtaken()

    story.then(signature.sent(story.deal, KEY, ENVELOPE, NOW))

    assert voids(story.deal) == [ENVELOPE]
    assert story.deal.stage is Stage.PENDING_APPROVAL


def test_a_contract_that_only_the_vendor_knows_to_be_out_is_withdrawn_too() -> None:
    """The worker died between the call and its record; the vendor's own report is what is left."""
    story = overtaken()

    story.then(report(story.deal, SENT))

    assert voids(story.deal) == [ENVELOPE]


@pytest.mark.parametrize(
    ("status", "expected"),
    [(VOIDED, ["document.voided"]), (DECLINED, ["document.declined"]), (COMPLETED, ["document.completed"])],
)
def test_the_end_of_an_overtaken_contract_ends_its_withdrawal_and_moves_nothing_else(
    status: EnvelopeStatus, expected: list[str]
) -> None:
    story = overtaken()
    story.then(signature.sent(story.deal, KEY, ENVELOPE, NOW))

    happened = report(story.deal, status)
    after = story.then(happened).deal

    assert types(happened) == expected
    assert (after.stage, after.envelope, voids(after), after.payments) == (Stage.PENDING_APPROVAL, None, [], ())


def test_a_late_report_about_an_ended_contract_changes_nothing_on_the_next() -> None:
    story = edited(a_story(Stage.OUT_FOR_SIGNATURE), payment_terms_days=20)
    story.then(report(story.deal, VOIDED)).then(signature.sent(story.deal, "envelope:d-1:r2:1", "env-2", NOW))

    for status in (COMPLETED, DECLINED, VOIDED):
        assert report(story.deal, status) == []
    assert story.deal.stage is Stage.OUT_FOR_SIGNATURE


@pytest.mark.parametrize("status", EnvelopeStatus)
def test_only_a_contract_that_is_out_can_be_withdrawn(status: EnvelopeStatus) -> None:
    deal = a_deal(Stage.OUT_FOR_SIGNATURE) if status is SENT else ended(status)

    assert types(signature.withdraw(deal, "changed")) == (["document.void_requested"] if status is SENT else [])


def test_a_voided_contract_says_whether_it_expired() -> None:
    deal = a_deal(Stage.OUT_FOR_SIGNATURE)

    [expired] = signature.moved(deal, KEY, ENVELOPE, VOIDED, "Envelope has Expired", NOW, NOW)

    assert isinstance(expired, e.EnvelopeVoided)
    assert expired.expired


def test_an_e_mail_that_is_on_its_way_is_not_asked_for_again() -> None:
    story = a_story(Stage.OUT_FOR_SIGNATURE)
    asked = story.then(signature.resend(story.deal, NOW)).deal

    assert [(intent.effect, intent.subject) for intent in asked.intents] == [(Effect.RESEND_ENVELOPE, ENVELOPE)]
    assert signature.resend(asked, NOW) == []


def test_after_it_was_sent_or_refused_the_e_mail_can_be_asked_for_again() -> None:
    story = a_story(Stage.OUT_FOR_SIGNATURE)
    asked = story.then(signature.resend(story.deal, NOW))
    key = f"resend:{KEY}"

    sent = fold(asked.deal, [e.EnvelopeResent(key, ENVELOPE)], NOW)
    refused = fold(asked.deal, [e.EffectFailed(key, "resend_envelope", "no")], NOW)

    assert sent.intents == ()
    assert types(signature.resend(sent, NOW)) == types(signature.resend(refused, NOW)) == ["document.resend_requested"]


@pytest.mark.parametrize("status", [COMPLETED, DECLINED, VOIDED])
def test_nobody_is_written_to_about_a_contract_that_ended_meanwhile(status: EnvelopeStatus) -> None:
    story = a_story(Stage.OUT_FOR_SIGNATURE)
    asked = story.then(signature.resend(story.deal, NOW))

    over = asked.then(report(asked.deal, status)).deal

    assert [intent for intent in over.intents if intent.effect is Effect.RESEND_ENVELOPE] == []


@pytest.mark.parametrize("what", [signature.resend, signature.show])
@pytest.mark.parametrize("stage", [Stage.APPROVED, Stage.SIGNED, Stage.AWAITING_PAYMENT, Stage.RECALLED])
def test_only_a_contract_that_is_out_is_sent_again_or_shown(what: Any, stage: Stage) -> None:
    with pytest.raises(WrongStage, match="no contract of deal d-1 is out"):
        what(a_deal(stage), NOW)


@pytest.mark.parametrize("what", [signature.resend, signature.show])
def test_a_contract_whose_approval_has_ended_is_neither_sent_again_nor_shown(what: Any) -> None:
    deal = a_deal(Stage.OUT_FOR_SIGNATURE)
    assert deal.certificate is not None

    what(deal, deal.certificate.expires_at)
    with pytest.raises(CertificateInvalid, match="expired"):
        what(deal, deal.certificate.expires_at + timedelta(seconds=1))


@pytest.mark.parametrize("what", [signature.resend, signature.show])
def test_a_contract_with_other_terms_than_the_approved_is_neither_sent_again_nor_shown(what: Any) -> None:
    deal = a_deal(Stage.OUT_FOR_SIGNATURE)
    assert deal.envelope is not None
    other = replace(deal, envelope=replace(deal.envelope, fingerprint="0" * 64))
    edited = replace(deal, quote=a_quote(payment_terms_days=31))

    for changed in (other, edited):
        with pytest.raises(CertificateInvalid):
            what(changed, NOW)


def dated(deal: Deal, ends: datetime | None, status: EnvelopeStatus = SENT) -> list[e.Event]:
    return signature.moved(deal, KEY, ENVELOPE, status, "", NOW, NOW, "docusign", ends)


def test_the_end_that_the_provider_tells_is_the_contracts_end_and_a_repetition_changes_nothing() -> None:
    story = a_story(Stage.OUT_FOR_SIGNATURE)
    ends = NOW + timedelta(days=120)

    told = story.then(dated(story.deal, ends)).deal

    assert expiries(told).ends["envelope"] == ends
    assert dated(told, ends) == []
    assert dated(told, None) == []
    assert types(dated(told, ends + timedelta(days=1))) == ["document.expiry_set"]


def test_a_report_that_beats_our_own_answer_tells_the_end_as_well() -> None:
    deal = a_deal(Stage.APPROVED)

    assert types(dated(deal, NOW + timedelta(days=1))) == ["document.sent", "document.expiry_set"]


@pytest.mark.parametrize("status", [COMPLETED, DECLINED, VOIDED])
def test_a_contract_that_is_over_has_no_end_any_more(status: EnvelopeStatus) -> None:
    story = a_story(Stage.OUT_FOR_SIGNATURE)
    told = story.then(dated(story.deal, NOW + timedelta(days=1)))

    over = told.then(dated(told.deal, NOW + timedelta(days=2), status)).deal

    assert expiries(over).ends["envelope"] is None
