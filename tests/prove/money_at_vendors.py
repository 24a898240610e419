"""Links, money, refunds and disputes that stand at the payment provider, looked at after every step."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from dealdesk.domain.deal import Deal
from dealdesk.domain.money import Money, format_money
from tests.prove.broken import Broken
from tests.prove.chargebacks import LOST, WON
from tests.prove.chronicle import Chronicle
from tests.prove.paying import GivenBack, Link, Receipt
from tests.prove.town import Town


class MoneyAtVendors:
    def __init__(self, town: Town, chronicle: Chronicle) -> None:
        self._town, self._known = town, chronicle

    def check(self) -> None:
        """Raises `Broken`."""
        self._links()
        receipts = self._town.paying.receipts()
        came = {receipt.reference: receipt.amount for receipt in receipts}
        gone = self._gone(came)
        self._nobody_pays_twice(receipts, gone)

    def _links(self) -> None:
        links: dict[str, list[Link]] = {}
        for link in self._town.paying.links():
            links.setdefault(link.payment_id, []).append(link)
            if link.key not in self._known.promised:
                raise Broken(f"a payment link for {link.payment_id} was made that nobody had promised")
            asked = next(p for p in self._known.deals[link.deal_id].payments if p.id == link.payment_id)
            if asked.amount != link.amount:
                raise Broken(f"{asked.id} asks for another amount than the deal")
        for payment_id, made in links.items():
            if len(made) > 1 and not _forgotten_between(made):
                raise Broken(f"{len(made)} payment links were made for {payment_id}")

    def _gone(self, came: dict[str, Money]) -> Counter[str]:
        """What went back or was taken back of each sum that came, in minor units."""
        refunds = self._town.paying.given_back()
        self._refunds_are_promised([refund for refund in refunds if refund.key])
        gone: Counter[str] = Counter()
        lost: Counter[str] = Counter()
        for dispute in self._town.banks.chargebacks():
            gone[dispute.reference] += 0 if dispute.status == WON else dispute.amount.amount_minor
            lost[dispute.reference] += dispute.amount.amount_minor if dispute.status == LOST else 0
        for refund in refunds:
            by_dispute = min(lost[refund.reference], refund.amount.amount_minor) if not refund.key else 0
            gone[refund.reference] += refund.amount.amount_minor - by_dispute
        for reference, minor in gone.items():
            if minor > came.get(reference, Money(0, "USD")).amount_minor:
                raise Broken(f"more of {reference} was given back, or taken by a bank, than had come")
        return gone

    def _refunds_are_promised(self, refunds: list[GivenBack]) -> None:
        given: Counter[str] = Counter()
        for refund in refunds:
            given[refund.key] += 1
            if given[refund.key] > 1:
                raise Broken(f"money was given back twice for {refund.key}")
            if self._known.to_give_back.get(refund.key) != refund.amount:
                raise Broken(f"{format_money(refund.amount)} went back for {refund.key}, which nobody had promised")

    def _nobody_pays_twice(self, receipts: list[Receipt], gone: Counter[str]) -> None:
        """Each payment brings money once, and all that is there is no more than was ever asked for."""
        for payment_id, times in Counter(receipt.payment_id for receipt in receipts).items():
            if times > 1:
                raise Broken(f"payment {payment_id} was paid {times} times")
        times_of = Counter(receipt.deal_id for receipt in receipts)
        for deal_id, times in times_of.items():
            mine = [receipt for receipt in receipts if receipt.deal_id == deal_id]
            there = sum(receipt.amount.amount_minor - gone[receipt.reference] for receipt in mine)
            if there > _most_asked_of(self._known.deals[deal_id]):
                raise Broken(f"the customer of deal {deal_id} paid {times} times, {there} are there")


def _most_asked_of(deal: Deal) -> int:
    """The signed total, or what an invoice came to with the ledger's tax."""
    totals = [invoice.total_minor for invoice in deal.invoices]
    return max([deal.payments[0].amount.amount_minor, *totals])


def _forgotten_between(links: list[Link]) -> bool:
    """A vendor that has forgotten the key may make a second link, where no link takes money by itself."""
    times = [(link.made_at, link.keyed_for) for link in links]
    return all(
        first and second and lives and second - first >= lives for (first, lives), (second, _) in pairwise(times)
    )
