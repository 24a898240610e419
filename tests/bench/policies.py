"""What a decision costs: the rules alone beside other engines, the whole preview, and a very large policy.

Times are CPU seconds of this thread. Every engine must find the same violated rules in every deal, or the run ends.
"""

from __future__ import annotations

import json
import math
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from dealdesk.contracts.rest import QuoteIn
from dealdesk.domain.advice import what_would_pass
from dealdesk.domain.condition_text import InvalidCondition, parse_condition
from dealdesk.domain.facts import Facts
from dealdesk.domain.guardrails import evaluate, to_json
from dealdesk.domain.judging import Judged, judge, judged, on_lines, rate_for
from dealdesk.domain.measures import terms_of
from dealdesk.domain.policy import Policy, parse_policy
from dealdesk.domain.quote import Quote
from dealdesk.domain.rules import BUILT_IN
from dealdesk.edge.answers import written
from dealdesk.policies import shipped_rates
from tests.bench.deals import deals, large_deal, policy_document
from tests.bench.engines import engines
from tests.bench.figures import Figure
from tests.unit.domain.test_conditions import HOSTILE

ROUNDS, LARGE_ROUNDS = 9, 40
COPIES, LINES = 20, 200
Thing = TypeVar("Thing")


def measure() -> list[Figure]:
    """`policy.evaluate` is facts in, violations out; `policy.judge` measures the facts of the deal as well.

    `policy.preview_p99` is the whole of a preview in process: measure, judge, explain, search what would pass, write
    the JSON. What REST does before it (validating the JSON, by pydantic) is `policy.parse`; network and table are in
    neither. Of each deal the best of several rounds counts, in time of this thread and on the wall.
    """
    policy, rates = parse_policy(policy_document()), shipped_rates()
    bodies = [json.dumps(deal).encode() for deal in deals()]
    quotes = [_read(body) for body in bodies]
    measured = [(terms := terms_of(quote), rate_for(terms, policy, rates)) for quote in quotes]
    standing = [judged(terms, policy, rate) for terms, rate in measured]
    core, beside = _beside(policy, standing)
    cpu, wall = _quantiles(lambda quote: _preview(quote, policy), quotes)
    return [
        Figure("policy.evaluate", core, "us", limit=10),
        *beside,
        Figure("policy.judge", _median(lambda pair: judge(pair[0], policy, pair[1]), measured), "us"),
        Figure("policy.parse", _median(_read, bodies), "us"),
        Figure("policy.refuse_hostile_text", max(map(_refuse_seconds, HOSTILE.values())) * 1e3, "ms", limit=10),
        Figure("policy.preview_p50", cpu[49], "us"),
        Figure("policy.preview_p99", cpu[98], "us", limit=1_000),
        Figure("policy.preview_p99_wall", wall[98], "us"),
        *_large(),
    ]


def _beside(policy: Policy, standing: Sequence[Judged]) -> tuple[float, list[Figure]]:
    """Our own core and the other engines, in turns, so that all meet the same machine."""
    written = policy.programme.written
    facts = [(stands.verdict.deal, stands.verdict.lines) for stands in standing]

    def core(deal: tuple[Facts, tuple[Facts, ...]]) -> set[str]:
        found = written.deal(deal[0]) + on_lines([written.line(line) for line in deal[1]])
        return {breach.rule.id for breach in found}

    others = [(engine, [engine.contexts(deal, lines) for deal, lines in facts]) for engine in engines(policy)]
    for number, stands in enumerate(standing):
        expected = {breach.rule.id for breach in stands.verdict.breaches} - BUILT_IN
        for engine, contexts in others:
            if (found := engine.violated(*contexts[number])) != expected:
                raise SystemExit(f"{engine.name} differs by {found ^ expected} on {json.dumps(deals()[number])}")
    seconds: dict[str, list[float]] = {"core": [], **{engine.name: [] for engine, _ in others}}
    for _ in range(ROUNDS):
        seconds["core"].append(_each(core, facts))
        for engine, contexts in others:
            seconds[engine.name].append(_each(lambda pair, ask=engine.violated: ask(*pair), contexts))  # type: ignore[misc]
    own = statistics.median(seconds.pop("core"))
    medians = {name: statistics.median(taken) for name, taken in seconds.items()}
    return own, [Figure(f"policy.vs.{name}", taken, "us", "typed core", taken / own) for name, taken in medians.items()]


def _large() -> list[Figure]:
    """Many rules on many lines: the verdict on the quote, and the whole decision with what would pass."""
    policy, quote = parse_policy(policy_document(COPIES)), QuoteIn.model_validate(large_deal(LINES)).to_quote(None)
    size = f"{len(policy.rules)}_lines_{len(quote.lines)}"
    verdict = min(_seconds(lambda asked: judge(terms_of(asked), policy, None), quote) for _ in range(LARGE_ROUNDS))
    decision = min(_seconds(lambda asked: evaluate(asked, policy, {}), quote) for _ in range(LARGE_ROUNDS))
    return [
        Figure(f"policy.rules_{size}", verdict * 1e6, "us", limit=3_000),
        Figure(f"policy.decision_{size}", decision * 1e6, "us"),
    ]


def _read(body: bytes) -> Quote:
    return QuoteIn.model_validate_json(body).to_quote(None)


def _preview(quote: Quote, policy: Policy) -> str:
    decision = evaluate(quote, policy, {})
    return written(to_json(decision) | {"what_would_pass": what_would_pass(decision)})


def _quantiles(call: Callable[[Thing], object], things: Sequence[Thing]) -> tuple[list[float], list[float]]:
    """Hundredths of the microseconds that one of them takes, in time of this thread and on the wall."""
    best = [(math.inf, math.inf)] * len(things)
    for _ in range(ROUNDS):
        for number, thing in enumerate(things):
            cpu, wall = time.thread_time(), time.perf_counter()
            call(thing)
            cpu, wall = time.thread_time() - cpu, time.perf_counter() - wall
            best[number] = min(best[number][0], cpu), min(best[number][1], wall)
    by_cpu, by_wall = ([taken * 1e6 for taken in column] for column in zip(*best, strict=True))
    return statistics.quantiles(by_cpu, n=100), statistics.quantiles(by_wall, n=100)


def _median(call: Callable[[Thing], object], things: Sequence[Thing]) -> float:
    return statistics.median(_each(call, things) for _ in range(ROUNDS))


def _each(call: Callable[[Thing], object], things: Sequence[Thing]) -> float:
    """Microseconds for each of them."""
    begun = time.thread_time()
    for thing in things:
        call(thing)
    return (time.thread_time() - begun) / len(things) * 1e6


def _seconds(call: Callable[[Thing], object], thing: Thing) -> float:
    begun = time.thread_time()
    call(thing)
    return time.thread_time() - begun


def _refuse_seconds(hostile: tuple[str, int]) -> float:
    """The best of several: the rest is the machine's noise."""

    def refuse(text: str) -> None:
        with suppress(InvalidCondition):
            parse_condition(text)

    return min(_seconds(refuse, hostile[0]) for _ in range(ROUNDS))
