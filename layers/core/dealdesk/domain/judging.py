"""Runs a compiled policy over measured terms: which rules are violated, and what that amounts to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from dealdesk.domain.decision import FxRate, Outcome
from dealdesk.domain.facts import Facts
from dealdesk.domain.line_groups import group_facts, groups_of
from dealdesk.domain.measures import Terms, deal_facts, line_facts
from dealdesk.domain.policy import Policy
from dealdesk.domain.programme import PASSES
from dealdesk.domain.rules import LIST_PRICE_MISSING, RATE_MISSING, Rule
from dealdesk.domain.run_rate import add_line_run_rate, add_run_rate


class Breach(NamedTuple):
    """A rule that is violated: by which row of its table, on which line or group of lines (places in the terms)."""

    rule: Rule
    row: int
    line: int | None
    group: tuple[int, ...] = ()


class Verdict(NamedTuple):
    """What the policy says of some terms; `lines` is empty when no rule looks at lines."""

    deal: Facts
    lines: tuple[Facts, ...]
    breaches: tuple[Breach, ...]
    outcome: Outcome
    steps: frozenset[str]


def rate_for(terms: Terms, policy: Policy, fx: Mapping[str, FxRate]) -> FxRate | None:
    """The rate from the quote's currency to the policy's; None when none is needed or none is there."""
    if terms.currency == policy.currency:
        return None
    rate = fx.get(terms.currency)
    pair = (terms.currency, policy.currency)
    return rate if rate is not None and (rate.currency, rate.into) == pair else None


def judge(terms: Terms, policy: Policy, rate: FxRate | None) -> Verdict:
    """Every rule is asked and every reason kept; requirements add up, and one blocking rule blocks."""
    deal = deal_facts(terms, policy.currency, rate)
    if policy.reads_run_rate:
        add_run_rate(deal, terms, policy.currency, rate)
    breaches = _missing(terms, policy, rate)
    for rule, check in policy.deal_checks:
        row = check(deal)
        if row != PASSES:
            breaches.append(Breach(rule, row, None))
    lines: tuple[Facts, ...] = ()
    if policy.line_checks:
        lines = tuple([line_facts(deal, line) for line in terms.lines])
        if policy.reads_run_rate:
            for facts, line in zip(lines, terms.lines, strict=True):
                add_line_run_rate(facts, line, terms)
        for rule, check in policy.line_checks:
            for index, facts in enumerate(lines):
                row = check(facts)
                if row != PASSES:
                    breaches.append(Breach(rule, row, index))
    if policy.group_checks:
        breaches += _of_groups(deal, terms, policy)
    return _verdict(deal, lines, breaches)


def _of_groups(deal: Facts, terms: Terms, policy: Policy) -> Iterator[Breach]:
    for rule, check in policy.group_checks:
        assert rule.group_by is not None, "these are the rules that look at groups"
        for group in groups_of(terms.lines, rule.group_by):
            row = check(group_facts(deal, [terms.lines[place] for place in group], rule.group_by))
            if row != PASSES:
                yield Breach(rule, row, None, group)


def _missing(terms: Terms, policy: Policy, rate: FxRate | None) -> list[Breach]:
    found: list[Breach] = []
    if rate is None and terms.currency != policy.currency:
        found.append(Breach(RATE_MISSING, 0, None))
    for index, line in enumerate(terms.lines):
        if not line.list_exact:
            found.append(Breach(LIST_PRICE_MISSING, 0, index))
    return found


def _verdict(deal: Facts, lines: tuple[Facts, ...], breaches: list[Breach]) -> Verdict:
    if not breaches:
        return Verdict(deal, lines, (), Outcome.AUTO_APPROVE, frozenset())
    if any(breach.rule.step is None for breach in breaches):
        return Verdict(deal, lines, tuple(breaches), Outcome.BLOCKED, frozenset())
    steps = frozenset(breach.rule.step for breach in breaches if breach.rule.step is not None)
    return Verdict(deal, lines, tuple(breaches), Outcome.NEEDS_APPROVAL, steps)
