"""Says in one sentence what would pass instead, for people and for the CRM."""

from __future__ import annotations

from dealdesk.domain.decision import Change, Decision, Outcome, between
from dealdesk.domain.facts import COMMITTED_MONTHS, FACTS, RUN_RATE

_NO_LEVER = frozenset(fact.name for fact in FACTS.values() if fact.slot in RUN_RATE or fact.slot == COMMITTED_MONTHS)


def what_would_pass(decision: Decision) -> str:
    """One sentence for the CRM: "Passes at a discount of 20.00% or less." """
    if decision.outcome is Outcome.AUTO_APPROVE:
        return "Passes as it is."
    total = dict(decision.facts).get("discount_pct", "")
    alone = [x.change for x in decision.counterfactual.levers if x.outcome is Outcome.AUTO_APPROVE]
    if alone:
        return f"Passes at {', or at '.join(_phrase(change, total) for change in alone)}."
    joint = decision.counterfactual.joint
    if joint is None:
        if wanted := [f"{FACTS[v.fact].label} {v.passes_at}" for v in decision.violations if v.fact in _NO_LEVER]:
            return f"Nothing is suggested; the policy wants {' and '.join(dict.fromkeys(wanted))}."
        return "No change of discount, payment terms, term, billing or volume would pass this policy."
    phrases = [_phrase(change, total) for change in joint.changes]
    listed = phrases[0] if len(phrases) == 1 else f"{', '.join(phrases[:-1])} and {phrases[-1]}"
    if joint.outcome is Outcome.AUTO_APPROVE:
        return f"Passes at {listed}."
    return f"Needs only {' and '.join(joint.required_steps)} at {listed}."


def _phrase(change: Change, total_discount: str) -> str:
    if change.is_band:
        return _within(change)
    match change.lever:
        case "max_line_discount_pct" if change.lines is not None:
            return f"{change.to}% discount or less on line {', '.join(change.lines)}"
        case "max_line_discount_pct" if change.before == total_discount:
            return f"a discount of {change.to}% or less"
        case "max_line_discount_pct":
            return f"no line discounted by more than {change.to}%"
        case "payment_days":
            return f"payment terms of net {change.to} or {_more_or_less(change)}"
        case "term_months":
            return f"a term of {change.to} months or {_more_or_less(change)}"
        case "billing":
            return f"{change.to} billing"
        case _:
            return f"a total contract value of {_grouped_digits(change.to)} {change.unit} or more"


def _within(change: Change) -> str:
    where = "" if change.lines is None else f" on line {', '.join(change.lines)}"
    match change.lever:
        case "max_line_discount_pct":
            return f"a discount {between(change.to, change.unit)}{where or ' on every line'}"
        case "payment_days":
            return f"payment terms {between(change.to, ' days')}"
        case "term_months":
            return f"a term {between(change.to, ' months')}"
        case _:
            return f"a total contract value {between(change.to, f' {change.unit}')}"


def _more_or_less(change: Change) -> str:
    return "more" if int(change.to) > int(change.before) else "less"


def _grouped_digits(amount: str) -> str:
    whole, point, rest = amount.partition(".")
    return f"{int(whole):,}{point}{rest}"
