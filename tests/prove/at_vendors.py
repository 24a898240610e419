"""What stands at the vendors, looked at after every step: nothing twice, nothing unpromised, nothing beyond."""

from __future__ import annotations

from collections import Counter

from dealdesk.domain.money import format_money
from tests.prove.booking import INVOICE, MEMO
from tests.prove.broken import Broken
from tests.prove.chronicle import Chronicle
from tests.prove.money_at_vendors import MoneyAtVendors
from tests.prove.town import Town


class AtVendors:
    def __init__(self, town: Town, chronicle: Chronicle) -> None:
        self._town, self._known = town, chronicle
        self._money = MoneyAtVendors(town, chronicle)
        self._posted: dict[str, str] = {}

    def check(self) -> None:
        """Raises `Broken`."""
        self._contracts()
        self._money.check()
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
