"""What Stripe's amounts and events mean: its own way of counting some currencies, and money that goes back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealdesk.contracts.stripe import correction_of, parse_event
from dealdesk.contracts.stripe_money import from_stripe, to_stripe
from dealdesk.domain.money import MINOR_UNITS, Money
from dealdesk.errors import Malformed, VendorRefused
from dealdesk.ports import Correction, DisputeState, RefundState


@pytest.mark.parametrize(
    ("money", "amount"),
    [
        (Money(12_345, "USD"), 12_345),
        (Money(5_000, "JPY"), 5_000),
        (Money(5_000, "UGX"), 500_000),
        (Money(5_000, "ISK"), 500_000),
        (Money(500_000, "MGA"), 5_000),
        (Money(12_345, "HUF"), 12_345),
        (Money(12_345, "TWD"), 12_345),
        (Money(5_120, "KWD"), 5_120),
        (Money(-5_000, "UGX"), -500_000),
    ],
    ids=str,
)
def test_an_amount_is_counted_as_stripe_counts_its_currency(money: Money, amount: int) -> None:
    assert to_stripe(money) == amount
    assert from_stripe(amount, money.currency.lower()) == money


@pytest.mark.parametrize("money", [Money(5_121, "KWD"), Money(1, "BHD"), Money(99, "MGA")], ids=str)
def test_an_amount_that_stripe_cannot_carry_is_refused_and_never_rounded(money: Money) -> None:
    with pytest.raises(VendorRefused, match="cannot carry"):
        to_stripe(money)


@pytest.mark.parametrize(("amount", "currency"), [(150, "isk"), (1, "ugx"), (100, "zzz"), (100, "")])
def test_an_amount_that_the_currency_has_not_is_refused(amount: int, currency: str) -> None:
    with pytest.raises(Malformed):
        from_stripe(amount, currency)


@given(st.integers(0, 10**12), st.sampled_from(sorted(MINOR_UNITS)))
def test_what_stripe_carries_comes_back_to_the_last_digit(amount_minor: int, currency: str) -> None:
    money = Money(amount_minor, currency)
    try:
        carried = to_stripe(money)
    except VendorRefused:
        return

    assert from_stripe(carried, currency.lower()) == money


def event(kind: str, **about: Any) -> Any:
    document = {"id": "evt_1", "type": kind, "created": 1_795_378_476, "data": {"object": about}}
    return correction_of(parse_event(json.dumps(document).encode()))


def a_refund(**changes: Any) -> dict[str, Any]:
    return {
        "id": "re_1",
        "amount": 500_000,
        "currency": "ugx",
        "status": "succeeded",
        "payment_intent": "pi_1",
        "metadata": {"intent": "refund:pay_d-1_1:1", "deal_id": "d-1"},
        **changes,
    }


@pytest.mark.parametrize("kind", ["refund.created", "refund.updated", "refund.failed", "charge.refund.updated"])
@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("succeeded", "succeeded"),
        ("pending", "pending"),
        ("requires_action", "pending"),
        ("failed", "failed"),
        ("canceled", "failed"),
    ],
)
def test_an_event_about_a_refund_says_how_it_stands_and_which_intent_asked(
    kind: str, status: str, outcome: str
) -> None:
    report = event(
        kind, **a_refund(status=status, failure_reason="lost_or_stolen_card" if outcome == "failed" else None)
    )

    reason = "lost_or_stolen_card" if outcome == "failed" else ""
    refund = RefundState("re_1", "refund:pay_d-1_1:1", outcome, Money(5_000, "UGX"), reason)
    assert report == Correction("pi_1", "d-1", refund=refund)


def test_a_refund_that_somebody_made_in_the_dashboard_has_no_key() -> None:
    report = event("refund.created", **a_refund(metadata={}))

    assert (report.deal_id, report.refund.key) == ("", "")


def test_a_refunded_charge_says_how_much_went_back_in_all() -> None:
    about = {"id": "ch_1", "currency": "usd", "amount_refunded": 1_234, "metadata": {"deal_id": "d-1"}}

    report = event("charge.refunded", payment_intent="pi_1", **about)

    assert report == Correction("pi_1", "d-1", refunded=Money(1_234, "USD"))


@pytest.mark.parametrize(
    ("kind", "status", "outcome"),
    [
        ("created", "needs_response", "open"),
        ("updated", "under_review", "open"),
        ("created", "warning_needs_response", "open"),
        ("closed", "won", "won"),
        ("closed", "warning_closed", "won"),
        ("closed", "lost", "lost"),
    ],
)
def test_a_dispute_is_open_until_it_is_won_or_lost(kind: str, status: str, outcome: str) -> None:
    about = {"id": "dp_1", "amount": 5_000, "currency": "jpy", "status": status, "reason": "fraudulent"}

    report = event(f"charge.dispute.{kind}", payment_intent="pi_1", **about)

    assert report == Correction("pi_1", dispute=DisputeState("dp_1", outcome, Money(5_000, "JPY"), "fraudulent"))


def test_a_dispute_names_the_fee_once_stripe_has_booked_it() -> None:
    booked = [{"currency": "usd", "amount": -5_000, "fee": 1_500}, {"currency": "usd", "amount": 5_000, "fee": 0}]
    about = {"id": "dp_1", "amount": 5_000, "currency": "usd", "status": "needs_response"}

    report = event("charge.dispute.funds_withdrawn", payment_intent="pi_1", balance_transactions=booked, **about)

    assert report.dispute == DisputeState("dp_1", "open", Money(5_000, "USD"), "", Money(1_500, "USD"))


@pytest.mark.parametrize("kind", ["checkout.session.completed", "payout.paid", "charge.succeeded", "refund"])
def test_other_events_take_nothing_back(kind: str) -> None:
    assert event(kind, id="x") is None


@pytest.mark.parametrize(
    ("kind", "about"),
    [
        ("refund.updated", a_refund(payment_intent=None)),
        ("charge.refunded", {"currency": "usd", "amount_refunded": 1}),
        ("charge.dispute.created", {"id": "dp_1", "amount": 1, "currency": "usd", "status": "lost"}),
    ],
)
def test_what_belongs_to_no_payment_intent_is_no_payment_of_the_desk(kind: str, about: dict[str, Any]) -> None:
    assert event(kind, **about) is None


@pytest.mark.parametrize(
    ("kind", "about", "words"),
    [
        ("refund.updated", a_refund(amount="1"), "no refund"),
        ("charge.refunded", {"currency": "usd"}, "no charge"),
        ("charge.dispute.closed", {"id": 7}, "no dispute"),
        ("charge.refunded", {"currency": "zzz", "amount_refunded": 1, "payment_intent": "pi"}, "no currency"),
    ],
)
def test_an_event_that_cannot_be_read_is_refused_by_name(kind: str, about: dict[str, Any], words: str) -> None:
    with pytest.raises(Malformed, match=words):
        event(kind, **about)
