"""Money goes back: asked by one person, approved by another, never more than is there, and no payment is flipped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from dealdesk.domain import events as e
from dealdesk.domain.deal import Deal, Refund
from dealdesk.domain.directory import Directory
from dealdesk.domain.entitlement import decides_on_request
from dealdesk.domain.money import Money, format_money
from dealdesk.domain.stages import DisputeStatus, RefundStatus
from dealdesk.errors import (
    Conflict,
    DealUnknown,
    Malformed,
    NotFound,
    WrongStage,
)

DESK = "system:desk"
REFUND = e.StepAsked("refund", "Refund approval", "grp-finance")
# A refund holds its amount from the moment that somebody asks for it until it has failed or was rejected.
HOLDS = frozenset({RefundStatus.REQUESTED, RefundStatus.APPROVED, RefundStatus.SUBMITTED, RefundStatus.SUCCEEDED})
TAKEN = frozenset({RefundStatus.SUBMITTED, RefundStatus.SUCCEEDED})
UNDECIDED = frozenset({RefundStatus.REQUESTED, RefundStatus.APPROVED})
ENDED = frozenset({DisputeStatus.WON, DisputeStatus.LOST})


@dataclass(frozen=True, slots=True)
class Received:
    """Money that has arrived, whether it settled a payment or not."""

    payment_id: str
    amount: Money
    reference: str


def received(deal: Deal) -> Iterator[Received]:
    """Each sum that the vendor knows by one reference: what settled a payment together with what it was over."""
    settled = [(p.id, p.reference, p.settled) for p in deal.payments if p.settled and p.reference]
    for payment_id, reference, brought in settled:
        over = sum(money.amount.amount_minor for money in deal.unapplied if money.reference == reference)
        yield Received(payment_id, Money(brought.amount_minor + over, brought.currency), reference)
    known = {reference for _, reference, _ in settled}
    for money in deal.unapplied:
        if money.reference and money.reference not in known:
            yield Received(money.payment_id, money.amount, money.reference)


def left(deal: Deal, reference: str) -> Money:
    """What can still be given back of this money: without what is disputed, and what other refunds hold.

    Raises `NotFound` for money that the deal has not received.
    """
    money = _money(deal, reference)
    return Money(max(0, money.amount.amount_minor - _bound(deal, money)), money.amount.currency)


def request(deal: Deal, reference: str, amount: Money, reason: str, by: str) -> list[e.Event]:
    """Somebody asks to give money back. Raises `NotFound`, `Malformed`, and `Conflict` for more than is left."""
    money, rest = _money(deal, reference), left(deal, reference)
    if not rest.amount_minor:
        raise Conflict(f"nothing of {reference} is left to be given back")
    if amount.amount_minor <= 0:
        raise Malformed("a refund needs an amount above zero", pointer="/amount_minor")
    if amount.currency != rest.currency or amount.amount_minor > rest.amount_minor:
        raise Conflict(f"{format_money(amount)} cannot be given back: {format_money(rest)} of {reference} are left")
    refund_id = f"ref_{deal.id}_{len(deal.refunds) + 1}"
    return [e.RefundRequested(refund_id, money.payment_id, reference, amount, reason, by)]


def reference_of(deal: Deal, payment_id: str, reference: str | None = None) -> str:
    """The money that a refund of this payment gives back, where only one can be meant.

    Unless one is named, what settled the payment; else the only money that arrived for it. Raises `NotFound`, and
    `Conflict` where it must be named.
    """
    arrived = [money for money in received(deal) if money.payment_id == payment_id]
    payment = next((payment for payment in deal.payments if payment.id == payment_id), None)
    wanted = reference or (payment.reference if payment else None)
    found = [money.reference for money in arrived if wanted in (None, money.reference)]
    if not found:
        raise NotFound(f"no money{f' {wanted}' if wanted else ''} has arrived for payment {payment_id}")
    if len(found) > 1:
        raise Conflict(f"several sums arrived for payment {payment_id}; name one of {', '.join(found)}")
    return found[0]


def give_all(deal: Deal, payment_id: str, by: str) -> list[e.Event]:
    """The wish to give back all that is left of a settled payment; none while a refund of all of it is on its way."""
    reference = reference_of(deal, payment_id)
    rest = left(deal, reference)
    held = any(refund.reference == reference and refund.status in HOLDS for refund in deal.refunds)
    if not rest.amount_minor and held:
        return []
    if not rest.amount_minor:
        raise Conflict(f"nothing of {reference} is left to be given back: the payer's bank has it")
    return request(deal, reference, rest, "the payment is rolled back", by)


def propose(deal: Deal, reference: str, reason: str) -> list[e.Event]:
    """The desk itself asks to give this money back; nothing goes without somebody of finance."""
    if not reference or not left(deal, reference).amount_minor:
        return []
    return request(deal, reference, left(deal, reference), reason, DESK)


def approve(
    deal: Deal, refund_id: str, by: str, groups: frozenset[str], directory: Directory, now: datetime
) -> list[e.Event]:
    """Somebody of finance, who did not ask for it, agrees; the intent to give it back follows at once.

    Raises `NotFound`, `ApproverNotEntitled`, `ApproverConflicted`, `WrongStage`, and `Conflict` when the money has
    been disputed since.
    """
    refund = find(deal, refund_id)
    decides_on_request(deal, REFUND, refund.requested_by, by, groups, directory, now)
    if refund.status in HOLDS - {RefundStatus.REQUESTED}:
        return []
    if refund.status is not RefundStatus.REQUESTED:
        raise WrongStage(f"refund {refund_id} is {refund.status}; ask for a new one")
    require_cover(deal, refund)
    return [e.RefundApproved(refund.key, refund_id, by)]


def reject(
    deal: Deal, refund_id: str, by: str, groups: frozenset[str], reason: str, directory: Directory, now: datetime
) -> list[e.Event]:
    """Finance says no, or whoever asked takes it back."""
    refund = find(deal, refund_id)
    if directory.identity(by) != directory.identity(refund.requested_by):
        decides_on_request(deal, REFUND, refund.requested_by, by, groups, directory, now)
    if refund.status is RefundStatus.REJECTED:
        return []
    if refund.status is not RefundStatus.REQUESTED:
        raise WrongStage(f"refund {refund_id} is {refund.status}; only one that waits for approval can be rejected")
    return [e.RefundRejected(refund_id, by, reason)]


def require_cover(deal: Deal, refund: Refund) -> None:
    """All that is held and disputed of the money is still there. Raises `Conflict`."""
    money = _money(deal, refund.reference)
    if _bound(deal, money) > money.amount.amount_minor:
        raise Conflict(f"refund {refund.id} is not covered: the money {refund.reference} is disputed")


def refused(deal: Deal, refund_id: str, reason: str) -> list[e.Event]:
    """The vendor will not make the refund; nothing for one that another report has moved on meanwhile."""
    refund = find(deal, refund_id)
    return [e.RefundFailed(refund.key, refund_id, reason)] if refund.status is RefundStatus.APPROVED else []


def told(
    deal: Deal, reference: str, key: str, vendor_id: str, outcome: str, amount: Money, reason: str
) -> list[e.Event]:
    """What the vendor says of a refund: `pending`, `succeeded` or `failed`, in any order and more than once.

    Its word counts, also where the desk did not ask: money that has gone is an entry. A refund that bounced stays
    failed. Raises `DealUnknown` for money that is not recorded yet.
    """
    money = recorded(deal, reference)
    known = next((r for r in deal.refunds if r.vendor_id == vendor_id or (key and r.key == key)), None)
    refund_id, key = (known.id, known.key) if known else (vendor_id, key)
    bounced = known is not None and known.status is RefundStatus.FAILED and known.vendor_id == vendor_id
    match outcome:
        case "failed":
            holds = known is not None and known.status in HOLDS
            return [e.RefundFailed(key, refund_id, reason, vendor_id)] if holds else []
        case "succeeded":
            over = bounced or (known is not None and known.status is RefundStatus.SUCCEEDED)
            return [] if over else [e.PaymentRefunded(key, refund_id, money.payment_id, reference, amount, vendor_id)]
        case _:
            over = bounced or (known is not None and known.status in TAKEN)
            return [] if over else [e.RefundSubmitted(key, refund_id, money.payment_id, reference, amount, vendor_id)]


def require_told(deal: Deal, reference: str, refunded: Money) -> None:
    """Every refund behind this sum is an entry already. Raises `DealUnknown`: the message about one is still to come.

    A sum alone makes no entry: told by its own message as well, a refund would count twice.
    """
    money = recorded(deal, reference)
    told = [_in(money, r.amount) for r in deal.refunds if r.reference == reference and r.vendor_id]
    if sum(told) < _in(money, refunded):
        raise DealUnknown(f"{format_money(refunded)} of {reference} went back; the refunds are not all told yet")


def disputed(
    deal: Deal,
    reference: str,
    dispute_id: str,
    status: DisputeStatus,
    amount: Money,
    reason: str,
    fee: Money | None = None,
) -> list[e.Event]:
    """The payer's bank takes money back, or gives it again; a late `OPEN` does not open what has ended.

    One that has ended only gets smaller: what a refund gave back for it counts as that refund. Refunds that have not
    been tried yet and are no longer covered fail, the newest first: the bank pays that customer.
    """
    money = recorded(deal, reference)
    known = next((dispute for dispute in deal.disputes if dispute.id == dispute_id), None)
    fee = fee or (known.fee if known else None)
    if known and (known.status, known.amount, known.fee) == (status, amount, fee):
        return []
    if (
        known
        and known.status in ENDED
        and not (known.status is status and _in(money, amount) < _in(money, known.amount))
    ):
        return []
    said = e.PaymentDisputed(dispute_id, money.payment_id, reference, amount, status.value, reason, fee)
    told: list[e.Event] = [said]
    others = replace(deal, disputes=tuple(dispute for dispute in deal.disputes if dispute.id != dispute_id))
    taken = 0 if status is DisputeStatus.WON else _in(money, amount)
    return told + _uncovered(deal, reference, _bound(others, money) + taken - money.amount.amount_minor)


def find(deal: Deal, refund_id: str) -> Refund:
    for refund in deal.refunds:
        if refund.id == refund_id:
            return refund
    raise NotFound(f"deal {deal.id} has no refund {refund_id}")


def newest(deal: Deal, reference: str) -> Refund:
    """The last that was asked for of this money. Raises `NotFound`."""
    for refund in reversed(deal.refunds):
        if refund.reference == reference:
            return refund
    raise NotFound(f"nothing of {reference} was asked back")


def _uncovered(deal: Deal, reference: str, missing: int) -> list[e.Event]:
    failed: list[e.Event] = []
    for refund in reversed(deal.refunds):
        if missing <= 0:
            break
        intent = deal.intent(refund.key)
        untried = refund.status in UNDECIDED and (intent is None or not intent.attempts)
        if refund.reference == reference and untried:
            failed.append(e.RefundFailed(refund.key, refund.id, "the payer's bank has taken the money back"))
            missing -= refund.amount.amount_minor
    return failed


def _bound(deal: Deal, money: Received) -> int:
    """What is disputed or held of this money; a dispute that was won is over."""
    disputes = [d.amount for d in deal.disputes if d.reference == money.reference and d.status is not DisputeStatus.WON]
    refunds = [r.amount for r in deal.refunds if r.reference == money.reference and r.status in HOLDS]
    return sum(_in(money, amount) for amount in disputes + refunds)


def _in(money: Received, amount: Money) -> int:
    """The amount in the money's own currency; in another one it binds all of the money, until a person has looked."""
    return amount.amount_minor if amount.currency == money.amount.currency else money.amount.amount_minor


def recorded(deal: Deal, reference: str) -> Received:
    """A vendor's message may be faster than our own record of the money."""
    try:
        return _money(deal, reference)
    except NotFound:
        raise DealUnknown(f"deal {deal.id} has not recorded the money {reference} yet") from None


def _money(deal: Deal, reference: str) -> Received:
    for money in received(deal):
        if money.reference == reference:
            return money
    raise NotFound(f"deal {deal.id} has received no money {reference}")
