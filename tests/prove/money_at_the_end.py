"""When the world is quiet: money recorded is money that came, went back and was disputed, each counted once."""

from __future__ import annotations

from collections import Counter

from dealdesk.domain import events as e
from dealdesk.domain.collected import collected
from dealdesk.domain.deal import Deal
from dealdesk.domain.money import Money
from tests.prove.broken import Broken
from tests.prove.chargebacks import LOST, WON, Chargeback
from tests.prove.chronicle import Chronicle
from tests.prove.world import World

ARRIVED = (e.PaymentSucceeded, e.PaymentPartiallyPaid, e.PaymentUnmatched)


def check(world: World, chronicle: Chronicle) -> None:
    """Raises `Broken`. What an operator has not sent back yet is not recorded yet."""
    _money_came_and_went(world, chronicle)
    held = {deal_id for deal_id in chronicle.deals if world.work.hold(deal_id)}
    for deal in chronicle.deals.values():
        about = [one for one in world.town.banks.chargebacks() if one.reference in _references(deal)]
        if deal.id not in held and not any(world.work.hold(one.id) for one in about):
            _disputes_agree(world, deal, about)
            _what_is_there_agrees(world, deal, about)


def unheard(world: World, chronicle: Chronicle) -> list[tuple[Deal, Chargeback]]:
    """The disputes of which no message has reached the desk, and none is on its way or dead."""
    known = {dispute.id for deal in chronicle.deals.values() for dispute in deal.disputes}
    owners = {reference: deal for deal in chronicle.deals.values() for reference in _references(deal)}
    return [
        (owners[one.reference], one)
        for one in world.town.banks.chargebacks()
        if one.id not in known
        and one.reference in owners
        and not world.work.hold(one.id)
        and not world.work.hold(owners[one.reference].id)
    ]


def _references(deal: Deal) -> set[str]:
    mine = {payment.reference for payment in deal.payments if payment.settled and payment.reference}
    return mine | {money.reference for money in deal.unapplied}


def _money_came_and_went(world: World, chronicle: Chronicle) -> None:
    paying = world.town.paying
    came: Counter[tuple[str, str]] = Counter()
    for receipt in paying.receipts():
        came[receipt.deal_id, receipt.amount.currency] += receipt.amount.amount_minor
    went_back = {refund.key: refund.amount for refund in paying.given_back() if refund.key}
    booked: Counter[tuple[str, str]] = Counter()
    booked_back = {}
    for deal_id in chronicle.histories:
        for event in chronicle.events(deal_id):
            if isinstance(event, ARRIVED):
                booked[deal_id, event.amount.currency] += event.amount.amount_minor
            elif isinstance(event, e.PaymentRefunded) and event.key:
                booked_back[event.key] = event.amount
    if came != booked:
        raise Broken(f"money collected {dict(came)} is not money recorded {dict(booked)}")
    if went_back != booked_back:
        raise Broken(f"money given back {went_back} is not recorded as {booked_back}")


def _disputes_agree(world: World, deal: Deal, about: list[Chargeback]) -> None:
    """Each with its outcome, its fee and its amount; what the payer got by a refund is that refund, and no dispute."""
    refunded = _refunded_by_the_vendor(world)
    there = {
        one.id: (one.status, one.amount.amount_minor - min(one.amount.amount_minor, refunded[one.reference]), one.fee)
        for one in about
    }
    here = {one.id: (one.status.lower(), one.amount.amount_minor, one.fee) for one in deal.disputes}
    if there != here:
        raise Broken(f"deal {deal.id} has the disputes {here}, its provider {there}")


def _what_is_there_agrees(world: World, deal: Deal, about: list[Chargeback]) -> None:
    """What finance is shown as collected is what the provider has left of the payments."""
    left: Counter[str] = Counter()
    for receipt in world.town.paying.receipts():
        left[receipt.reference] += receipt.amount.amount_minor
    lost: Counter[str] = Counter()
    for one in about:
        left[one.reference] -= 0 if one.status == WON else one.amount.amount_minor
        lost[one.reference] += one.amount.amount_minor if one.status == LOST else 0
    for refund in world.town.paying.given_back():
        twice = 0 if refund.key else min(lost[refund.reference], refund.amount.amount_minor)
        left[refund.reference] -= refund.amount.amount_minor - twice
    settled = [(payment.reference, payment.settled) for payment in deal.payments if payment.settled]
    there = sum(min(brought.amount_minor, max(0, left[reference or ""])) for reference, brought in settled)
    says = collected(deal) or Money(0, "USD")
    if says.amount_minor != there:
        raise Broken(f"deal {deal.id} says that {says.amount_minor} are collected, its provider has {there}")


def _refunded_by_the_vendor(world: World) -> Counter[str]:
    back: Counter[str] = Counter()
    for refund in world.town.paying.given_back():
        back[refund.reference] += 0 if refund.key else refund.amount.amount_minor
    return back
