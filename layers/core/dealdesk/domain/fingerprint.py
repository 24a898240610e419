"""The identity of what was agreed: two quotes with the same fingerprint are the same deal to an approver."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal

from dealdesk.domain.amendments import Amends
from dealdesk.domain.pricing import Pricing
from dealdesk.domain.quote import Line, Quote

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
FIELD_MAP_VERSION = 2
"""Raise it whenever a field joins or leaves the map: grants given under another map then no longer match."""


def fingerprint(quote: Quote) -> str:
    """SHA-256 (hex) over the canonical JSON of the material fields.

    Left out because they are cosmetic or change nobody's judgement: the title, the owner, the contact, and
    who sends the envelope or keeps the books. Everything a rule can read is in, and
    so is how the customer pays.
    """
    return hashlib.sha256(canonical_json(_material(quote)).encode()).hexdigest()


def canonical_json(value: object) -> str:
    """One text per value: sorted keys, no spaces, characters as they are."""
    return _CANONICAL.encode(value)


def _material(quote: Quote) -> dict[str, object]:
    customer = quote.customer
    found: dict[str, object] = {
        "field_map": FIELD_MAP_VERSION,
        "customer": {"id": customer.id, "name": customer.name, "country": customer.country},
        "currency": quote.currency,
        "risk": quote.risk.value,
        "segment": quote.segment,
        "region": quote.region,
        "new_logo": quote.new_logo,
        "payment_terms_days": quote.payment_terms_days,
        "payment_method": quote.providers.payment,
        "billing": quote.billing.value,
        "term_months": quote.term_months,
        "valid_until": None if quote.valid_until is None else quote.valid_until.isoformat(),
        "lines": [_line(line, quote.currency) for line in sorted(quote.lines, key=lambda line: line.id)],
        "payment_terms": quote.payment_terms,
        "committed_months": quote.committed_months,
        "starts_on": None if quote.starts_on is None else quote.starts_on.isoformat(),
        "amount_off": None if quote.amount_off is None else _plain(quote.amount_off),
    }
    if quote.amends is not None:
        found["amends"] = _amends(quote.amends)
    return found


def _line(line: Line, currency: str) -> dict[str, object]:
    found: dict[str, object] = {
        "id": line.id,
        "sku": line.sku,
        "charge_type": line.charge_type.value,
        "quantity": _plain(line.quantity),
        "periods": line.periods,
        "list_unit_price": _plain(line.list_unit_price),
        "net_unit_price": _plain(line.net_unit_price),
        "unit_cost": None if line.unit_cost is None else _plain(line.unit_cost),
        "list_minor": line.list_minor(currency),
        "net_minor": line.net_minor(currency),
    }
    if line.pricing is not None:
        found["pricing"] = _pricing(line.pricing)
    return found


def _pricing(pricing: Pricing) -> dict[str, object]:
    return {
        "tiers": sorted([_plain(tier.from_quantity), _plain(tier.unit_price)] for tier in pricing.tiers),
        "discounts": [[x.layer.value, _given(x.percent), _given(x.amount)] for x in pricing.discounts],
        "segments": [[x.periods, _plain(x.quantity), _plain(x.net_unit_price)] for x in pricing.segments],
        "free_periods": pricing.free_periods,
        "off": _plain(pricing.off),
    }


def _amends(amends: Amends) -> dict[str, object]:
    lines = [[x.id, x.sku, _plain(x.quantity), _plain(x.net_unit_price)] for x in amends.lines]
    return {"reference": amends.reference, "lines": sorted(lines)}


def _given(number: Decimal | None) -> str | None:
    return None if number is None else _plain(number)


def _plain(number: Decimal) -> str:
    """10, 10.0 and 1E+1 are one number, and so one text."""
    if not number:
        return "0"
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
