"""Two thousand deals as JSON, of which 35% lie within a cent of a threshold, and their policy."""

from __future__ import annotations

import json
import random
from copy import deepcopy
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

DEALS, NEAR = 2_000, 0.35
CENT = Decimal("0.01")
SKUS = ("CORE-01", "CORE-02", "SEAT-01", "DATA-01", "SERV-01", "EDGE-01")
CHARGES = ("recurring", "recurring", "recurring", "one_time", "usage")
DISCOUNTS = ("10", "10", "12.5", "15", "20", "20", "22.5", "25", "27.5", "30", "30", "32.5", "35", "40", "45", "55")
MARGINS = ("20", "45", "50", "55", "60")
VALUES = ("5000", "100000", "250000", "400000", "500000", "1000000")
POLICY = Path(__file__).with_name("pricing_guardrails.json")


def policy_document(times: int = 1) -> dict[str, Any]:
    """The policy of 26 rules; more than once for a policy of many rules, each copy a little looser than the last."""
    document: dict[str, Any] = json.loads(POLICY.read_text())
    rules = document["rules"]
    document["rules"] = [_loosened(rule, copy) for copy in range(times) for rule in rules]
    return document


def _loosened(rule: dict[str, Any], copy: int) -> dict[str, Any]:
    changed = deepcopy(rule)
    if copy:
        changed["id"] = f"{rule['id']}-{copy}"
        for row in changed["rows"] if rule["kind"] == "limit" else ():
            row["limit"] = str(_looser(Decimal(row["limit"]), rule, copy))
    return changed


def _looser(limit: Decimal, rule: dict[str, Any], copy: int) -> Decimal:
    step = limit / 20 if rule["fact"] == "total_contract_value" else 1
    return limit + (copy if rule["op"] == "max" else -copy) * step


def deals(count: int = DEALS, seed: int = 20) -> list[dict[str, Any]]:
    """The same deals for the same seed."""
    chance = random.Random(seed)
    near = int(count * NEAR)
    return [_near(chance, _deal(chance)) if number < near else _deal(chance) for number in range(count)]


def large_deal(lines: int, seed: int = 7) -> dict[str, Any]:
    """One deal of many lines; most keep to the policy, a few do not."""
    chance = random.Random(seed)
    deal = _deal(chance) | {"risk": "medium", "payment_terms_days": 60, "segment": "enterprise", "term_months": 24}
    deal["lines"] = [_line(chance, str(number), chance.choice((0, 5, 10, 15, 18))) for number in range(lines)]
    for line in deal["lines"]:
        line["quantity"] = str(min(int(line["quantity"]), 3))
    for line in deal["lines"][:: max(lines // 10, 1)]:
        _price(line, Decimal(35))
    return deal


def _deal(chance: random.Random) -> dict[str, Any]:
    level = chance.choice((0, 0, 4, 8, 10, 12, 15, 18, 22, 28, 38))
    lines = [_line(chance, str(n), max(0, level + chance.randint(-6, 6))) for n in range(1, chance.randint(1, 8) + 1)]
    optional = {
        "segment": chance.choice(("enterprise", "enterprise", "smb", "partner", None)),
        "region": chance.choice(("NA", "EMEA", "APAC", None)),
        "new_logo": chance.choice((True, False, None)),
    }
    return {
        "name": "Acme FY27",
        "owner_id": "person-1",
        "customer": {"id": "acct-1", "name": "Acme Inc", "country": "US"},
        "currency": "USD",
        "risk": chance.choice(("low", "medium", "high")),
        "payment_terms_days": chance.choice((0, 15, 30, 30, 30, 30, 45, 45, 60, 75, 120)),
        "billing": chance.choice(("upfront", "annual", "annual", "annual", "quarterly", "monthly")),
        "term_months": chance.choice((6, 12, 12, 12, 24, 24, 36, 48)),
        "lines": lines,
    } | {name: value for name, value in optional.items() if value is not None}


def _line(chance: random.Random, id: str, discount: int) -> dict[str, Any]:
    listed = Decimal(chance.randint(1_000, 50_000)) / 100
    line = {
        "id": id,
        "sku": chance.choice(SKUS),
        "charge_type": chance.choice(CHARGES),
        "quantity": str(chance.randint(1, 40)),
        "periods": chance.choice((1, 1, 12)),
        "list_unit_price": str(listed),
        "net_unit_price": "0",
    }
    if chance.random() < 0.8:
        line["unit_cost"] = str((listed * chance.randint(5, 45) / 100).quantize(CENT))
    _price(line, Decimal(discount) + Decimal(chance.randint(0, 99)) / 100)
    return line


def _price(line: dict[str, Any], discount: Decimal) -> None:
    line["net_unit_price"] = str(
        (Decimal(line["list_unit_price"]) * (100 - min(discount, Decimal(100))) / 100).quantize(CENT)
    )


def _near(chance: random.Random, deal: dict[str, Any]) -> dict[str, Any]:
    """The deal with one figure on a threshold, or a cent beside it."""
    nudge = chance.choice((-1, 0, 1))
    match chance.choice(("discount", "line", "margin", "value")):
        case "line":
            line = chance.choice(deal["lines"])
            _sell(line, _list(line) * (100 - Decimal(chance.choice(DISCOUNTS))) / 100, nudge)
        case "discount":
            limit = Decimal(chance.choice(DISCOUNTS))
            _bring(deal, sum(map(_list, deal["lines"])) * (100 - limit) / 100, nudge)
        case "margin":
            for line in deal["lines"]:
                line.setdefault("unit_cost", str((Decimal(line["list_unit_price"]) / 4).quantize(CENT)))
            cost = sum(Decimal(line["unit_cost"]) * _volume(line) for line in deal["lines"])
            _bring(deal, cost / (1 - Decimal(chance.choice(MARGINS)) / 100), nudge)
        case _:
            _bring(deal, Decimal(chance.choice(VALUES)), nudge)
    return deal


def _bring(deal: dict[str, Any], target: Decimal, nudge: int) -> None:
    """Sets the last line's price so that the whole comes to the target, give or take a cent."""
    *others, last = deal["lines"]
    _sell(last, max(target - sum(map(_net, others)), Decimal(0)), nudge)


def _sell(line: dict[str, Any], amount: Decimal, nudge: int) -> None:
    """One piece at this price; its list price and cost stand for all that it was."""
    listed, cost = _list(line), line.get("unit_cost")
    cents = amount.quantize(CENT, ROUND_HALF_UP) + nudge * CENT
    if cost is not None:
        line["unit_cost"] = str(Decimal(cost) * _volume(line))
    line |= {
        "quantity": "1",
        "periods": 1,
        "list_unit_price": str(listed),
        "net_unit_price": str(max(cents, Decimal(0))),
    }


def _volume(line: dict[str, Any]) -> Decimal:
    return Decimal(line["quantity"]) * int(line["periods"])


def _list(line: dict[str, Any]) -> Decimal:
    return Decimal(line["list_unit_price"]) * _volume(line)


def _net(line: dict[str, Any]) -> Decimal:
    return Decimal(line["net_unit_price"]) * _volume(line)
