"""A plain and slow reading of a policy document on a quote document, in exact fractions.

It shares no code with the desk: it never rounds a percentage, compiles nothing, and follows the words of the rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import Any

Json = dict[str, Any]
MINOR = {"USD": 100, "EUR": 100, "JPY": 1, "KWD": 1000}
BASIS_POINT = Fraction(1, 10_000)
CHARGE = {"recurring_discount_pct": "recurring", "one_time_discount_pct": "one_time", "usage_discount_pct": "usage"}
PLAIN = {"payment_days": "payment_terms_days", "term_months": "term_months", "billing": "billing", "risk_tier": "risk",
         "segment": "segment", "region": "region", "new_logo": "new_logo", "currency": "currency"}  # fmt: skip


@dataclass(frozen=True)
class Answer:
    outcome: str
    violated: frozenset[tuple[str, str | None]]
    steps: frozenset[str]


def decide(policy: Json, quote: Json, rate: str | None = None) -> Answer:
    """What the policy says of the quote; `rate` turns its currency into the policy's."""
    deal = _Deal(policy, quote, rate)
    violated: list[tuple[str, str | None, Json]] = []
    if quote["currency"] != policy.get("currency", "USD") and rate is None:
        violated.append(("fx-rate", None, {"block": True}))
    for line in quote["lines"]:
        if _fraction(line["list_unit_price"]) == 0:
            violated.append(("list-price", line["id"], {"block": True}))
    for rule in policy["rules"]:
        for where, lines in _looked_at(rule, quote):
            if deal.violates(rule, lines):
                violated.append((rule["id"], where, rule["action"]))
    found = frozenset((rule, line) for rule, line, _ in violated)
    if any("block" in action for _, _, action in violated):
        return Answer("blocked", found, frozenset())
    steps = frozenset(action["approve"] for _, _, action in violated)
    return Answer("needs_approval" if steps else "auto_approve", found, steps)


def _looked_at(rule: Json, quote: Json) -> list[tuple[str | None, list[Json] | None]]:
    """The lines that the rule takes together, by what names them; None stands for the whole deal."""
    if rule.get("scope") == "line":
        return [(line["id"], [line]) for line in quote["lines"]]
    if rule.get("scope") != "line_group":
        return [(None, None)]
    by = rule["group_by"]
    values = {line[by] for line in quote["lines"]}
    return [(value, [line for line in quote["lines"] if line[by] == value]) for value in values]


class _Deal:
    def __init__(self, policy: Json, quote: Json, rate: str | None) -> None:
        self._quote, self._rate = quote, rate
        self._currency = policy.get("currency", "USD")
        self._unit = MINOR[quote["currency"]]

    def violates(self, rule: Json, lines: list[Json] | None) -> bool:
        if "when" in rule and self._true(rule["when"], lines) is not True:
            return False
        if rule["kind"] == "condition":
            return self._true(rule["expr"], lines) is True
        row = next((row for row in rule["rows"] if self._matches(rule, row, lines)), None)
        if row is None:
            return False
        if rule["kind"] == "allowed":
            value = self._text(rule["fact"], lines)
            return value is not None and value not in row["values"]
        return self._compared(rule["fact"], ">" if rule["op"] == "max" else "<", row["limit"], lines) is True

    def _matches(self, rule: Json, row: Json, lines: list[Json] | None) -> bool:
        found = [self._text(key, lines) for key in rule.get("keys", ())]
        return all(wanted in ("*", value) for wanted, value in zip(row.get("key", ()), found, strict=True))

    def _text(self, fact: str, lines: list[Json] | None) -> Any:
        if fact in ("sku", "charge_type"):
            return lines and lines[0][fact]
        return self._quote.get(PLAIN[fact])

    def _true(self, tree: Json, lines: list[Json] | None) -> bool | None:
        """True, false, or None where the quote does not say."""
        if "all" in tree or "any" in tree:
            answers = [self._true(term, lines) for term in tree.get("all") or tree["any"]]
            decisive = "any" in tree
            if decisive in answers:
                return decisive
            return None if None in answers else not decisive
        if "not" in tree:
            answer = self._true(tree["not"], lines)
            return None if answer is None else not answer
        if "absent" in tree:
            return self._compared(tree["fact"], "==", "0", lines) is None
        if "in" in tree:
            equal = [self._compared(tree["fact"], "==", value, lines) for value in tree["in"]]
            return None if equal[0] is None else True in equal
        return self._compared(tree["fact"], tree["op"], tree["value"], lines)

    def _compared(self, fact: str, op: str, value: Any, lines: list[Json] | None) -> bool | None:
        if fact.endswith("discount_pct"):
            return self._discount_is(self._priced(fact, lines), op, _fraction(value) / 100)
        found: Any
        if fact == "margin_pct":
            found = self._margin(lines or self._quote["lines"])
            value = _fraction(value) / 100
        elif fact == "total_contract_value":
            found, value = self._contract_value(), _fraction(value) * MINOR[self._currency]
        else:
            found = self._text(fact, lines)
            value = _fraction(value) if isinstance(found, int) and not isinstance(found, bool) else value
        return None if found is None else _is(found, op, value)

    def _priced(self, fact: str, lines: list[Json] | None) -> Sequence[Json]:
        if fact in CHARGE:
            return [item for item in self._quote["lines"] if item["charge_type"] == CHARGE[fact]]
        return lines or list(self._quote["lines"])

    def _discount_is(self, lines: Sequence[Json], op: str, limit: Fraction) -> bool | None:
        """Between two basis points a discount lies as its fraction does, less what rounding to money explains."""
        if sum(self._minor(line, "list_unit_price") for line in lines) == 0:
            return None
        within, within_less = self._satisfied(lines, limit), self._satisfied(lines, limit - BASIS_POINT)
        below = self._given(lines) < limit or within_less
        answers = {">": not within, "<=": within, "<": below, ">=": not below, "==": within and not below}
        return not answers["=="] if op == "!=" else answers[op]

    def _satisfied(self, lines: Sequence[Json], limit: Fraction) -> bool:
        """Whether the prices keep to the limit, or to what the lines come to when each is rounded at the limit."""
        if self._given(lines) <= limit:
            return True
        floors = 0
        for line in lines:
            rounded, exact = self._minor(line, "list_unit_price"), self._exact(line, "list_unit_price")
            floors += min(_half_up(rounded * (1 - limit)), _half_up(exact * (1 - limit)))
        return limit >= 0 and sum(self._minor(line, "net_unit_price") for line in lines) >= floors

    def _given(self, lines: Sequence[Json]) -> Fraction:
        listed = sum(self._minor(line, "list_unit_price") for line in lines)
        return Fraction(listed - sum(self._minor(line, "net_unit_price") for line in lines), listed)

    def _margin(self, lines: Sequence[Json]) -> Fraction | None:
        if any(line.get("unit_cost") is None for line in lines):
            return None
        cost = sum(self._minor(line, "unit_cost") for line in lines)
        net = sum(self._minor(line, "net_unit_price") for line in lines)
        return None if net == cost == 0 else Fraction(int(max(net, 1) - cost), int(max(net, 1)))

    def _contract_value(self) -> int | None:
        net = sum(self._minor(line, "net_unit_price") for line in self._quote["lines"])
        if self._quote["currency"] == self._currency:
            return net
        if self._rate is None:
            return None
        return _half_up(Fraction(net, self._unit) * _fraction(self._rate) * MINOR[self._currency])

    def _exact(self, line: Json, price: str) -> Fraction:
        return _fraction(line[price]) * _fraction(line["quantity"]) * int(line["periods"]) * self._unit

    def _minor(self, line: Json, price: str) -> int:
        return _half_up(self._exact(line, price))


def _is(found: Any, op: str, value: Any) -> bool:
    return bool({"==": found == value, "!=": found != value}[op] if op in ("==", "!=") else _ordered(found, op, value))


def _ordered(found: Any, op: str, value: Any) -> bool:
    return bool({"<": found < value, "<=": found <= value, ">": found > value, ">=": found >= value}[op])


def _fraction(text: str | int) -> Fraction:
    return Fraction(text)


def _half_up(amount: Fraction) -> int:
    return floor(amount + Fraction(1, 2))
