"""Random policies and quotes as JSON, with prices on, beside and far from the limits of the policy."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from dealdesk.domain.quote import Billing, ChargeType, Line, Quote, Risk
from tests.unit.domain.quotes import a_document, a_quote, a_rule

Json = dict[str, Any]
RISKS, BILLINGS = [risk.value for risk in Risk], [billing.value for billing in Billing]
CHARGES, SKUS = [charge.value for charge in ChargeType], ["CORE-01", "ADD-01"]
SEGMENTS, REGIONS = ["enterprise", "smb"], ["NA", "EMEA"]
ATTRIBUTES: dict[str, list[Any]] = {
    "risk_tier": RISKS, "billing": BILLINGS, "segment": SEGMENTS, "region": REGIONS, "new_logo": [True, False],
}  # fmt: skip
OF_LINES: dict[str, list[Any]] = {"sku": SKUS, "charge_type": CHARGES}
PERCENTS = ["0", "0.01", "10", "12.5", "19.99", "20", "20.01", "33.33", "50", "100"]
FIGURES = {
    "discount_pct": PERCENTS,
    "recurring_discount_pct": PERCENTS,
    "one_time_discount_pct": PERCENTS,
    "usage_discount_pct": PERCENTS,
    "margin_pct": ["-10", *PERCENTS],
    "payment_days": ["0", "30", "45", "60"],
    "term_months": ["1", "12", "24", "36"],
    "total_contract_value": ["0", "900", "5000.00", "7999.99", "100000"],
}
Own = tuple[str, ...]
"""What a line has of its own, or the lines of a group in common; a deal has nothing of it."""
SCOPES: dict[str, list[Own]] = {"deal": [()], "line": [tuple(OF_LINES)], "line_group": [(by,) for by in OF_LINES]}
ACTIONS = st.sampled_from([{"approve": "finance"}, {"approve": "executive"}, {"block": True}])


@st.composite
def a_limit(draw: st.DrawFn, own: Own) -> Json:
    fact = draw(st.sampled_from(list(FIGURES)))
    keys = draw(st.lists(st.sampled_from(_attributes(own)), max_size=3, unique=True))
    rows = [
        {"key": [draw(_key(key)) for key in keys], "limit": draw(st.sampled_from(FIGURES[fact]))}
        for _ in range(draw(st.integers(1, 4)) if keys else 1)
    ]
    return {"kind": "limit", "fact": fact, "op": draw(st.sampled_from(["max", "min"])), "keys": keys, "rows": rows}


@st.composite
def an_allowance(draw: st.DrawFn, own: Own) -> Json:
    fact = draw(st.sampled_from([name for name in _attributes(own) if name != "new_logo"]))
    keys = draw(st.lists(st.sampled_from(_attributes(own)), max_size=2, unique=True))
    values = st.lists(st.sampled_from(_values(fact)), min_size=1, unique=True)
    rows = [
        {"key": [draw(_key(key)) for key in keys], "values": draw(values)}
        for _ in range(draw(st.integers(1, 3)) if keys else 1)
    ]
    return {"kind": "allowed", "fact": fact, "keys": keys, "rows": rows}


def a_tree(own: Own) -> st.SearchStrategy[Json]:
    leaves = st.one_of(_comparison(), _attribute(own), _absence(own))
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.builds(lambda term: {"not": term}, inner),
            st.builds(lambda terms: {"all": terms}, st.lists(inner, min_size=1, max_size=3)),
            st.builds(lambda terms: {"any": terms}, st.lists(inner, min_size=1, max_size=3)),
        ),
        max_leaves=6,
    )


@st.composite
def _comparison(draw: st.DrawFn) -> Json:
    fact = draw(st.sampled_from(list(FIGURES)))
    if draw(st.integers(0, 4)) == 0:
        return {"fact": fact, "in": draw(st.lists(st.sampled_from(FIGURES[fact]), min_size=1, max_size=3))}
    op = draw(st.sampled_from(["==", "!=", "<", "<=", ">", ">="]))
    return {"fact": fact, "op": op, "value": draw(st.sampled_from(FIGURES[fact]))}


@st.composite
def _attribute(draw: st.DrawFn, own: Own) -> Json:
    fact = draw(st.sampled_from(_attributes(own)))
    if draw(st.booleans()):
        return {"fact": fact, "in": draw(st.lists(st.sampled_from(_values(fact)), min_size=1, max_size=2))}
    return {"fact": fact, "op": draw(st.sampled_from(["==", "!="])), "value": draw(st.sampled_from(_values(fact)))}


def _absence(own: Own) -> st.SearchStrategy[Json]:
    named = st.sampled_from(["segment", "region", "new_logo", "margin_pct", "usage_discount_pct"])
    return st.builds(lambda fact: {"fact": fact, "absent": True}, named)


def _attributes(own: Own) -> list[str]:
    return [*ATTRIBUTES, *own]


def _values(fact: str) -> list[Any]:
    return OF_LINES.get(fact) or ATTRIBUTES[fact]


def _key(fact: str) -> st.SearchStrategy[Any]:
    return st.sampled_from(["*", *_values(fact)])


@st.composite
def a_policy(draw: st.DrawFn) -> Json:
    rules = []
    for number in range(draw(st.integers(1, 5))):
        scope = draw(st.sampled_from(list(SCOPES)))
        own = draw(st.sampled_from(SCOPES[scope]))
        tree = st.builds(lambda expr: {"kind": "condition", "expr": expr}, a_tree(own))
        rule = draw(st.one_of(a_limit(own), a_limit(own), an_allowance(own), tree))
        rule |= {"id": f"R{number}", "action": draw(ACTIONS), "scope": scope}
        if scope == "line_group":
            (rule["group_by"],) = own
        if draw(st.integers(0, 3)) == 0:
            rule["when"] = draw(a_tree(own))
        rules.append(a_rule(**rule) if rule["kind"] == "limit" else rule)
    return a_document(*rules)


@st.composite
def a_deal(draw: st.DrawFn) -> Json:
    lines = [draw(_line(str(number))) for number in range(draw(st.integers(1, 4)))]
    return {
        "currency": "USD",
        "risk": draw(st.sampled_from(RISKS)),
        "billing": draw(st.sampled_from(BILLINGS)),
        "payment_terms_days": draw(st.sampled_from([0, 29, 30, 31, 45, 46, 60, 90])),
        "term_months": draw(st.sampled_from([1, 11, 12, 13, 24, 36, 37])),
        "segment": draw(st.sampled_from([*SEGMENTS, None])),
        "region": draw(st.sampled_from([*REGIONS, None])),
        "new_logo": draw(st.sampled_from([True, False, None])),
        "lines": lines,
    }


@st.composite
def _line(draw: st.DrawFn, id: str) -> Json:
    """A line on one of the limits, on the basis point or the minor unit beside it, or anywhere."""
    quantity, periods = draw(st.sampled_from([1, 1, 3, 40])), draw(st.sampled_from([1, 1, 12]))
    listed = Decimal(draw(st.integers(0, 9) | st.integers(1, 2_000_000))).scaleb(-draw(st.integers(0, 4)))
    limit = Decimal(draw(st.sampled_from(PERCENTS))) + Decimal(draw(st.integers(-1, 1))).scaleb(-2)
    nudge = Decimal(draw(st.integers(-1, 1))).scaleb(-2) / (quantity * periods)
    net = max((listed * (100 - limit) / 100 + nudge).quantize(Decimal("1E-6")), Decimal(0))
    margin = Decimal(draw(st.sampled_from(FIGURES["margin_pct"])))
    cost = max((net * (100 - margin) / 100).quantize(Decimal("0.01")), Decimal(0))
    return {
        "id": id,
        "sku": draw(st.sampled_from(SKUS)),
        "charge_type": draw(st.sampled_from(CHARGES)),
        "quantity": str(quantity),
        "periods": periods,
        "list_unit_price": str(listed),
        "net_unit_price": str(net),
        "unit_cost": draw(st.sampled_from([str(cost), str(cost), None])),
    }


def quote_of(deal: Json) -> Quote:
    """The quote that the document describes."""
    lines = [
        Line(
            line["id"],
            line["sku"],
            ChargeType(line["charge_type"]),
            Decimal(line["quantity"]),
            line["periods"],
            Decimal(line["list_unit_price"]),
            Decimal(line["net_unit_price"]),
            None if line["unit_cost"] is None else Decimal(line["unit_cost"]),
        )
        for line in deal["lines"]
    ]
    fields = {name: deal[name] for name in deal if name not in ("lines", "risk", "billing")}
    return a_quote(*lines, risk=Risk(deal["risk"]), billing=Billing(deal["billing"]), **fields)
