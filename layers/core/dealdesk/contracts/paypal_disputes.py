"""PayPal's disputes: what a payer has asked back, whether it is decided, and what PayPal takes for it.

Source: developer.paypal.com/api/customer-disputes/v1, "Show dispute details".
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from dealdesk.contracts.paypal import Amount, Link, Moment, Refund
from dealdesk.domain.money import Money
from dealdesk.ports import DisputeState

# An outcome that stands in neither leaves the money with the payer's side until a person has looked.
WON = frozenset({"RESOLVED_SELLER_FAVOUR", "RESOLVED_WITH_PAYOUT", "CANCELED_BY_BUYER", "DENIED"})
LOST = frozenset({"RESOLVED_BUYER_FAVOUR", "ACCEPTED"})
FEES = frozenset({"DISPUTE_FEE", "CHARGEBACK_FEE", "DISPUTE_SETTLEMENT_FEE"})
GONE = frozenset({"COMPLETED", "PENDING"})


class _Listed(msgspec.Struct):
    dispute_id: str


class Listed(msgspec.Struct):
    items: list[_Listed] = []
    links: list[Link] = []


class _Outcome(msgspec.Struct):
    outcome_code: str = ""
    amount_refunded: Amount | None = None


class _Movement(msgspec.Struct):
    """Money that the dispute has moved; `party` is called `affected_party` in the older list."""

    type: str = ""
    reason: str = ""
    party: str = ""
    affected_party: str = ""
    amount: Amount | None = None


class Dispute(msgspec.Struct):
    dispute_id: str
    status: str
    dispute_amount: Amount
    create_time: Moment
    reason: str = ""
    dispute_outcome: _Outcome | None = None
    fund_movements: list[_Movement] = []
    money_movements: list[_Movement] = []


def states_of(disputes: Sequence[Dispute], refunds: Sequence[Refund]) -> list[DisputeState]:
    """What is in dispute beyond what was refunded since: PayPal refunds the payer of a lost dispute, and a refund by
    hand settles an open one. Each refund settles one dispute, the oldest first; the desk's own refunds settle none.
    """
    by_hand = [
        (refund.create_time, refund.amount.money)
        for refund in refunds
        if refund.create_time and refund.status in GONE and not refund.invoice_id.startswith("refund:")
    ]
    unused = sum(money.amount_minor for _, money in by_hand)
    states = []
    for dispute in sorted(disputes, key=lambda dispute: dispute.create_time):
        state = _state_of(dispute)
        since = sum(money.amount_minor for made, money in by_hand if made >= dispute.create_time)
        settled = min(state.amount.amount_minor, since, unused) if state.outcome != "won" else 0
        unused -= settled
        states.append(_less(state, settled))
    return states


def _state_of(dispute: Dispute) -> DisputeState:
    outcome = dispute.dispute_outcome if dispute.status == "RESOLVED" else None
    code = outcome.outcome_code if outcome else ""
    lost = outcome is not None and code in LOST
    back = outcome.amount_refunded if outcome and lost else None
    return DisputeState(
        dispute_id=dispute.dispute_id,
        outcome="lost" if lost else "won" if code in WON else "open",
        amount=(back or dispute.dispute_amount).money,
        reason=dispute.reason,
        fee=_fee_of(dispute),
    )


def _fee_of(dispute: Dispute) -> Money | None:
    """What PayPal has taken for it from the seller, less what it gave again."""
    moved = [
        (movement.type, movement.amount.money)
        for movement in dispute.fund_movements or dispute.money_movements
        if movement.reason in FEES and movement.amount and "SELLER" in (movement.party, movement.affected_party)
    ]
    taken = sum(-money.amount_minor if kind == "CREDIT" else money.amount_minor for kind, money in moved)
    return Money(taken, moved[0][1].currency) if taken > 0 else None


def _less(state: DisputeState, minor: int) -> DisputeState:
    left = Money(state.amount.amount_minor - minor, state.amount.currency)
    return DisputeState(state.dispute_id, state.outcome, left, state.reason, state.fee)
