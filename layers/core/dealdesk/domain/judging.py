"""Runs a compiled policy over measured terms: which rules are violated, and what that amounts to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple, cast

from dealdesk.domain.compiled import Breach, Hit
from dealdesk.domain.decision import FxRate, Outcome
from dealdesk.domain.facts import Fact, Facts
from dealdesk.domain.line_groups import group_facts, groups_of
from dealdesk.domain.measures import Priced, Terms, deal_facts, deal_facts_at, line_facts
from dealdesk.domain.policy import Policy
from dealdesk.domain.programme import PASSES
from dealdesk.domain.rules import LIST_PRICE_MISSING, RATE_MISSING
from dealdesk.domain.run_rate import add_line_run_rate, add_run_rate


class Verdict(NamedTuple):
    """What the policy says of some terms; `lines` is empty when no rule looks at lines."""

    deal: Facts
    lines: tuple[Facts, ...]
    breaches: tuple[Breach, ...]
    outcome: Outcome
    steps: frozenset[str]


class Judged(NamedTuple):
    """Terms with their verdict, and what each line violated: what it takes to judge slightly other terms quickly."""

    terms: Terms
    verdict: Verdict
    hits: tuple[list[Hit], ...]


class Begun(NamedTuple):
    """Terms that the rules on the whole deal were asked about; what they violate stays, whatever the lines say."""

    terms: Terms
    deal: Facts
    breaches: list[Breach]
    like: Judged | None


def rate_for(terms: Terms, policy: Policy, fx: Mapping[str, FxRate]) -> FxRate | None:
    """The rate from the quote's currency to the policy's; None when none is needed or none is there."""
    if terms.currency == policy.currency:
        return None
    rate = fx.get(terms.currency)
    pair = (terms.currency, policy.currency)
    return rate if rate is not None and (rate.currency, rate.into) == pair else None


def judge(terms: Terms, policy: Policy, rate: FxRate | None) -> Verdict:
    """Every rule is asked and every reason kept; requirements add up, and one blocking rule blocks."""
    return judged(terms, policy, rate).verdict


def judged(terms: Terms, policy: Policy, rate: FxRate | None, like: Judged | None = None) -> Judged:
    """The terms with their verdict; lines that are as they were in `like` are not asked again."""
    return finished(begun(terms, policy, rate, like), policy)


def begun(terms: Terms, policy: Policy, rate: FxRate | None, like: Judged | None = None) -> Begun:
    """The terms judged by the rules on the whole deal."""
    if like is not None and terms.lines is like.terms.lines:
        deal = deal_facts_at(terms, like.verdict.deal)
    else:
        deal = deal_facts(terms, policy.currency, rate)
    if policy.reads_run_rate:
        add_run_rate(deal, terms, policy.currency, rate)
    return Begun(terms, deal, _missing(terms, policy, rate) + policy.programme.written.deal(deal), like)


def finished(begun: Begun, policy: Policy) -> Judged:
    """The rules on lines and on groups of lines asked as well."""
    terms, deal, breaches, like = begun
    lines: tuple[Facts, ...] = ()
    hits: tuple[list[Hit], ...] = ()
    if policy.line_checks:
        written = policy.programme.written
        if like is None or written.around_lines(deal) != written.around_lines(like.verdict.deal):
            lines = tuple([_facts_of(line, deal, terms, policy) for line in terms.lines])
            hits = tuple(map(written.line, lines))
        elif terms.lines is like.terms.lines:
            lines, hits = like.verdict.lines, like.hits
        else:
            lines, hits = _only_changed(terms, deal, policy, like)
    breaches = breaches + on_lines(hits)
    if policy.group_checks:
        breaches += _of_groups(deal, terms, policy)
    return Judged(terms, _verdict(deal, lines, breaches), hits)


def on_lines(hits: Sequence[list[Hit]]) -> list[Breach]:
    """What the lines were found to violate, in the policy's order."""
    if not any(hits):
        return []
    found = [(place, index, rule, row) for index, line in enumerate(hits) if line for place, rule, row in line]
    return [Breach(rule, row, index) for _, index, rule, row in sorted(found, key=_by_place)]


_by_place = itemgetter(0, 1)


def _facts_of(line: Priced, deal: Facts, terms: Terms, policy: Policy) -> Facts:
    found = line_facts(deal, line)
    if policy.reads_run_rate:
        add_line_run_rate(found, line, terms)
    return found


def _only_changed(
    terms: Terms, deal: Facts, policy: Policy, like: Judged
) -> tuple[tuple[Facts, ...], tuple[list[Hit], ...]]:
    """What no rule reads stays in the facts of a line as it was before."""
    ask, lines, hits = policy.programme.written.line, list(like.verdict.lines), list(like.hits)
    for index, (line, before) in enumerate(zip(terms.lines, like.terms.lines, strict=True)):
        if line is not before:
            lines[index] = _facts_of(line, deal, terms, policy)
            hits[index] = ask(lines[index])
    return tuple(lines), tuple(hits)


def _of_groups(deal: Facts, terms: Terms, policy: Policy) -> Iterator[Breach]:
    """The rules on lines that share an attribute; the groups by one attribute are measured once."""
    measured: dict[Fact, list[tuple[tuple[int, ...], Facts]]] = {}
    for rule, check in policy.group_checks:
        by = rule.group_by
        assert by is not None, "these are the rules that look at groups"
        if by not in measured:
            groups = groups_of(terms.lines, by)
            measured[by] = [(group, group_facts(deal, [terms.lines[at] for at in group], by)) for group in groups]
        for group, facts in measured[by]:
            if (row := check(facts)) != PASSES:
                yield Breach(rule, row, None, group)


def _missing(terms: Terms, policy: Policy, rate: FxRate | None) -> list[Breach]:
    found: list[Breach] = []
    if rate is None and terms.currency != policy.currency:
        found.append(Breach(RATE_MISSING, 0, None))
    found += [Breach(LIST_PRICE_MISSING, 0, index) for index, line in enumerate(terms.lines) if not line.list_exact]
    return found


def _verdict(deal: Facts, lines: tuple[Facts, ...], breaches: list[Breach]) -> Verdict:
    if not breaches:
        return Verdict(deal, lines, (), Outcome.AUTO_APPROVE, _NOBODY)
    steps = {breach.rule.step for breach in breaches}
    if None in steps:
        return Verdict(deal, lines, tuple(breaches), Outcome.BLOCKED, _NOBODY)
    return Verdict(deal, lines, tuple(breaches), Outcome.NEEDS_APPROVAL, cast("frozenset[str]", frozenset(steps)))


_NOBODY: frozenset[str] = frozenset()
