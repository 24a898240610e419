"""Says why a rule is violated, in the seller's words and with the figures that decided."""

from __future__ import annotations

from dealdesk.domain.compiled import Breach
from dealdesk.domain.conditions import Condition, leaves, render
from dealdesk.domain.decision import Violation
from dealdesk.domain.facts import FACTS, Fact, Facts, Unit, plain, spoken
from dealdesk.domain.judging import Verdict
from dealdesk.domain.line_groups import group_facts, group_value
from dealdesk.domain.measures import Terms
from dealdesk.domain.policy import Policy
from dealdesk.domain.rules import RATE_MISSING, AllowedTable, LimitTable, Unknown, key_texts

_SUFFIX = {Unit.PERCENT: "%", Unit.DAYS: " days", Unit.MONTHS: " months"}
NAMED_LINES = 10
_PLURAL = frozenset({"payment_days"})


def explain(breach: Breach, verdict: Verdict, terms: Terms, policy: Policy) -> Violation:
    """The violation as a decision carries it."""
    facts = _facts_of(breach, verdict, terms)
    match breach.rule.test:
        case LimitTable():
            return _beyond_limit(breach, breach.rule.test, facts, terms, policy)
        case AllowedTable():
            return _not_allowed(breach, breach.rule.test, facts, terms, policy)
        case Unknown():
            return _not_known(breach, terms, policy)
        case condition:
            return _applies(breach, condition, facts, terms, policy)


def _facts_of(breach: Breach, verdict: Verdict, terms: Terms) -> Facts:
    if breach.rule.group_by is not None:
        lines = [terms.lines[place] for place in breach.group]
        return group_facts(verdict.deal, lines, breach.rule.group_by)
    return verdict.deal if breach.line is None or not verdict.lines else verdict.lines[breach.line]


def fact_texts(deal: Facts, policy: Policy) -> tuple[tuple[str, str], ...]:
    """The figures that people see: discounts rounded up, the margin rounded down, as limits compare them."""
    currency = policy.currency
    return tuple(
        [
            (fact.name, value if type(value) is str else plain(fact, value, currency))
            for fact, at in _SHOWN
            if (value := deal[at]) is not None
        ]
    )


def _shown_at(fact: Fact) -> int:
    return fact.slot + 1 if fact.name == "margin_pct" else fact.slot


_SHOWN = tuple((fact, _shown_at(fact)) for fact in FACTS.values() if not fact.line_only)


def _shown(fact: Fact, facts: Facts) -> int | str | bool | None:
    return facts[_shown_at(fact)]


def _decisive(fact: Fact, op: str, facts: Facts) -> int | str | bool:
    """The rounding that the comparison read, so that no message says that 20.00% exceeds 20.00%."""
    value = facts[fact.slots[op == "min"]]
    assert value is not None, "a fact that nobody gave violates no rule"
    return value


def _beyond_limit(breach: Breach, table: LimitTable, facts: Facts, terms: Terms, policy: Policy) -> Violation:
    fact, currency = table.fact, policy.currency
    bound, found = table.rows[breach.row].limit, _decisive(fact, table.op, facts)
    limit, actual = plain(fact, bound, currency), plain(fact, found, currency)
    key = key_texts(table, [facts[key.slot] for key in table.keys])
    plural = "" if fact.name in _PLURAL else "s"
    relation = f"exceed{plural} the" if table.op == "max" else f"{'are' if not plural else 'is'} below the"
    allowed = "allowed" if table.op == "max" else "required"

    def said(value: int | str | bool, text: str) -> str:
        return f"{text}%" if fact.unit is Unit.PERCENT else spoken(fact, value, currency)

    suffix = f" {currency}" if fact.unit is Unit.MONEY else _SUFFIX.get(fact.unit, "")
    return _violation(
        breach,
        terms,
        policy,
        fact=fact.name,
        op=table.op,
        key=key,
        row=breach.row,
        rows=len(table.rows),
        actual=actual,
        limit=limit,
        passes_at=f"{'<=' if table.op == 'max' else '>='} {limit}{suffix}",
        reason=f"{fact.label} {said(found, actual)} {relation} {said(bound, limit)} {allowed}{_for_keys(key)}",
    )


def _not_allowed(breach: Breach, table: AllowedTable, facts: Facts, terms: Terms, policy: Policy) -> Violation:
    fact, currency = table.fact, policy.currency
    actual = facts[fact.slot]
    assert actual is not None, "a fact that nobody gave violates no rule"
    values = [plain(fact, value, currency) for value in table.rows[breach.row].values]
    key = key_texts(table, [facts[key.slot] for key in table.keys])
    return _violation(
        breach,
        terms,
        policy,
        fact=fact.name,
        op="in",
        key=key,
        row=breach.row,
        rows=len(table.rows),
        actual=plain(fact, actual, currency),
        limit=", ".join(values),
        passes_at=" or ".join(values),
        reason=f"{fact.label} {spoken(fact, actual, currency)} is not {' or '.join(values)}, "
        f"the only values allowed{_for_keys(key)}",
    )


def _applies(breach: Breach, condition: Condition, facts: Facts, terms: Terms, policy: Policy) -> Violation:
    read = {leaf.fact.name: leaf.fact for leaf in leaves(condition)}
    known = {name: value for name, fact in read.items() if (value := _shown(fact, facts)) is not None}
    text = render(condition, policy.currency)
    figures = ", ".join(f"{read[n].label} {spoken(read[n], v, policy.currency)}" for n, v in known.items())
    return _violation(
        breach,
        terms,
        policy,
        fact=", ".join(read),
        op="condition",
        key=(),
        row=None,
        rows=0,
        actual=", ".join(f"{n} {plain(read[n], v, policy.currency)}" for n, v in known.items()),
        limit=text,
        passes_at=f"!({text})",
        reason=f"{breach.rule.name} applies with {figures or 'what the quote leaves out'}",
    )


def _not_known(breach: Breach, terms: Terms, policy: Policy) -> Violation:
    if breach.rule is RATE_MISSING:
        pair = f"from {terms.currency} to {policy.currency}"
        key: tuple[tuple[str, str], ...] = (("currency", terms.currency),)
        reason, cure = f"there is no exchange rate {pair}", f"with a dated rate {pair}"
    else:
        key = ()
        reason = "there is no list price to measure the discount against"
        cure = "with a list or reference price above zero"
    fact = "total_contract_value" if breach.rule is RATE_MISSING else "list_unit_price"
    return _violation(
        breach,
        terms,
        policy,
        fact=fact,
        op="known",
        key=key,
        row=None,
        rows=0,
        actual="unknown",
        limit="known",
        passes_at=cure,
        reason=reason,
    )


def _violation(
    breach: Breach,
    terms: Terms,
    policy: Policy,
    *,
    fact: str,
    op: str,
    key: tuple[tuple[str, str], ...],
    row: int | None,
    rows: int,
    actual: str,
    limit: str,
    passes_at: str,
    reason: str,
) -> Violation:
    rule = breach.rule
    line = None if breach.line is None else terms.lines[breach.line].id
    lines = tuple(terms.lines[place].id for place in breach.group)
    group = None if rule.group_by is None else str(group_value(terms.lines[breach.group[0]], rule.group_by))
    if rule.group_by is not None and rule.group_by.name not in dict(key):
        key = ((rule.group_by.name, str(group)), *key)
    place = f" row {row + 1}" if row is not None and rows > 1 else ""
    then = "blocked" if rule.step is None else f"needs {policy.steps[rule.step].label}"
    source = f"(rule {rule.id}{place}, policy {policy.policy_id} v{policy.version})"
    return Violation(
        rule=rule.id,
        line=line,
        fact=fact,
        op=op,
        key=key,
        row=row,
        actual=actual,
        limit=limit,
        passes_at=passes_at,
        step=rule.step,
        blocks=rule.step is None,
        message=f"{place_of(line, group, lines)}{reason} {source}; {then}",
        group=group,
        lines=lines,
    )


def place_of(line: str | None, group: str | None, lines: tuple[str, ...]) -> str:
    """Where a reason applies, as its sentence begins; "" for the whole deal."""
    if lines:
        named = ", ".join(lines[:NAMED_LINES])
        more = f" and {len(lines) - NAMED_LINES} more" if len(lines) > NAMED_LINES else ""
        return f"{group} (line{'s' if len(lines) > 1 else ''} {named}{more}): "
    return "" if line is None else f"line {line}: "


def _for_keys(key: tuple[tuple[str, str], ...]) -> str:
    named = [f"{FACTS[name].label} {value}" for name, value in key if value != "*"]
    return f" for {', '.join(named)}" if named else ""
