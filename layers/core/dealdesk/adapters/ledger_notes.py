"""The note on a ledger's document, by which the desk knows it again: whose it is, and what it must say."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import asdict
from decimal import Decimal

from dealdesk.domain.events import CreditMemo, InvoiceDraft, InvoiceLine
from dealdesk.domain.money import EXACT, minor_units
from dealdesk.errors import VendorRefused

DIGEST_CHARS = 16
OURS = re.compile(r"\bDeal Desk (\S+) (\S+)")


def note_on(document: InvoiceDraft | CreditMemo, deal_id: str) -> str:
    """ "Deal Desk d-1 inv_d-1_1 9f86d081884c7d65"; a credit memo's names its invoice too.

    An invoice that replaces another says so by that one's number, never by its id: the note is not on that one.
    """
    names = [document.memo_id, document.invoice_id] if isinstance(document, CreditMemo) else [document.invoice_id]
    number = "" if isinstance(document, CreditMemo) else document.replaces_number
    instead = ["replaces", number] if number else []
    return " ".join(["Deal Desk", deal_id, *names, digest_of(document), *instead])


def is_note_on(note: object, document: InvoiceDraft | CreditMemo) -> bool:
    """Whether the note is that of this document with this very content."""
    name = document.memo_id if isinstance(document, CreditMemo) else document.invoice_id
    return {name, digest_of(document)} <= set(str(note or "").split())


def owner_of(note: object) -> tuple[str, str] | None:
    """The deal and the invoice or memo that a note of ours names; None for a note that is not ours."""
    found = OURS.search(str(note or ""))
    return (found[1], found[2]) if found else None


def digest_of(document: InvoiceDraft | CreditMemo) -> str:
    if isinstance(document, InvoiceDraft):
        return document.digest[:DIGEST_CHARS]
    canonical = json.dumps(asdict(document), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:DIGEST_CHARS]


def require_decimals(vendor: str, currency: str, kept: int) -> None:
    """Raises `VendorRefused` when the ledger keeps fewer decimals than amounts in this currency have."""
    if minor_units(currency) > kept:
        raise VendorRefused(
            f"{vendor} keeps {kept} decimals, {currency} has {minor_units(currency)}; nothing was posted"
        )


def require_rest(vendor: str, memo: CreditMemo, invoiced: Decimal, credited: Iterable[Decimal]) -> None:
    """Raises `VendorRefused` when the memo takes back more than is left of its invoice; all before tax."""
    rest = exact_minor(vendor, invoiced - sum(credited, Decimal(0)), memo.currency)
    if memo.total_minor > rest:
        raise VendorRefused(
            f"invoice {memo.invoice_number} has {rest} left to take back in {vendor}, not {memo.total_minor}"
        )


def amount_of(line: InvoiceLine, currency: str) -> Decimal:
    return EXACT.scaleb(Decimal(line.amount_minor), -minor_units(currency))


def exact_minor(vendor: str, amount: Decimal, currency: str) -> int:
    """The ledger's amount in whole minor units; it is never rounded here."""
    minor = EXACT.scaleb(amount, minor_units(currency))
    if minor != minor.to_integral_value():
        raise VendorRefused(f"{vendor} has {amount} {currency}, which is no whole amount of that currency")
    return int(minor)
