"""What a decision costs: the rules alone, and the whole preview with what would pass instead."""

from __future__ import annotations

import statistics
import time
from contextlib import suppress

from dealdesk.domain.condition_text import InvalidCondition, parse_condition
from dealdesk.domain.counterfactual import what_would_pass
from dealdesk.domain.guardrails import evaluate, to_json
from dealdesk.domain.judging import judge, rate_for
from dealdesk.domain.measures import terms_of
from dealdesk.domain.quote import Quote, Risk
from dealdesk.policies import TEMPLATES, load_template, shipped_rates
from tests.bench.figures import Figure
from tests.unit.domain.quotes import a_line, a_quote
from tests.unit.domain.test_conditions import HOSTILE

ROUNDS = 9


def quotes() -> list[Quote]:
    """Every mix of risk, discount, terms and size that the shipped policies tell apart, in two currencies."""
    return [
        a_quote(
            *(a_line(str(number), unit=unit, off=off) for number in range(1, lines + 1)),
            risk=risk,
            payment_terms_days=days,
            currency=currency,
        )
        for risk in Risk
        for off in ("0", "15", "25", "35")
        for days in (30, 40, 60)
        for unit, lines in (("900.00", 1), ("4000.00", 3), ("700.00", 20))
        for currency in ("USD", "EUR")
    ]


def measure() -> list[Figure]:
    asked, rates = quotes(), shipped_rates()
    rule_seconds: list[float] = []
    preview_seconds: list[float] = []
    for policy in map(load_template, TEMPLATES):
        measured = [(terms := terms_of(quote), rate_for(terms, policy, rates)) for quote in asked]
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            for terms, rate in measured:
                judge(terms, policy, rate)
            rule_seconds.append((time.perf_counter() - begun) / len(measured))
            for quote in asked:
                begun = time.perf_counter()
                decision = evaluate(quote, policy, rates)
                to_json(decision)
                what_would_pass(decision)
                preview_seconds.append(time.perf_counter() - begun)
    return [
        Figure("policy.evaluate", statistics.median(rule_seconds) * 1e6, "us"),
        Figure("policy.refuse_hostile_text", max(map(_refuse_seconds, HOSTILE.values())) * 1e3, "ms", limit=10),
        Figure("policy.preview_p99", statistics.quantiles(preview_seconds, n=100)[98] * 1e6, "us"),
    ]


def _refuse_seconds(hostile: tuple[str, int]) -> float:
    """The best of several: the rest is the machine's noise."""
    found: list[float] = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        with suppress(InvalidCondition):
            parse_condition(hostile[0])
        found.append(time.perf_counter() - begun)
    return min(found)
