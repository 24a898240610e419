"""Random policies on random quotes decide as exact fractions do, whatever is compiled, remembered or left out."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dealdesk.domain.fingerprint import fingerprint
from dealdesk.domain.guardrails import Decision, evaluate
from dealdesk.domain.judging import judged
from dealdesk.domain.measures import deal_facts, line_facts, terms_of
from dealdesk.domain.moves import BILLING, CAP, DAYS, TERM, Move, apply_moves
from dealdesk.domain.policy import parse_policy
from dealdesk.domain.programme import PASSES, compile_rule
from tests.unit.domain.documents import BILLINGS, Json, a_deal, a_policy, quote_of
from tests.unit.domain.oracle import Answer, decide
from tests.unit.domain.quotes import a_document, a_line, a_quote, a_rate, a_rule

MOVES = st.lists(
    st.one_of(
        st.builds(lambda to: Move(CAP, None, to), st.integers(0, 10_000)),
        st.builds(lambda to: Move(CAP, ("0",), to), st.integers(0, 10_000)),
        st.builds(lambda to: Move(DAYS, None, to), st.integers(0, 90)),
        st.builds(lambda to: Move(TERM, None, to), st.integers(1, 40)),
        st.builds(lambda to: Move(BILLING, None, to), st.sampled_from(BILLINGS)),
    ),
    min_size=1,
    max_size=3,
)

# A policy and a quote are a long draw: fewer of them keep `make check` short.
few = settings(max_examples=settings().max_examples // 3)


def answer_of(decision: Decision) -> Answer:
    violated = frozenset((violation.rule, violation.line or violation.group) for violation in decision.violations)
    return Answer(decision.outcome.value, violated, frozenset(decision.required_steps))


@few
@given(a_policy(), a_deal())
def test_a_decision_is_what_exact_fractions_say(policy: Json, deal: Json) -> None:
    assert answer_of(evaluate(quote_of(deal), parse_policy(policy), {})) == decide(policy, deal)


@few
@given(a_policy(), a_deal(), st.sampled_from(["EUR", "JPY", "KWD"]), st.sampled_from(["1.1", "0.0067", "3.25", None]))
def test_a_decision_in_another_currency_is_what_exact_fractions_say(
    policy: Json, deal: Json, currency: str, rate: str | None
) -> None:
    deal["currency"] = currency
    rates = {} if rate is None else a_rate(currency, rate)

    assert answer_of(evaluate(quote_of(deal), parse_policy(policy), rates)) == decide(policy, deal, rate)


@pytest.mark.parametrize("limit", [1, 999, 1_000, 1_250, 2_000, 3_333, 9_999])
@pytest.mark.parametrize("listed", [100_00, 333_33, 99_999_99, 1_234_567_89])
@pytest.mark.parametrize("beyond", [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0)])
def test_a_ceiling_decides_at_the_basis_point_and_the_minor_unit(
    limit: int, listed: int, beyond: tuple[int, int]
) -> None:
    basis_points, minor_units = beyond
    policy = a_document(a_rule(rows=[{"key": [], "limit": str(Decimal(limit).scaleb(-2))}]))
    net = listed - listed * (limit + basis_points) // 10_000 - minor_units
    line = a_line(unit=str(Decimal(listed).scaleb(-2)), net=str(Decimal(net).scaleb(-2)))
    document = {
        "currency": "USD",
        "lines": [
            {"id": "1", "quantity": "1", "periods": 1, "charge_type": "recurring", "sku": "CORE-01"}
            | {"list_unit_price": str(line.list_unit_price), "net_unit_price": str(line.net_unit_price)}
        ],
    }

    assert answer_of(evaluate(a_quote(line), parse_policy(policy), {})) == decide(policy, document)


@few
@given(a_policy(), a_deal())
def test_a_rule_by_itself_answers_as_it_does_among_all(policy: Json, deal: Json) -> None:
    parsed, terms = parse_policy(policy), terms_of(quote_of(deal))
    facts = deal_facts(terms, "USD", None)
    lines = [line_facts(facts, line) for line in terms.lines]

    alone = {
        (rule.id, row, line)
        for rule in parsed.rules
        if rule.group_by is None
        for line, seen in (list(enumerate(lines)) if rule.at_line else [(None, facts)])
        if (row := compile_rule(rule)(seen)) != PASSES
    }

    breaches = judged(terms, parsed, None).verdict.breaches
    assert {(b.rule.id, b.row, b.line) for b in breaches if b.rule in parsed.rules and not b.group} == alone


@few
@given(a_policy(), a_deal(), MOVES, MOVES)
def test_judging_only_what_changed_says_the_same_as_judging_all(
    policy: Json, deal: Json, moves: list[Move], others: list[Move]
) -> None:
    parsed, terms = parse_policy(policy), terms_of(quote_of(deal))
    like = judged(apply_moves(terms, tuple(others), "USD", None), parsed, None, judged(terms, parsed, None))
    changed = apply_moves(terms, tuple(moves), "USD", None)

    quick, whole = judged(changed, parsed, None, like), judged(changed, parsed, None)

    assert (quick.hits, quick.verdict.breaches) == (whole.hits, whole.verdict.breaches)
    assert (quick.verdict.outcome, quick.verdict.steps) == (whole.verdict.outcome, whole.verdict.steps)


@few
@given(a_policy(), a_deal(), st.randoms())
def test_the_order_of_lines_and_of_members_changes_nothing(policy: Json, deal: Json, chance: random.Random) -> None:
    lines = [_shuffled(line, chance) for line in deal["lines"]]
    chance.shuffle(lines)
    shuffled = _shuffled(deal | {"lines": lines}, chance)
    other = _shuffled(policy | {"rules": [_shuffled(rule, chance) for rule in policy["rules"]]}, chance)

    before, after = quote_of(deal), quote_of(shuffled)

    assert fingerprint(after) == fingerprint(before)
    assert evaluate(after, parse_policy(other), {}) == evaluate(before, parse_policy(policy), {})


def _shuffled(members: Json, chance: random.Random) -> Json:
    items = list(members.items())
    chance.shuffle(items)
    return dict(items)


@pytest.mark.parametrize(
    ("move", "left"),
    [
        (Move(CAP, ("1",), 1_500), [1]),
        (Move(CAP, None, 1_500), []),
        (Move(CAP, ("1",), 1_700), [0, 1]),
        (Move(DAYS, None, 30), []),
        (Move(DAYS, None, 60), [0, 1]),
        (Move(TERM, None, 24), []),
    ],
)
def test_a_line_is_asked_again_when_it_or_what_rules_read_around_it_changed(move: Move, left: list[int]) -> None:
    rule = a_rule(scope="line", rows=[{"limit": "15"}], when="payment_days > 30 && term_months < 24")
    policy = parse_policy(a_document(rule))
    terms = terms_of(a_quote(a_line("1", off="20"), a_line("2", off="20"), a_line("3"), payment_terms_days=45))
    before = judged(terms, policy, None)

    after = judged(apply_moves(terms, (move,), "USD", None), policy, None, before)

    assert [breach.line for breach in before.verdict.breaches] == [0, 1]
    assert [breach.line for breach in after.verdict.breaches] == left
