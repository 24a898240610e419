"""Says why a rule is violated, in the seller's words and with the figures that decided."""

from __future__ import annotations

from typing import NamedTuple

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
Keys = tuple[tuple[str, str], ...]
_PLURAL = frozenset({"payment_days"})


class Phrase(NamedTuple):
    """What a violation of one row says whatever the deal is.

    `bound` follows the figure: " exceeds the 20.00% allowed". `ending` names the rule and what follows.
    """

    fact: str
    op: str
    row: int | None
    limit: str
    passes_at: str
    bound: str
    ending: str


def explain(breach: Breach, verdict: Verdict, terms: Terms, policy: Policy) -> Violation:
    """The violation as a decision carries it."""
    rule, facts = breach.rule, _facts_of(breach, verdict, terms)
    phrase = policy.phrases.get((rule.id, breach.row))
    match rule.test:
        case LimitTable() as table:
            phrase = phrase or _kept(breach, policy, _of_limit(breach, table, policy))
            found, currency = _decisive(table.fact, table.op, facts), policy.currency
            actual = plain(table.fact, found, currency)
            said = f"{actual}%" if table.fact.unit is Unit.PERCENT else spoken(table.fact, found, currency)
            return _told(breach, terms, phrase, actual, f"{table.fact.label} {said}", _keys_of(table, facts))
        case AllowedTable() as table:
            phrase = phrase or _kept(breach, policy, _of_allowed(breach, table, policy))
            value = facts[table.fact.slot]
            assert value is not None, "a fact that nobody gave violates no rule"
            actual = plain(table.fact, value, policy.currency)
            said = f"{table.fact.label} {spoken(table.fact, value, policy.currency)}"
            return _told(breach, terms, phrase, actual, said, _keys_of(table, facts))
        case Unknown():
            return _not_known(breach, terms, policy)
        case condition:
            phrase = phrase or _kept(breach, policy, _of_condition(breach, condition, policy))
            return _applies(breach, condition, facts, terms, policy, phrase)


def _kept(breach: Breach, policy: Policy, phrase: Phrase) -> Phrase:
    policy.phrases[breach.rule.id, breach.row] = phrase
    return phrase


def _facts_of(breach: Breach, verdict: Verdict, terms: Terms) -> Facts:
    if breach.rule.group_by is not None:
        lines = [terms.lines[place] for place in breach.group]
        return group_facts(verdict.deal, lines, breach.rule.group_by)
    return verdict.deal if breach.line is None or not verdict.lines else verdict.lines[breach.line]


def _keys_of(table: LimitTable | AllowedTable, facts: Facts) -> Keys:
    return key_texts(table, [facts[key.slot] for key in table.keys]) if table.keys else ()


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


def _of_limit(breach: Breach, table: LimitTable, policy: Policy) -> Phrase:
    fact, currency = table.fact, policy.currency
    bound = table.rows[breach.row].limit
    limit = plain(fact, bound, currency)
    plural = "" if fact.name in _PLURAL else "s"
    relation = f"exceed{plural} the" if table.op == "max" else f"{'are' if not plural else 'is'} below the"
    allowed = "allowed" if table.op == "max" else "required"
    suffix = f" {currency}" if fact.unit is Unit.MONEY else _SUFFIX.get(fact.unit, "")
    return Phrase(
        fact=fact.name,
        op=table.op,
        row=breach.row,
        limit=limit,
        passes_at=f"{'<=' if table.op == 'max' else '>='} {limit}{suffix}",
        bound=f" {relation} {spoken(fact, bound, currency)} {allowed}",
        ending=_ending(breach, policy, len(table.rows)),
    )


def _of_allowed(breach: Breach, table: AllowedTable, policy: Policy) -> Phrase:
    values = [plain(table.fact, value, policy.currency) for value in table.rows[breach.row].values]
    return Phrase(
        fact=table.fact.name,
        op="in",
        row=breach.row,
        limit=", ".join(values),
        passes_at=" or ".join(values),
        bound=f" is not {' or '.join(values)}, the only values allowed",
        ending=_ending(breach, policy, len(table.rows)),
    )


def _of_condition(breach: Breach, condition: Condition, policy: Policy) -> Phrase:
    text = render(condition, policy.currency)
    return Phrase(
        fact=", ".join(dict.fromkeys(leaf.fact.name for leaf in leaves(condition))),
        op="condition",
        row=None,
        limit=text,
        passes_at=f"!({text})",
        bound="",
        ending=_ending(breach, policy, rows=0),
    )


def _applies(
    breach: Breach, condition: Condition, facts: Facts, terms: Terms, policy: Policy, phrase: Phrase
) -> Violation:
    read = {leaf.fact.name: leaf.fact for leaf in leaves(condition)}
    known = [(fact, value) for fact in read.values() if (value := _shown(fact, facts)) is not None]
    figures = ", ".join(f"{fact.label} {spoken(fact, value, policy.currency)}" for fact, value in known)
    actual = ", ".join(f"{fact.name} {plain(fact, value, policy.currency)}" for fact, value in known)
    said = f"{breach.rule.name} applies with {figures or 'what the quote leaves out'}"
    return _told(breach, terms, phrase, actual, said, ())


def _not_known(breach: Breach, terms: Terms, policy: Policy) -> Violation:
    if breach.rule is RATE_MISSING:
        pair = f"from {terms.currency} to {policy.currency}"
        key: Keys = (("currency", terms.currency),)
        fact, reason, cure = "total_contract_value", f"there is no exchange rate {pair}", f"with a dated rate {pair}"
    else:
        key, fact = (), "list_unit_price"
        reason = "there is no list price to measure the discount against"
        cure = "with a list or reference price above zero"
    phrase = Phrase(fact, "known", None, "known", cure, bound="", ending=_ending(breach, policy, rows=0))
    return _told(breach, terms, phrase, "unknown", reason, key, names_keys=False)


def _ending(breach: Breach, policy: Policy, rows: int) -> str:
    rule = breach.rule
    place = f" row {breach.row + 1}" if rows > 1 else ""
    then = "blocked" if rule.step is None else f"needs {policy.steps[rule.step].label}"
    return f" (rule {rule.id}{place}, policy {policy.policy_id} v{policy.version}); {then}"


def _told(
    breach: Breach, terms: Terms, phrase: Phrase, actual: str, said: str, key: Keys, *, names_keys: bool = True
) -> Violation:
    """The violation, with its sentence: where it applies, what was `said` of the deal, and the phrase."""
    rule = breach.rule
    reason = f"{said}{phrase.bound}{_for_keys(key) if key and names_keys else ''}"
    line = None if breach.line is None else terms.lines[breach.line].id
    group: str | None = None
    lines: tuple[str, ...] = ()
    if rule.group_by is not None:
        lines = tuple([terms.lines[place].id for place in breach.group])
        group = group_value(terms.lines[breach.group[0]], rule.group_by)
        if rule.group_by.name not in dict(key):
            key = ((rule.group_by.name, group), *key)
    return Violation(
        rule=rule.id,
        line=line,
        fact=phrase.fact,
        op=phrase.op,
        key=key,
        row=phrase.row,
        actual=actual,
        limit=phrase.limit,
        passes_at=phrase.passes_at,
        step=rule.step,
        blocks=rule.step is None,
        message=f"{place_of(line, group, lines)}{reason}{phrase.ending}",
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


def _for_keys(key: Keys) -> str:
    named = [f"{FACTS[name].label} {value}" for name, value in key if value != "*"]
    return f" for {', '.join(named)}" if named else ""
