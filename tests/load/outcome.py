"""What became of every deal, checked at the vendors and in the table, never by the desk's own word."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from local.people import CONTRACTS, INVOICES, PATHS, People
from local.people import Path as Vendors
from local.stack import Stack
from operate import figures
from operate.installation import on_this_machine
from operate.snapshots import deal_ids, examine
from tests.load.table import counts_of_events, posted_numbers
from tests.load.watch import dead_letters

ONCE = ("document.sent", "payment.succeeded", "invoice.posted", "deal.closed")


def faults(stack: Stack, deals: Mapping[str, Vendors]) -> list[str]:
    """One line for everything that is not as promised: each deal signed, charged and posted exactly once."""
    found = [*_of_events(stack, deals), *_of_vendors(stack, deals), *_of_chains(), *_of_figures()]
    return found + [f"{count} letters lie in {queue}" for queue, count in dead_letters(stack).items()]


def _of_events(stack: Stack, deals: Mapping[str, Vendors]) -> Iterator[str]:
    events = counts_of_events(stack)
    for deal_id in deals:
        for type_ in ONCE:
            if (times := events[deal_id][type_]) != 1:
                yield f"{deal_id}: {type_} happened {times} times"


def _of_vendors(stack: Stack, deals: Mapping[str, Vendors]) -> Iterator[str]:
    numbers = posted_numbers(stack)
    at = {path: _At(stack, path) for path in PATHS.values()}
    for deal_id, path in deals.items():
        counts = at[path].count(deal_id, numbers.get(deal_id, ""))
        if counts != (1, 1, 1):
            yield f"{deal_id}: {counts[0]} contracts, {counts[1]} payments and {counts[2]} invoices at {path}"


class _At:
    """The documents of the vendors of one path, as text, read once."""

    def __init__(self, stack: Stack, path: Vendors) -> None:
        people = People(path, state=cache(lambda twin: dict(stack.twin(twin, "state"))), act=lambda *_: None)
        self._contracts = _texts(people.state(path.signature)[CONTRACTS[path.signature]])
        self._money = _texts(people.money_taken())
        self._invoices = _texts(people.state(path.ledger)[INVOICES[path.ledger]])

    def count(self, deal_id: str, invoice_number: str) -> tuple[int, int, int]:
        invoices = _holding(invoice_number, self._invoices) if invoice_number else 0
        return _holding(deal_id, self._contracts), _holding(deal_id, self._money), invoices


def _texts(documents: list[dict[str, Any]]) -> list[str]:
    return [json.dumps(document, default=str) for document in documents]


def _holding(id: str, texts: list[str]) -> int:
    """How many of them carry this id of ours, alone or inside a longer one like that of a payment."""
    whole = re.compile(rf"{re.escape(id)}(?![0-9A-Za-z])")
    return sum(whole.search(text) is not None for text in texts)


def _of_chains() -> Iterator[str]:
    installation = on_this_machine()
    for deal_id in deal_ids(installation):
        finding = examine(installation, deal_id)
        yield from (f"{deal_id}: {fault}" for fault in (*finding.broken, *finding.stale))


def _of_figures() -> Iterator[str]:
    yield from (fault.what for fault in figures.faults(on_this_machine()))
