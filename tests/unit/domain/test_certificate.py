"""Every outside effect asks at the gate; it opens only for the terms that were approved."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from dealdesk.domain.certificate import gate, has_expired, issue
from dealdesk.domain.deal import Deal, Intent
from dealdesk.domain.stages import Effect, EnvelopeStatus, Stage
from dealdesk.errors import CertificateInvalid
from tests.unit.domain.deals import NOW, a_deal, a_story, decided

SIGNED = (Stage.SIGNED, Stage.AWAITING_PAYMENT, Stage.PAID, Stage.INVOICED, Stage.CLOSED)
CERTIFIED = (Stage.APPROVED, Stage.OUT_FOR_SIGNATURE, *SIGNED)


@pytest.mark.parametrize("stage", Stage)
def test_the_gate_of_the_signature_is_open_only_with_a_certificate(stage: Stage) -> None:
    deal = a_deal(stage)

    if stage in CERTIFIED:
        assert gate(deal, "signature", NOW, signed=False) == deal.fingerprint
    else:
        with pytest.raises(CertificateInvalid, match="signature refused: deal d-1 has no approval certificate"):
            gate(deal, "signature", NOW, signed=False)


@pytest.mark.parametrize("stage", Stage)
def test_the_gates_after_signature_are_open_only_once_the_customer_has_signed(stage: Stage) -> None:
    deal = a_deal(stage)

    if stage in SIGNED:
        assert gate(deal, "payment", NOW, signed=True) == deal.fingerprint
    else:
        with pytest.raises(CertificateInvalid, match="payment refused"):
            gate(deal, "payment", NOW, signed=True)


@pytest.mark.parametrize("status", [status for status in EnvelopeStatus if status is not EnvelopeStatus.COMPLETED])
def test_a_contract_that_is_only_out_declined_or_voided_opens_nothing(status: EnvelopeStatus) -> None:
    deal = a_deal(Stage.SIGNED)
    assert deal.envelope is not None

    with pytest.raises(CertificateInvalid, match="has not signed"):
        gate(replace(deal, envelope=replace(deal.envelope, status=status)), "payment", NOW, signed=True)


def discounted_to(deal: Deal, price: str) -> Deal:
    """The terms as somebody would leave them who goes around the desk."""
    assert deal.quote is not None
    line = replace(deal.quote.lines[0], net_unit_price=deal.quote.lines[0].net_unit_price / 2)
    return replace(deal, quote=replace(deal.quote, lines=(line,), name=price))


@pytest.mark.parametrize("signed", [True, False])
def test_the_gate_derives_the_terms_anew_and_never_trusts_what_was_stored(signed: bool) -> None:
    deal = discounted_to(a_deal(Stage.AWAITING_PAYMENT), "half")

    with pytest.raises(CertificateInvalid, match="changed since they were approved"):
        gate(deal, "payment", NOW, signed=signed)


def test_other_terms_than_the_signed_ones_open_nothing() -> None:
    deal = a_deal(Stage.AWAITING_PAYMENT)
    assert deal.envelope is not None

    with pytest.raises(CertificateInvalid, match="has not signed the approved terms"):
        gate(replace(deal, envelope=replace(deal.envelope, fingerprint="0" * 64)), "payment", NOW, signed=True)


def test_an_approval_ends_after_fourteen_days_and_its_last_moment_counts() -> None:
    deal = a_deal(Stage.APPROVED)

    gate(deal, "signature", NOW + timedelta(days=14), signed=False)

    with pytest.raises(CertificateInvalid, match="expired"):
        gate(deal, "signature", NOW + timedelta(days=14) + timedelta(seconds=1), signed=False)


def test_an_approval_ends_with_the_quote_if_that_is_sooner() -> None:
    deal = a_deal(Stage.APPROVED, valid_until=date(2026, 11, 25))
    last = datetime(2026, 11, 25, 23, 59, 59, tzinfo=UTC)

    gate(deal, "signature", last, signed=False)

    with pytest.raises(CertificateInvalid, match="expired"):
        gate(deal, "signature", last + timedelta(seconds=1), signed=False)


@pytest.mark.parametrize("status", EnvelopeStatus)
def test_an_approval_whose_contract_was_declined_or_voided_can_still_end(status: EnvelopeStatus) -> None:
    deal = a_deal(Stage.OUT_FOR_SIGNATURE)
    assert deal.envelope is not None
    moved = replace(deal, envelope=replace(deal.envelope, status=status))

    is_out = status in (EnvelopeStatus.SENT, EnvelopeStatus.COMPLETED)
    assert has_expired(moved, NOW + timedelta(days=15)) is not is_out


def test_an_approval_whose_contract_is_still_to_be_sent_can_end_though_the_same_terms_were_signed_before() -> None:
    deal = a_deal(Stage.SIGNED)
    assert not has_expired(deal, NOW + timedelta(days=15))
    to_send = Intent("envelope:d-1:r4:2", Effect.SEND_ENVELOPE, "d-1", NOW, attempts=1)

    assert has_expired(replace(deal, stage=Stage.APPROVED, intents=(to_send,)), NOW + timedelta(days=15))


def test_what_is_signed_does_not_expire() -> None:
    gate(a_deal(Stage.AWAITING_PAYMENT), "payment", NOW + timedelta(days=400), signed=True)


def test_a_cosmetic_change_keeps_the_gate_open() -> None:
    deal = a_deal(Stage.APPROVED)
    assert deal.quote is not None

    gate(replace(deal, quote=replace(deal.quote, name="New title", contact_id="contact-2")), "x", NOW, signed=False)


def test_a_deal_without_a_quote_is_not_certified() -> None:
    with pytest.raises(CertificateInvalid):
        issue(a_deal(Stage.DRAFT), NOW)


def test_grants_of_earlier_terms_are_not_on_the_certificate() -> None:
    story = a_story(Stage.PENDING_APPROVAL)
    story.then(decided(story.deal))
    moved = replace(story.deal, decision=a_deal(Stage.APPROVED).decision)

    assert issue(moved, NOW).grants == ()
    assert len(issue(story.deal, NOW).grants) == 1
