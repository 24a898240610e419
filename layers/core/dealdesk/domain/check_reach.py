"""Checks of the rules against each other: steps that can never be asked, limits that nothing can satisfy.

Every way in which the limits tell deals apart is tried with the compiled rules themselves, so that the checks and
the decisions cannot disagree. Rules that read other figures are left out: a deal can satisfy them, so what is
reported here as "never" is never.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations, product

from dealdesk.domain.cells import (
    Cell,
    Thresholds,
    attributes_of,
    cells_of,
    figures_of,
    figures_to_try,
    measured,
    named_cells,
    put,
    values_of,
)
from dealdesk.domain.facts import NUMBERS, Fact
from dealdesk.domain.findings import Finding, Severity
from dealdesk.domain.policy import Policy
from dealdesk.domain.programme import PASSES, Check
from dealdesk.domain.rules import AllowedTable, LimitTable, Rule, facts_of

MOST_CELLS = 5_000
MOST_TRIES = 1_000_000


@dataclass(slots=True)
class _Work:
    """What may still be tried: a policy is checked while somebody waits for the answer."""

    left: int = MOST_TRIES

    def take(self, tries: int) -> bool:
        self.left -= tries
        return self.left >= 0


@dataclass(slots=True)
class _Standing:
    """What becomes of the deals of one cell: some violate the rule, some pass it, and of those that violate it some
    are `asked` about because nothing blocks them."""

    cell: Cell
    violated: bool = False
    passed: bool = False
    asked: bool = False
    blockers: set[str] = field(default_factory=set)


def check_reach(policy: Policy) -> list[Finding]:
    """What the rules of the policy do to each other."""
    work = _Work()
    found: list[Finding] = []
    checks = {id(rule): check for rule, check in _compiled(policy)}
    asked: set[str] = set()
    for index, rule in enumerate(policy.rules):
        standings = _stand(rule, policy.rules, checks, work)
        if standings is None:
            found.append(_too_large(rule, index))
        elif (finding := _verdict(rule, index, standings, policy)) is not None:
            found.append(finding)
        if rule.step is not None and (standings is None or any(standing.asked for standing in standings)):
            asked.add(rule.step)
    found += _steps(policy, frozenset(asked))
    found += _conflicts(policy.rules, checks, work)
    return found


def _compiled(policy: Policy) -> Iterator[tuple[Rule, Check]]:
    yield from (*policy.deal_checks, *policy.line_checks, *policy.group_checks)


def _stand(rule: Rule, rules: Sequence[Rule], checks: dict[int, Check], work: _Work) -> list[_Standing] | None:
    """The rule in each cell; None when there is too much to try."""
    figures = sorted(figures_of(rule), key=lambda fact: fact.slot)
    hard = [other for other in rules if _may_block(other, rule)]
    cells = cells_of(attributes_of([rule, *hard]), [rule, *hard], MOST_CELLS)
    if cells is None:
        hard = [other for other in hard if facts_of(other) <= facts_of(rule)]
        cells = cells_of(attributes_of([rule, *hard]), [rule, *hard], MOST_CELLS)
    if cells is None:
        return None
    group = [rule, *hard]
    thresholds = {fact: Thresholds(fact, group) for fact in figures}
    check, blocking = checks[id(rule)], [(other.id, checks[id(other)]) for other in hard]
    found: list[_Standing] = []
    for cell in cells:
        facts, standing = measured(cell), _Standing(cell)
        grid = list(product(*(figures_to_try(fact, thresholds[fact].at(facts)) for fact in figures)))
        if not work.take(len(grid) * len(group)):
            return None
        for tried in grid:
            for fact, figure in zip(figures, tried, strict=True):
                put(facts, fact, figure)
            if check(facts) == PASSES:
                standing.passed = True
                continue
            standing.violated = True
            blocked_by = {name for name, blocks in blocking if blocks(facts) != PASSES}
            standing.asked |= not blocked_by
            standing.blockers |= blocked_by
        found.append(standing)
    return found


def _may_block(other: Rule, rule: Rule) -> bool:
    """Whether `other` blocks deals by the very figures that `rule` reads."""
    figures = figures_of(other)
    same = figures <= figures_of(rule) and (figures or facts_of(other) & facts_of(rule))
    return rule.step is not None and other.step is None and other.scope == rule.scope and bool(same)


def _verdict(rule: Rule, index: int, standings: Sequence[_Standing], policy: Policy) -> Finding | None:
    at = f"/rules/{index}"
    table = isinstance(rule.test, LimitTable | AllowedTable)
    violated = [standing for standing in standings if standing.violated]
    if not violated:
        if table and rule.when is None:
            return None
        what = "its guard leaves no deal that its table limits" if table else "no deal satisfies its condition"
        return Finding(
            Severity.ERROR,
            "contradiction",
            f"{at}/when" if table else f"{at}/expr",
            f"rule {rule.id} can never apply: {what}",
            "change the values that contradict each other, or remove the rule",
        )
    if not any(standing.passed for standing in standings):
        block = rule.step is None
        return Finding(
            Severity.ERROR if block else Severity.WARNING,
            "blocks_every_deal" if block else "always_applies",
            at,
            f"rule {rule.id} applies to every deal" + (", so that none could ever be sold" if block else ""),
            "narrow the rule to the deals that it is meant for",
        )
    return None if rule.step is None else _reached(rule, rule.step, at, standings, violated, policy)


def _reached(
    rule: Rule, step: str, at: str, standings: Sequence[_Standing], violated: Sequence[_Standing], policy: Policy
) -> Finding | None:
    closed = [standing for standing in violated if not standing.asked]
    if not closed:
        return None
    blockers = ", ".join(sorted({name for standing in closed for name in standing.blockers}))
    label = policy.steps[step].label
    verb = "block" if "," in blockers else "blocks"
    if len(closed) == len(violated):
        return Finding(
            Severity.ERROR,
            "unreachable_limit",
            at,
            f"rule {rule.id} can never ask for {label}: {blockers} {verb} before its limit is reached",
            f"set the limit of {rule.id} on the passing side of {blockers}, or move {blockers}",
        )
    where = named_cells([standing.cell for standing in closed], [standing.cell for standing in standings])
    return Finding(
        Severity.NOTE,
        "unreachable_limit",
        at,
        f"at {where}, {blockers} {verb} before rule {rule.id} can ask for {label}",
        f"nothing to do if this is meant; otherwise move the limit of {blockers} there",
    )


def _steps(policy: Policy, asked: frozenset[str]) -> Iterator[Finding]:
    wanted = {rule.step for rule in policy.rules}
    in_route = {step for stage in policy.route for step in stage.steps}
    for step in policy.steps.values():
        at = f"/approvals/steps/{step.id}"
        if step.id not in in_route:
            told, suggestion = f"{step.label} is not in the route, so no rule can ask for it", "add it to the route"
            yield Finding(Severity.NOTE, "step_outside_route", at, told, suggestion)
        elif step.id not in wanted:
            told = f"{step.label} is in the route, but no rule asks for it"
            yield Finding(Severity.WARNING, "step_never_asked", at, told, "add a rule that asks for it, or remove it")
        elif step.id not in asked:
            told = f"{step.label} can never be asked for: whatever would need it is blocked first, or cannot happen"
            yield Finding(Severity.ERROR, "step_never_fires", at, told, "raise the ceiling above it, or remove it")


def _conflicts(rules: Sequence[Rule], checks: dict[int, Check], work: _Work) -> Iterator[Finding]:
    """Two tables that each let some value pass, but never the same."""
    hard = [
        (index, rule, rule.test)
        for index, rule in enumerate(rules)
        if rule.step is None and isinstance(rule.test, LimitTable | AllowedTable)
    ]
    for (_, left, a), (index, right, b) in combinations(hard, 2):
        if a.fact != b.fact or left.scope != right.scope or not _can_conflict(left, a, right, b):
            continue
        pair = [left, right]
        attributes = [fact for fact in attributes_of(pair) if fact != a.fact]
        cells = cells_of(attributes, pair, MOST_CELLS)
        if cells is None or not work.take(20 * len(cells)):
            return
        closed = [cell for cell in cells if _closed(a.fact, cell, pair, [checks[id(rule)] for rule in pair])]
        if closed:
            where = f" at {named_cells(closed, cells)}" if len(closed) < len(cells) else ""
            told = (
                f"no {a.fact.label} passes both rule {left.id} and rule {right.id}{where}: every such deal is blocked"
            )
            suggestion = "widen one of the two, or guard it so that both never apply at once"
            yield Finding(Severity.ERROR, "contradiction", f"/rules/{index}", told, suggestion)


def _can_conflict(left: Rule, a: LimitTable | AllowedTable, right: Rule, b: LimitTable | AllowedTable) -> bool:
    opposite = a.op != b.op if isinstance(a, LimitTable) and isinstance(b, LimitTable) else True
    return opposite and (figures_of(left) | figures_of(right)) <= {a.fact}


def _closed(fact: Fact, cell: Cell, pair: list[Rule], checks: list[Check]) -> bool:
    facts = measured(cell)
    passes: list[tuple[bool, ...]] = []
    if fact.unit in NUMBERS:
        for figure in figures_to_try(fact, Thresholds(fact, pair).at(facts)):
            put(facts, fact, figure)
            if figure is not None:
                passes.append(tuple(check(facts) == PASSES for check in checks))
    else:
        for value in values_of(fact, pair):
            facts[fact.slot] = value
            if value is not None:
                passes.append(tuple(check(facts) == PASSES for check in checks))
    return not any(all(both) for both in passes) and all(any(own) for own in zip(*passes, strict=True))


def _too_large(rule: Rule, index: int) -> Finding:
    told = f"rule {rule.id} has too many combinations to check whether other rules leave it any effect"
    return Finding(Severity.NOTE, "not_checked", f"/rules/{index}", told, "split it by one of its keys")
