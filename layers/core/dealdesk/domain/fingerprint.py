"""The identity of what was agreed: two quotes with the same fingerprint are the same deal to an approver."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from decimal import Decimal
from operator import attrgetter

from dealdesk.domain.amendments import Amends
from dealdesk.domain.measures import Priced
from dealdesk.domain.pricing import Pricing
from dealdesk.domain.quote import Line, Quote

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
FIELD_MAP_VERSION = 2
"""Raise it whenever a field joins or leaves the map: grants given under another map then no longer match."""


def fingerprint(quote: Quote, priced: Sequence[Priced] | None = None) -> str:
    """SHA-256 (hex) over the canonical JSON of the material fields; `priced` are its lines where they are measured.

    Left out because they are cosmetic or change nobody's judgement: the title, the owner, the contact, and
    who sends the envelope or keeps the books. Everything a rule can read is in, and
    so is how the customer pays.
    """
    return hashlib.sha256(canonical_json(_material(quote, priced)).encode()).hexdigest()


def canonical_json(value: object) -> str:
    """One text per value: sorted keys, no spaces, characters as they are."""
    return _CANONICAL.encode(value)


def _material(quote: Quote, priced: Sequence[Priced] | None) -> dict[str, object]:
    customer, lines = quote.customer, sorted(quote.lines, key=_by_id)
    if priced is None:
        amounts = [(line.list_minor(quote.currency), line.net_minor(quote.currency)) for line in lines]
    else:
        amounts = [(line.list_minor, line.net_minor) for line in priced]
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
        "lines": list(map(_line, lines, amounts)),
        "payment_terms": quote.payment_terms,
        "committed_months": quote.committed_months,
        "starts_on": None if quote.starts_on is None else quote.starts_on.isoformat(),
        "amount_off": None if quote.amount_off is None else _plain(quote.amount_off),
    }
    if quote.amends is not None:
        found["amends"] = _amends(quote.amends)
    return found


_by_id = attrgetter("id")


def _line(line: Line, amounts: tuple[int, int]) -> dict[str, object]:
    list_minor, net_minor = amounts
    found: dict[str, object] = {
        "id": line.id,
        "sku": line.sku,
        "charge_type": line.charge_type.value,
        "quantity": _plain(line.quantity),
        "periods": line.periods,
        "list_unit_price": _plain(line.list_unit_price),
        "net_unit_price": _plain(line.net_unit_price),
        "unit_cost": None if line.unit_cost is None else _plain(line.unit_cost),
        "list_minor": list_minor,
        "net_minor": net_minor,
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
