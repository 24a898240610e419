"""What stands at the vendors, looked at after every step: nothing twice, nothing unpromised, nothing beyond."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from dealdesk.domain.money import Money, format_money
from tests.prove.booking import INVOICE, MEMO
from tests.prove.broken import Broken
from tests.prove.chronicle import Chronicle
from tests.prove.paying import Link
from tests.prove.town import Town


class AtVendors:
    def __init__(self, town: Town, chronicle: Chronicle) -> None:
        self._town, self._known = town, chronicle
        self._posted: dict[str, str] = {}

    def check(self) -> None:
        """Raises `Broken`."""
        self._contracts()
        self._links()
        self._money()
        self._books()

    def _contracts(self) -> None:
        sent: Counter[str] = Counter()
        live: Counter[str] = Counter()
        for contract in self._town.signing.contracts():
            key = contract.key
            sent[key] += 1
            revision = key.rsplit(":", 1)[0]
            live[revision] += contract.live
            if sent[key] > 1:
                raise Broken(f"two envelopes were sent for {key}")
            if live[revision] > 1:
                raise Broken(f"two envelopes are live for {revision}")
            if key not in self._known.promised:
                raise Broken(f"an envelope was sent for {key}, which nobody had promised")
            approved = self._known.approved[contract.deal_id].values()
            totals = {format_money(deal.quote.net_total) for deal in approved if deal.quote}
            if contract.total not in totals:
                raise Broken(f"the contract {key} says {contract.total}, which nobody approved")

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

    def _money(self) -> None:
        receipts = self._town.paying.receipts()
        for deal_id, times in Counter(receipt.deal_id for receipt in receipts).items():
            if times > 1:
                raise Broken(f"the customer of deal {deal_id} paid {times} times")
        came = {receipt.reference: receipt.amount for receipt in receipts}
        back: Counter[str] = Counter()
        given: Counter[str] = Counter()
        for refund in self._town.paying.given_back():
            given[refund.key] += 1
            back[refund.reference] += refund.amount.amount_minor
            if given[refund.key] > 1:
                raise Broken(f"money was given back twice for {refund.key}")
            if self._known.to_give_back.get(refund.key) != refund.amount:
                raise Broken(f"{format_money(refund.amount)} went back for {refund.key}, which nobody had promised")
            if back[refund.reference] > came.get(refund.reference, Money(0, "USD")).amount_minor:
                raise Broken(f"more of {refund.reference} was given back than had come")

    def _books(self) -> None:
        there: Counter[tuple[str, str]] = Counter()
        billed: dict[str, int] = {}
        taken_back: Counter[str] = Counter()
        for document in self._town.booking.documents():
            what = f"{document.kind} {document.name}"
            there[document.kind, document.name] += 1
            if there[document.kind, document.name] > 1:
                raise Broken(f"{what} was posted twice")
            if self._known.to_post.get(document.name) != document.net_minor:
                raise Broken(f"{what} was posted over {document.net_minor}, which nobody had promised")
            if document.kind == INVOICE:
                billed[document.of] = document.net_minor
                if self._posted.setdefault(document.name, document.content) != document.content:
                    raise Broken(f"{what} was changed at the ledger after it was posted")
            elif document.kind == MEMO:
                taken_back[document.of] += document.net_minor
        for invoice, minor in taken_back.items():
            if minor > billed.get(invoice, 0):
                raise Broken(f"memos take {minor} of invoice {invoice} back, which is over {billed.get(invoice, 0)}")


def _forgotten_between(links: list[Link]) -> bool:
    """A vendor that has forgotten the key may make a second link, where no link takes money by itself."""
    times = [(link.made_at, link.keyed_for) for link in links]
    return all(
        first and second and lives and second - first >= lives for (first, lives), (second, _) in pairwise(times)
    )
