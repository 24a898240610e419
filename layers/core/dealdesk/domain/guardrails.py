"""Judges a quote by a policy. Pure: the same quote, policy and rates give the same decision, on any day."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from dealdesk.domain.counterfactual import find_counterfactual
from dealdesk.domain.decision import (
    BAND,
    Change,
    Counterfactual,
    Decision,
    FxRate,
    Joint,
    Lever,
    Outcome,
    RouteStage,
    Violation,
)
from dealdesk.domain.fingerprint import fingerprint
from dealdesk.domain.judging import judged, rate_for
from dealdesk.domain.measures import terms_of
from dealdesk.domain.policy import Policy
from dealdesk.domain.quote import Quote
from dealdesk.domain.run_rate import add_run_rate
from dealdesk.domain.wording import explain, fact_texts

__all__ = [
    "Change",
    "Counterfactual",
    "Decision",
    "FxRate",
    "Joint",
    "Lever",
    "Outcome",
    "RouteStage",
    "Violation",
    "evaluate",
    "to_json",
]


def evaluate(quote: Quote, policy: Policy, fx: Mapping[str, FxRate]) -> Decision:
    """The decision with every reason and, verified by the whole policy, what would pass instead.

    `fx` holds rates into the policy's currency by the quote's currency. A missing rate blocks.
    """
    terms = terms_of(quote)
    rate = rate_for(terms, policy, fx)
    standing = judged(terms, policy, rate)
    verdict = standing.verdict
    if not policy.reads_run_rate:
        add_run_rate(verdict.deal, terms, policy.currency, rate)
    route = policy.route_for(verdict.steps)
    return Decision(
        policy_id=policy.policy_id,
        policy_version=policy.version,
        policy_hash=policy.hash,
        outcome=verdict.outcome,
        violations=tuple(explain(breach, verdict, terms, policy) for breach in verdict.breaches),
        route=route,
        required_steps=tuple(step for stage in route for step in stage.steps),
        facts=fact_texts(verdict.deal, policy),
        fx=rate,
        fingerprint=fingerprint(quote, terms.lines),
        counterfactual=find_counterfactual(standing, policy, rate),
        covered=policy.covered(verdict.steps),
        disclosure=policy.disclosure,
        valid_days=policy.valid_days,
    )


def to_json(decision: Decision) -> dict[str, object]:
    """The decision as other systems read it; whoever records it adds `decision_id`."""
    fx = decision.fx
    answer: dict[str, object] = {
        "policy": {
            "id": decision.policy_id,
            "version": decision.policy_version,
            "hash": decision.policy_hash,
        },
        "outcome": decision.outcome.value,
        "disclosure": decision.disclosure.value,
        "route": [{"mode": stage.mode, "steps": list(stage.steps)} for stage in decision.route],
        "required_steps": list(decision.required_steps),
        "covered": [{"step": step, "covered_by": by} for step, by in decision.covered],
        "violations": [_violation(violation) for violation in decision.violations],
        "counterfactual": _counterfactual(decision.counterfactual),
        "facts": dict(decision.facts),
        "fingerprint": decision.fingerprint,
        "fx": None,
    }
    if fx is not None:
        rate = format(fx.rate, "f")
        answer["fx"] = {
            "currency": fx.currency,
            "rate": rate,
            "as_of": fx.as_of.isoformat(),
            "source": fx.source,
        }
    return answer


def _violation(violation: Violation) -> dict[str, object]:
    of_group = {"group": violation.group, "lines": list(violation.lines)} if violation.lines else {}
    return {
        "rule": violation.rule,
        "line": violation.line,
        "fact": violation.fact,
        "op": violation.op,
        "key": dict(violation.key),
        "row": violation.row,
        "actual": violation.actual,
        "limit": violation.limit,
        "passes_at": violation.passes_at,
        "action": {"block": True} if violation.blocks else {"approve": violation.step},
        "message": violation.message,
        **of_group,
    }


def _counterfactual(found: Counterfactual) -> dict[str, object]:
    return {
        "levers": [_lever(lever) for lever in found.levers],
        "joint": None if found.joint is None else _joint(found.joint),
    }


def _lever(lever: Lever) -> dict[str, object]:
    change = lever.change
    answer: dict[str, object] = {
        "lever": change.lever,
        "from": _counted(change, change.before),
        "to": _counted(change, change.to),
        "clears": list(lever.clears),
        "outcome": lever.outcome.value,
    }
    if change.lines is not None:
        answer["lines"] = list(change.lines)
    return answer


def _joint(joint: Joint) -> dict[str, object]:
    """Caps on some lines only stand apart, by line: {"line_discount_pct": {"3": "15.00"}}."""
    change: dict[str, object] = {}
    by_line: dict[str, str] = {}
    for part in joint.changes:
        if part.lines is None:
            change[part.lever] = _counted(part, part.to)
            continue
        for line in part.lines:
            by_line[line] = min(by_line.get(line, part.to), part.to, key=_least)
    if by_line:
        change["line_discount_pct"] = by_line
    return {"change": change, "outcome": joint.outcome.value}


def _least(text: str) -> Decimal:
    return Decimal(text.partition(BAND)[0])


def _counted(change: Change, text: str) -> int | str:
    return int(text) if change.unit in ("days", "months") and BAND not in text else text
