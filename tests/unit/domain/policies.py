"""Valid policy documents and quotes for property tests: every kind of rule, scope, step and setting."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from dealdesk.domain.quote import Billing, ChargeType, Quote, Risk
from tests.unit.domain.quotes import a_line, a_quote

Json = dict[str, Any]
STEPS = ("revops", "finance", "cfo", "executive")
SKUS = ("CORE-01", "EXTRA", "SETUP")

percents = st.integers(0, 9_999).map(lambda bps: f"{bps // 100}.{bps % 100:02}")
_limits = {
    "discount_pct": percents,
    "one_time_discount_pct": percents,
    "margin_pct": percents,
    "payment_days": st.integers(0, 90).map(str),
    "term_months": st.integers(1, 60),
    "total_contract_value": st.integers(0, 50_000).map(lambda amount: f"{amount}.00"),
}
_keys = {
    "risk_tier": st.sampled_from([*Risk, "*"]),
    "billing": st.sampled_from([*Billing, "*"]),
    "region": st.sampled_from(["EU", "NA", "*"]),
    "new_logo": st.sampled_from([True, False, "*"]),
}
_conditions = st.sampled_from(
    [
        "discount_pct > 12.50 && term_months < 24",
        "risk_tier != 'low' || billing in ['monthly', 'quarterly']",
        "!(region == 'EU') && new_logo",
        {"any": [{"fact": "segment", "absent": True}, {"fact": "payment_days", "op": ">=", "value": 45}]},
        {"not": {"fact": "margin_pct", "op": "<", "value": "40.00"}},
    ]
)
actions = st.one_of(st.just({"block": True}), st.sampled_from(STEPS).map(lambda step: {"approve": step}))


@st.composite
def _scopes(draw: st.DrawFn) -> Json:
    scope = draw(st.sampled_from(["", "deal", "line", "line_group"]))
    by = {"group_by": draw(st.sampled_from(["charge_type", "sku"]))} if scope == "line_group" else {}
    return ({"scope": scope} if scope else {}) | by


@st.composite
def _bodies(draw: st.DrawFn) -> Json:
    kind = draw(st.sampled_from(["limit", "allowed", "condition"]))
    if kind == "condition":
        return {"kind": kind, "expr": draw(_conditions)}
    names = draw(st.lists(st.sampled_from(sorted(_keys)), unique=True, max_size=2))
    fact = draw(st.sampled_from(sorted(_limits)))
    rows = []
    for _ in range(draw(st.integers(1, 4))):
        if kind == "limit":
            row: Json = {"limit": draw(_limits[fact])}
        else:
            row = {"values": draw(st.lists(st.sampled_from(list(Billing)), min_size=1, max_size=3, unique=True))}
        rows.append(row | {"key": [draw(_keys[name]) for name in names]})
    if kind == "limit":
        return {"kind": kind, "fact": fact, "op": draw(st.sampled_from(["max", "min"])), "keys": names, "rows": rows}
    return {"kind": kind, "fact": "billing", "keys": names, "rows": rows}


@st.composite
def documents(draw: st.DrawFn) -> Json:
    """A document that can be read; the checks may still find errors in it."""
    rules = []
    for number in range(draw(st.integers(1, 6))):
        guard = draw(st.one_of(st.none(), _conditions))
        rule = {"id": f"R{number}", **draw(_scopes()), **draw(_bodies()), "action": draw(actions)}
        rules.append(rule | ({} if guard is None else {"when": guard}))
    order = draw(st.permutations(STEPS))
    steps = {}
    for place, name in enumerate(order):
        step: Json = {"label": name.title(), "group": f"grp-{name}", "sla_hours": draw(st.integers(1, 100))}
        step |= draw(st.sampled_from([{}, {"needs": "all"}, {"needs": 2}, {"backups": ["grp-duty"]}]))
        covers = draw(st.lists(st.sampled_from(order[:place]), unique=True)) if place else []
        steps[name] = step | ({"covers": covers} if covers else {})
    modes = [draw(st.sampled_from(["parallel", "sequential"])) for _ in range(2)]
    route = [{"mode": modes[0], "steps": list(order[:2])}, {"mode": modes[1], "steps": list(order[2:])}]
    approvals = {"steps": steps, "route": route} | draw(st.sampled_from([{}, {"valid_days": 30}]))
    more = draw(st.sampled_from([{}, {"disclosure": "banded"}, {"currency": "EUR"}]))
    return (
        {"schema_version": 1, "policy_id": "p", "version": 1, "name": "Naïve £ 名", "approvals": approvals}
        | more
        | {"rules": rules}
    )


@st.composite
def quotes(draw: st.DrawFn) -> Quote:
    lines = [
        a_line(
            str(number),
            unit=draw(st.sampled_from(["0.07", "999.99", "12345.67"])),
            off=str(draw(st.integers(0, 100))),
            charge=draw(st.sampled_from(list(ChargeType))),
            sku=draw(st.sampled_from(SKUS)),
            cost=draw(st.sampled_from([None, "0", "500"])),
        )
        for number in range(draw(st.integers(1, 4)))
    ]
    return a_quote(
        *lines,
        risk=draw(st.sampled_from(list(Risk))),
        billing=draw(st.sampled_from(list(Billing))),
        payment_terms_days=draw(st.integers(0, 90)),
        term_months=draw(st.integers(1, 60)),
        region=draw(st.sampled_from([None, "EU", "NA"])),
        segment=draw(st.sampled_from([None, "smb"])),
        new_logo=draw(st.sampled_from([None, True, False])),
    )
