"""What an approval covers: the fingerprint, the certificate, and which edits stay inside what was granted."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealdesk.domain import events as e
from dealdesk.domain import signature
from dealdesk.domain.approvals import Answer, decide
from dealdesk.domain.certificate import gate
from dealdesk.domain.deal import Deal, DealId
from dealdesk.domain.directory import NOBODY
from dealdesk.domain.fingerprint import fingerprint
from dealdesk.domain.fold import fold
from dealdesk.domain.policy import parse_policy
from dealdesk.domain.quote import Billing, ChargeType, Customer, Providers, Quote, Risk
from dealdesk.domain.stages import Effect, EnvelopeStatus, Stage
from dealdesk.domain.submission import judge
from dealdesk.errors import CertificateInvalid, WrongStage
from tests.unit.domain.deals import CLASSIC, EXECUTIVE, FINANCE, IN_EXECUTIVE, IN_FINANCE, NOW, OWNER
from tests.unit.domain.quotes import a_line, a_quote

GROUPS = {"finance": (FINANCE, IN_FINANCE), "executive": (EXECUTIVE, IN_EXECUTIVE)}


def a_wanted_quote(off: str = "25", days: int = 40, **more: Any) -> Quote:
    """Executives answer for the discount, finance for the payment terms."""
    return a_quote(a_line(off=off, quantity=more.pop("quantity", "10")), payment_terms_days=days, **more)


def edited(deal: Deal, quote: Quote) -> Deal:
    return fold(deal, judge(deal, quote, CLASSIC, {}, OWNER, NOBODY, NOW), NOW)


def granted(deal: Deal, *conditions: e.Condition) -> Deal:
    """Everybody who is asked says yes to the terms as they are."""
    while deal.round is not None and deal.round.open_steps:
        step = deal.round.open_steps[0]
        by, groups = GROUPS[step]
        answer = Answer(step, True, deal.fingerprint or "", by, groups, conditions=conditions)
        deal = fold(deal, decide(deal, answer, NOBODY, NOW), NOW)
    return deal


def approved(**terms: Any) -> Deal:
    deal = granted(edited(Deal(DealId("d-1")), a_wanted_quote(**terms)))
    assert deal.stage is Stage.APPROVED
    return deal


def still_approved(deal: Deal) -> bool:
    """Whether the certificate covers the terms as they are, at the gate that asks for it first."""
    try:
        gate(deal, "signature", NOW, signed=False)
    except CertificateInvalid:
        return False
    return True


# -- the fingerprint

MATERIAL: dict[str, Any] = {
    "customer": Customer("acct-2", "Acme Inc", "US"),
    "currency": "EUR",
    "risk": Risk.MEDIUM,
    "payment_terms_days": 41,
    "billing": Billing.MONTHLY,
    "term_months": 13,
    "valid_until": date(2027, 1, 31),
    "segment": "enterprise",
    "region": "NA",
    "new_logo": True,
    "providers": Providers(payment="paypal"),
    "payment_terms": "EOM+5",
    "opt_out_after_months": 6,
    "starts_on": date(2027, 1, 1),
    "amount_off": Decimal("100"),
}
COSMETIC: dict[str, Any] = {
    "name": "Another title",
    "owner_id": "person-2",
    "contact_id": "contact-2",
    "beneficiary_ids": ("person-3",),
    "providers": Providers(signature="dropbox_sign", ledger="netsuite"),
}


@pytest.mark.parametrize("field", MATERIAL)
def test_2_every_material_field_is_in_the_fingerprint_and_the_inverse_edit_restores_it(field: str) -> None:
    before = a_wanted_quote(days=35)  # the most that EOM+5 gives
    after = replace(before, **{field: MATERIAL[field]})

    assert fingerprint(after) != fingerprint(before)
    assert fingerprint(replace(after, **{field: getattr(before, field)})) == fingerprint(before)


@pytest.mark.parametrize("field", COSMETIC)
def test_2_no_cosmetic_field_is_in_it(field: str) -> None:
    before = a_wanted_quote()

    assert fingerprint(replace(before, **{field: COSMETIC[field]})) == fingerprint(before)


def test_2_every_field_of_a_quote_is_known_as_material_or_cosmetic() -> None:
    assert {field.name for field in fields(Quote)} <= {*MATERIAL, *COSMETIC, "lines", "amends"}


@given(st.permutations(["1", "2", "3"]), st.randoms())
def test_2_permuting_lines_or_keys_never_changes_fingerprint_or_decision(order: list[str], random: Any) -> None:
    lines = {name: a_line(id=name, off=str(20 + int(name)), quantity=name) for name in "123"}
    straight, shuffled = a_quote(*lines.values()), a_quote(*(lines[name] for name in order))
    first, second = edited(Deal(DealId("d")), straight), edited(Deal(DealId("d")), shuffled)

    assert first.decision == second.decision
    document = list(json.loads(CLASSIC.canonical).items())
    random.shuffle(document)

    assert parse_policy(dict(document)).hash == CLASSIC.hash


# -- the envelope

DISCOUNTS = st.integers(2_010, 2_990).map(lambda bps: format(Decimal(bps) / 100, "f"))
DAYS = st.integers(31, 45)
QUANTITIES = st.integers(5, 50)


def moved(dimension: str, off: str, days: int, quantity: int, by: int) -> Quote:
    """The quote with one figure worse by so much (hundredths of a percent, days, pieces), better where `by` < 0."""
    match dimension:
        case "discount":
            off = format(Decimal(off) + Decimal(by) / 100, "f")
        case "days":
            days = max(days + by, 0)
        case _:
            quantity = max(quantity + by, 5)
    return a_wanted_quote(off=off, days=days, quantity=str(quantity))


DIMENSIONS = st.sampled_from(["discount", "days", "size"])


@given(DISCOUNTS, DAYS, QUANTITIES, DIMENSIONS, st.integers(1, 400))
def test_2_an_improving_edit_on_one_dimension_keeps_the_certificate(
    off: str, days: int, quantity: int, dimension: str, by: int
) -> None:
    deal = approved(off=off, days=days, quantity=str(quantity))

    assert still_approved(edited(deal, moved(dimension, off, days, quantity, -by)))


@given(DISCOUNTS, DAYS, QUANTITIES, DIMENSIONS)
def test_2_a_worsening_edit_beyond_the_grant_voids_it_in_the_same_write(
    off: str, days: int, quantity: int, dimension: str
) -> None:
    deal = approved(off=off, days=days, quantity=str(quantity))

    after = edited(deal, moved(dimension, off, days, quantity, 1))

    assert not still_approved(after)
    assert after.certificate is None
    assert not any(intent.effect is Effect.SEND_ENVELOPE for intent in after.intents)


@given(DISCOUNTS, DAYS, DISCOUNTS, DAYS)
def test_2_an_edit_and_its_inverse_restore_fingerprint_and_need_no_second_yes(
    off: str, days: int, other_off: str, other_days: int
) -> None:
    before = approved(off=off, days=days)

    there = edited(before, a_wanted_quote(off=other_off, days=other_days))
    back = edited(there, a_wanted_quote(off=off, days=days))

    assert back.fingerprint == before.fingerprint
    inside = Decimal(other_off) <= Decimal(off) and other_days <= days
    assert still_approved(there) is inside
    assert not inside or still_approved(back)


def test_2_only_the_affected_approver_is_asked_again() -> None:
    after = edited(approved(), a_wanted_quote(days=44))

    assert after.round is not None
    assert after.round.open_steps == ("finance",)
    assert [grant.step for grant in after.round.grants] == ["executive"]


@pytest.mark.parametrize(
    "change",
    [
        lambda quote: replace(quote, customer=Customer("acct-2", "Acme Ltd", "GB")),
        lambda quote: replace(quote, billing=Billing.MONTHLY),
        lambda quote: replace(quote, term_months=quote.term_months - 1),
        lambda quote: replace(quote, lines=(replace(quote.lines[0], charge_type=ChargeType.ONE_TIME),)),
    ],
    ids=["customer", "billing", "term", "charge type"],
)
def test_2_another_customer_billing_term_or_kind_of_charge_asks_again(change: Callable[[Quote], Quote]) -> None:
    before = approved()
    assert before.quote is not None

    assert not still_approved(edited(before, change(before.quote)))


def test_2_a_product_that_nobody_saw_is_fine_only_if_it_passes_alone() -> None:
    before = approved(quantity="50")
    assert before.quote is not None
    known = replace(before.quote.lines[0], quantity=Decimal(5))

    passes = replace(before.quote, lines=(known, a_line(id="2", sku="NEW", off="0")), payment_terms_days=30)
    needs_somebody = replace(passes, lines=(known, a_line(id="2", sku="NEW", off="25")))

    assert still_approved(edited(before, passes))
    assert not still_approved(edited(before, needs_somebody))


def test_2_a_condition_of_an_approver_is_enforced() -> None:
    asked = edited(Deal(DealId("d-1")), a_wanted_quote())
    conditional = granted(asked, e.Condition("discount_pct", "max", "22.00"), e.Condition("billing", "same", "upfront"))
    assert conditional.stage is Stage.PENDING_APPROVAL

    cheaper = edited(conditional, a_wanted_quote(off="22"))
    assert not still_approved(cheaper)
    met = edited(cheaper, a_wanted_quote(off="22", billing=Billing.UPFRONT))
    assert still_approved(met)
    assert not still_approved(edited(met, a_wanted_quote(off="23", billing=Billing.UPFRONT)))


# -- after sending and signing


def sent() -> Deal:
    deal = approved()
    key = deal.intents[0].key
    deal = fold(deal, [e.IntentAttempted(key, 1, NOW)], NOW)
    return fold(deal, signature.sent(deal, key, "env-1", NOW), NOW)


def test_2_a_material_edit_of_sent_terms_withdraws_the_contract_and_makes_a_new_revision() -> None:
    after = edited(sent(), a_wanted_quote(off="26"))

    assert (after.revision, after.stage, after.certificate) == (2, Stage.PENDING_APPROVAL, None)
    assert [intent.effect for intent in after.intents] == [Effect.VOID_ENVELOPE]


def test_2_signed_terms_are_amended_and_not_edited() -> None:
    out = sent()
    assert out.envelope is not None
    done = signature.moved(out, out.envelope.key, "env-1", EnvelopeStatus.COMPLETED, "", NOW, NOW)
    signed = fold(out, done, NOW)

    with pytest.raises(WrongStage, match="can only be amended"):
        edited(signed, a_wanted_quote(off="10"))


def test_2_a_clone_has_no_certificate() -> None:
    original = approved()
    assert original.quote is not None

    clone = edited(Deal(DealId("d-2")), original.quote)

    assert clone.fingerprint == original.fingerprint
    assert (clone.stage, clone.certificate) == (Stage.PENDING_APPROVAL, None)
