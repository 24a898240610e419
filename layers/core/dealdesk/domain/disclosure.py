"""What a rep may see of a decision: all of it, its limits in bands, or only that it is blocked or whom it needs.

The level is the one of the policy version that decided, so that publishing another reveals nothing of older deals.
A rep's own figures are never hidden, and neither is a value that has no size, like the billing that is allowed.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import ROUND_FLOOR, Decimal

from dealdesk.domain.advice import what_would_pass
from dealdesk.domain.decision import Change, Counterfactual, Decision, Disclosure, Outcome, Violation, between
from dealdesk.domain.facts import FACTS, Fact, Unit
from dealdesk.domain.wording import place_of

_CAP = "max_line_discount_pct"
_WIDTHS = {Unit.PERCENT: 5, Unit.DAYS: 5, Unit.MONTHS: 6}
_SIGNS = {Unit.PERCENT: "%", Unit.DAYS: " days", Unit.MONTHS: " months"}


def disclosed(decision: Decision) -> Decision:
    """The decision as a rep may see it."""
    match decision.disclosure:
        case Disclosure.EXACT:
            return decision
        case Disclosure.BANDED:
            violations = tuple(_banded(violation, decision) for violation in decision.violations)
            return replace(decision, violations=violations, counterfactual=_in_bands(decision.counterfactual))
        case Disclosure.OFF:
            violations = tuple(_bare(violation, decision) for violation in decision.violations)
            return replace(decision, violations=violations, counterfactual=Counterfactual())


def what_a_rep_may_try(decision: Decision) -> str:
    """The sentence of `what_would_pass` as a rep may read it; "" where nothing of it is disclosed."""
    if decision.disclosure is Disclosure.OFF and decision.outcome is not Outcome.AUTO_APPROVE:
        return ""
    return what_would_pass(disclosed(decision))


def _banded(violation: Violation, decision: Decision) -> Violation:
    fact = FACTS.get(violation.fact)
    if violation.op in ("in", "known"):
        return violation
    if fact is None or violation.op not in ("max", "min"):
        return replace(_bare(violation, decision), limit="", passes_at="")
    band, unit = _band(violation.limit, fact.unit), _unit_of(violation, fact)
    most = "the most that is allowed" if violation.op == "max" else "the least that is required"
    reason = f"{fact.label} {violation.actual}{unit}: {most}{_for(violation)} lies {between(band, unit)}"
    return replace(violation, limit=band, passes_at=between(band, unit), message=_message(violation, decision, reason))


def _bare(violation: Violation, decision: Decision) -> Violation:
    """Which figure it is about and what follows, and nothing that says how far off it is."""
    if violation.op == "known":
        return violation
    labels = [FACTS[name].label for name in violation.fact.split(", ") if name in FACTS]
    reason = f"{' with '.join(labels) or 'the quote'}: not within the guardrails"
    return replace(violation, row=None, limit="", passes_at="", message=_message(violation, decision, reason))


def _message(violation: Violation, decision: Decision, reason: str) -> str:
    source = f"policy {decision.policy_id} v{decision.policy_version})"
    then = "blocked" if violation.blocks else violation.message.rpartition(f"{source}; ")[2]
    place = place_of(violation.line, violation.group, violation.lines)
    return f"{place}{reason} (rule {violation.rule}, {source}; {then}"


def _for(violation: Violation) -> str:
    named = [f"{FACTS[name].label} {value}" for name, value in violation.key if value not in ("*", violation.group)]
    return f" for {', '.join(named)}" if named else ""


def _unit_of(violation: Violation, fact: Fact) -> str:
    """How the figure is followed up: "%", " days"; for money the policy's currency, which ends `passes_at`."""
    if fact.unit is Unit.MONEY:
        return f" {violation.passes_at.rpartition(' ')[2]}"
    return _SIGNS.get(fact.unit, "")


def _in_bands(found: Counterfactual) -> Counterfactual:
    levers = tuple(replace(lever, change=_coarse(lever.change)) for lever in found.levers)
    joint = found.joint and replace(found.joint, changes=tuple(_coarse(change) for change in found.joint.changes))
    return Counterfactual(levers, joint)


def _coarse(change: Change) -> Change:
    unit = Unit.PERCENT if change.lever == _CAP else FACTS[change.lever].unit
    return change if unit is Unit.TEXT else replace(change, to=_band(change.to, unit))


def _band(text: str, unit: Unit) -> str:
    """The band that a figure lies in, its lower end included: "20 to 25". Money is banded by its first digit."""
    figure = Decimal(text)
    width = int(Decimal(10) ** max(figure.adjusted(), 0)) if unit is Unit.MONEY else _WIDTHS[unit]
    low = int((figure / width).to_integral_value(ROUND_FLOOR)) * width
    return f"{low} to {low + width}"
