"""Builders of quotes and policies with defaults, so that a test names only what it is about."""

from __future__ import annotations

from copy import deepcopy
from datetime import date
from decimal import Decimal
from typing import Any

from dealdesk.domain.decision import FxRate
from dealdesk.domain.quote import Billing, ChargeType, Customer, Line, Quote, Risk

FINANCE = {"label": "Finance review", "group": "grp-finance", "sla_hours": 24}
EXECUTIVE = {"label": "Executive approval", "group": "grp-executive", "sla_hours": 24}


def a_line(
    id: str = "1",
    *,
    unit: str = "10000.00",
    off: str | None = None,
    net: str | None = None,
    quantity: str = "1",
    periods: int = 1,
    charge: ChargeType = ChargeType.RECURRING,
    sku: str = "CORE-01",
    cost: str | None = None,
) -> Line:
    """A line with a list price and either a net price or a percentage off."""
    listed = Decimal(unit)
    asked = listed * (100 - Decimal(off or "0")) / 100 if net is None else Decimal(net)
    return Line(
        id,
        sku,
        charge,
        Decimal(quantity),
        periods,
        listed,
        asked,
        None if cost is None else Decimal(cost),
    )


def a_quote(*lines: Line, off: str = "0", **fields: Any) -> Quote:
    """A quote over 10,000 USD, low risk, net 30, unless the test says otherwise."""
    known: dict[str, Any] = {
        "name": "Acme FY27",
        "owner_id": "person-1",
        "customer": Customer("acct-1", "Acme Inc", "US"),
        "currency": "USD",
        "risk": Risk.LOW,
        "payment_terms_days": 30,
        "billing": Billing.ANNUAL,
        "term_months": 12,
        "lines": lines or (a_line(off=off),),
    }
    return Quote(**(known | fields))


def a_rule(id: str = "R", **members: Any) -> dict[str, Any]:
    """A ceiling of 20% on the discount that finance decides, unless the test says otherwise."""
    limit = {"fact": "discount_pct", "op": "max", "keys": [], "rows": [{"key": [], "limit": "20.00"}]}
    rule: dict[str, Any] = {"id": id, "kind": "limit", "action": {"approve": "finance"}}
    return rule | (limit if members.get("kind", "limit") == "limit" else {}) | members


def a_document(*rules: dict[str, Any], **members: Any) -> dict[str, Any]:
    """A policy document with these rules and the steps finance, then executive."""
    return {
        "schema_version": 1,
        "policy_id": "test-policy",
        "version": 3,
        "name": "Test policy",
        "approvals": {
            "steps": {"finance": deepcopy(FINANCE), "executive": deepcopy(EXECUTIVE)},
            "route": [
                {"mode": "parallel", "steps": ["finance"]},
                {"mode": "sequential", "steps": ["executive"]},
            ],
        },
        "rules": list(rules) or [a_rule()],
    } | members


def a_rate(currency: str, rate: str) -> dict[str, FxRate]:
    """One dated rate, in the shape that `evaluate` takes."""
    return {currency: FxRate(currency, Decimal(rate), date(2026, 3, 2), "ecb")}
