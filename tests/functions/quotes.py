"""Quotes as REST takes them."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

CONTACT = {"name": "Casey Buyer", "email": "casey@acme.example"}


def a_line(number: int = 1, **fields: Any) -> dict[str, Any]:
    """1,000.00 USD list and net, unless the test says otherwise."""
    line = {
        "id": str(number),
        "sku": "CORE-01",
        "charge_type": "recurring",
        "quantity": "10",
        "periods": 12,
        "list_unit_price": "100.00",
        "net_unit_price": "85.00",
        "unit_cost": "20.00",
    }
    return {name: value for name, value in (line | fields).items() if value is not None}


def a_quote(**fields: Any) -> dict[str, Any]:
    """Within the guardrails: 12,000 USD list, 15% off, net 30, low risk, of the rep `person-rep`."""
    quote: dict[str, Any] = {
        "name": "Acme FY27",
        "owner_id": "person-rep",
        "customer": {"id": "acct-1", "name": "Acme Inc", "country": "US"},
        "contact": CONTACT,
        "currency": "USD",
        "risk": "low",
        "segment": "enterprise",
        "region": "NA",
        "new_logo": True,
        "payment_terms_days": 30,
        "billing": "annual",
        "term_months": 12,
        "lines": [a_line()],
    }
    return deepcopy(quote | fields)


def a_soft_breach(**fields: Any) -> dict[str, Any]:
    """25% off and net 40: executive and finance."""
    return a_quote(payment_terms_days=40, lines=[a_line(net_unit_price="75.00")], **fields)


def a_blocked_quote(**fields: Any) -> dict[str, Any]:
    """Three reasons: 35% off, net 60 and 100 USD in all."""
    line = a_line(quantity="1", periods=1, list_unit_price="153.85", net_unit_price="100.00")
    return a_quote(**({"payment_terms_days": 60, "lines": [line]} | fields))
