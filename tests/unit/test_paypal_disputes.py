"""What PayPal says of a dispute, and how much of it stands beside the refunds that settled it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dealdesk.contracts.paypal import Amount, Refund
from dealdesk.contracts.paypal_disputes import Dispute, _Movement, _Outcome, states_of
from dealdesk.domain.money import Money

OPENED = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)


def usd(value: str) -> Amount:
    return Amount("USD", value)


def a_dispute(code: str = "", *, number: int = 1, back: str = "", value: str = "400.00", **fields: object) -> Dispute:
    outcome = _Outcome(code, usd(back) if back else None) if code else None
    return Dispute(
        dispute_id=f"PP-R-{number}",
        status="RESOLVED" if code else "UNDER_REVIEW",
        dispute_amount=usd(value),
        create_time=OPENED + timedelta(days=number - 1),
        dispute_outcome=outcome,
        **fields,  # type: ignore[arg-type]
    )


def a_refund(value: str, *, days: float = 1, key: str = "", status: str = "COMPLETED") -> Refund:
    made = OPENED + timedelta(days=days)
    return Refund(f"R-{value}-{days}", status, usd(value), invoice_id=key, create_time=made)


def minor(disputes: list[Dispute], refunds: list[Refund] = []) -> list[tuple[str, int]]:  # noqa: B006
    return [(state.outcome, state.amount.amount_minor) for state in states_of(disputes, refunds)]


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("", "open"),
        ("RESOLVED_SELLER_FAVOUR", "won"),
        ("RESOLVED_WITH_PAYOUT", "won"),
        ("CANCELED_BY_BUYER", "won"),
        ("DENIED", "won"),
        ("RESOLVED_BUYER_FAVOUR", "lost"),
        ("ACCEPTED", "lost"),
        ("NONE", "open"),
        ("SOMETHING_NEW", "open"),
    ],
)
def test_an_outcome_that_nobody_knows_leaves_the_money_disputed(code: str, outcome: str) -> None:
    assert minor([a_dispute(code)]) == [(outcome, 40_000)]


def test_an_outcome_counts_only_once_the_dispute_is_resolved() -> None:
    early = a_dispute("RESOLVED_SELLER_FAVOUR")
    early.status = "UNDER_REVIEW"

    assert minor([early]) == [("open", 40_000)]


def test_a_dispute_that_was_lost_in_part_is_as_large_as_what_the_payer_got() -> None:
    assert minor([a_dispute("RESOLVED_BUYER_FAVOUR", back="150.00")]) == [("lost", 15_000)]


@pytest.mark.parametrize("code", ["", "RESOLVED_BUYER_FAVOUR"])
def test_a_refund_at_paypal_after_the_dispute_began_settles_it(code: str) -> None:
    assert minor([a_dispute(code)], [a_refund("400.00")])[0][1] == 0
    assert minor([a_dispute(code)], [a_refund("150.00")])[0][1] == 25_000
    assert minor([a_dispute(code)], [a_refund("900.00")])[0][1] == 0


@pytest.mark.parametrize(
    "refund",
    [
        a_refund("400.00", days=-1),
        a_refund("400.00", key="refund:ref_d-1_1"),
        a_refund("400.00", status="FAILED"),
        a_refund("400.00", status="CANCELLED"),
    ],
    ids=["older", "the desk's own", "failed", "cancelled"],
)
def test_no_other_refund_settles_a_dispute(refund: Refund) -> None:
    assert minor([a_dispute("RESOLVED_BUYER_FAVOUR")], [refund]) == [("lost", 40_000)]


def test_a_refund_leaves_a_dispute_that_was_won_as_it_is() -> None:
    assert minor([a_dispute("CANCELED_BY_BUYER")], [a_refund("400.00")]) == [("won", 40_000)]


def test_one_refund_settles_one_dispute_the_older_first() -> None:
    disputes = [a_dispute(number=2), a_dispute(number=1)]

    assert minor(disputes, [a_refund("500.00", days=3)]) == [("open", 0), ("open", 30_000)]


def test_the_fee_is_what_the_seller_paid_less_what_came_back() -> None:
    taken = _Movement("DEBIT", "CHARGEBACK_FEE", party="SELLER", amount=usd("20.00"))
    settled = _Movement("DEBIT", "DISPUTE_SETTLEMENT", party="SELLER", amount=usd("400.00"))
    buyers = _Movement("DEBIT", "DISPUTE_FEE", party="BUYER", amount=usd("5.00"))
    again = _Movement("CREDIT", "CHARGEBACK_FEE", party="SELLER", amount=usd("20.00"))
    older = _Movement("DEBIT", "DISPUTE_FEE", affected_party="SELLER", amount=usd("8.00"))

    def fee(**fields: object) -> Money | None:
        (state,) = states_of([a_dispute(**fields)], [])  # type: ignore[arg-type]
        return state.fee

    assert fee(fund_movements=[taken, settled, buyers]) == Money(2_000, "USD")
    assert fee(fund_movements=[taken, settled, again]) is None
    assert fee(money_movements=[older]) == Money(800, "USD")
    assert fee(fund_movements=[taken], money_movements=[taken]) == Money(2_000, "USD")
    assert fee() is None
