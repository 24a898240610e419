"""Conditions that people type: read into a typed tree, or refused at the right character, quickly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealdesk.domain.condition_text import InvalidCondition, parse_condition
from dealdesk.domain.conditions import compile_condition, leaves, render
from dealdesk.domain.facts import Facts
from dealdesk.domain.measures import deal_facts, line_facts, terms_of
from dealdesk.domain.policy_checks import check_document
from dealdesk.domain.quote import Billing, Quote, Risk
from tests.unit.domain.quotes import a_document, a_line, a_quote, a_rule


def facts_of(quote: Quote) -> Facts:
    return deal_facts(terms_of(quote), "USD", None)


def says(text: str, quote: Quote) -> bool | None:
    return compile_condition(parse_condition(text))(facts_of(quote))


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("discount_pct > 12.50", False),
        ("discount_pct >= 12.5", True),
        ("discount_pct == 12.50", True),
        ("12.50 <= discount_pct", True),
        ("12.49 < discount_pct", True),
        ("risk_tier == 'high' && term_months < 24", True),
        ("risk_tier != \"high\" || billing in ['annual', 'upfront']", False),
        ("!(risk_tier == 'high') || !new_logo", False),
        ("new_logo", True),
        ("new_logo == false", False),
        ("total_contract_value < 8750.01 && total_contract_value > 8749.99", True),
        ("payment_days == 30 && (term_months == 12 || term_months == 24)", True),
        ("currency in ['USD']", True),
        ("region == null && segment != null", True),
    ],
)
def test_a_condition_says_what_it_reads_like(text: str, answer: bool) -> None:
    quote = a_quote(off="12.5", risk=Risk.HIGH, billing=Billing.MONTHLY, new_logo=True, segment="smb")

    assert says(text, quote) is answer


@pytest.mark.parametrize("text", ["segment == 'smb'", "segment != 'smb'", "!(segment == 'smb')", "margin_pct < 90"])
def test_what_the_deal_does_not_say_is_neither_true_nor_false(text: str) -> None:
    assert says(text, a_quote()) is None


def test_an_unknown_part_does_not_hide_a_known_answer() -> None:
    assert says("segment == 'smb' || discount_pct == 0", a_quote()) is True
    assert says("segment == 'smb' && discount_pct > 0", a_quote()) is False


def test_and_binds_tighter_than_or() -> None:
    assert says("payment_days == 30 || payment_days == 31 && term_months == 1", a_quote()) is True


def test_a_line_condition_reads_the_line() -> None:
    quote = a_quote(a_line("1", off="10"), a_line("2", off="50", sku="EXTRA"))
    terms = terms_of(quote)
    test = compile_condition(parse_condition("sku == 'EXTRA' && discount_pct == 50", at_line=True))

    answers = [test(line_facts(facts_of(quote), line)) for line in terms.lines]

    assert answers == [False, True]


@pytest.mark.parametrize(
    ("text", "position", "advice"),
    [
        ("", 0, "expected a fact"),
        ("discount > 5", 0, "did you mean discount_pct"),
        ("discount_pct >", 14, "plain number"),
        ("discount_pct > 5 term_months", 17, "&& or ||"),
        ("discount_pct > '5'", 15, "plain number"),
        ("discount_pct > 5.001", 15, "two decimals"),
        ("term_months > 1.5", 14, "whole number"),
        ("risk_tier == 'hihg'", 13, "did you mean high"),
        ("risk_tier == high", 13, "text in quotes"),
        ("risk_tier > 'low'", 12, "no order"),
        ("segment < null", 10, "no order"),
        ("new_logo == 'yes'", 12, "true or false"),
        ("sku == 'A'", 0, "line"),
        ("discount_pct > 1e999", 15, "can't start"),
        ("discount_pct > NaN", 15, "plain number"),
        ("discount_pct > 1_000", 15, "can't start"),
        ("discount_pct > １２", 15, "can't start"),
        ("discount_pct > 1111111111111111", 15, "15 digits"),
        ("size(sku) > 1", 0, "no fact"),
        ("discount_pct > 1 ? 1 : 0", 17, "can't start"),
        ("discount_pct + 1 > 2", 13, "can't start"),
        ("segment == 'a\\'b'", 11, "can't start"),
        ("segment == 'open", 11, "can't start"),
        ("1 < discount_pct < 3", 17, "&& or ||"),
        ("billing in []", 12, "text in quotes"),
        ("billing in ['annual'", 20, "expected ]"),
        ("(discount_pct > 1", 17, "expected )"),
        ("total_contract_value > 1.005", 23, "decimals"),
        ("\u0000", 0, "can't start"),
    ],
)
def test_a_refusal_says_where_and_what_would_be_right(text: str, position: int, advice: str) -> None:
    with pytest.raises(InvalidCondition) as refused:
        parse_condition(text)

    assert (refused.value.position, advice in refused.value.message) == (position, True), str(refused.value)


HOSTILE = {
    "brackets": ("(" * 1_000 + "new_logo" + ")" * 900, 25),
    "negations": ("!" * 1_900 + "new_logo", 25),
    "spaces": (" || ".join(["new_logo"] * 165) + " " * 100_000, 2_000),
    "comparisons": ("||".join(["7<term_months"] * 500), 2_000),
    "one comparison too many": ("||".join(["new_logo"] * 201), 2_000),
    "a long number": ("discount_pct > " + "9" * 1_900, 15),
    "a long text": ("region == '" + "x" * 1_900 + "'", 10),
    "a million negations": ("!" * 1_000_000, 2_000),
    "two megabytes": ("discount_pct > 1 && " * 105_000, 2_000),
    "two megabytes of one word": ("x" * 2_000_000, 2_000),
    "full-width digits": ("discount_pct > １２", 15),
    "Arabic digits": ("discount_pct > ١٢", 15),
    "an exponent": ("discount_pct > 1e999", 15),
    "NUL": ("region == 'E\x00U'", 10),
    "NUL at the end": ("new_logo\x00", 8),
    "a lone surrogate": ("region == '\ud800'", 10),
    "a lone surrogate outside a text": ("new_logo \udfff", 9),
    "an invisible space": ("new_logo\u2003&& new_logo", 8),
    "backslashes": ("region == '" + "\\" * 900, 10),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_text_is_refused_with_its_position(name: str) -> None:
    text, position = HOSTILE[name]

    with pytest.raises(InvalidCondition) as refused:
        parse_condition(text)

    assert refused.value.position == position
    assert position < refused.value.end <= len(text)
    assert len(refused.value.message) < 500


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_text_in_a_policy_is_a_finding_with_its_characters(name: str) -> None:
    text, position = HOSTILE[name]
    document = a_document(a_rule(kind="condition", expr=text))

    (finding,) = check_document(document)

    assert (finding.pointer, finding.span and finding.span[0]) == ("/rules/0/expr", position)
    assert finding.suggestion


def test_two_hundred_comparisons_are_accepted_and_one_more_is_not() -> None:
    assert len(list(leaves(parse_condition("||".join(["new_logo"] * 199 + ["new_logo"]))))) == 200

    with pytest.raises(InvalidCondition, match="at most 200"):
        parse_condition("||".join(["new_logo"] * 200 + ["sku"]))


NUMBERS = st.tuples(
    st.sampled_from(["discount_pct", "margin_pct", "payment_days", "total_contract_value"]),
    st.sampled_from(["==", "!=", "<", "<=", ">", ">="]),
    st.integers(-500, 500),
).map(lambda parts: " ".join(map(str, parts)))
WORDS = st.sampled_from(["segment == null", "risk_tier in ['low', 'high']", "new_logo", "region != 'EU'"])
TEXTS = st.recursive(
    NUMBERS | WORDS,
    lambda inner: st.one_of(
        inner.map("!({})".format),
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map("(({0[0]}) {0[1]} ({0[2]}))".format),
    ),
    max_leaves=8,
)


@given(TEXTS)
def test_a_rendered_condition_reads_back_as_the_same_tree(text: str) -> None:
    tree = parse_condition(text)

    assert repr(parse_condition(render(tree, "USD"))) == repr(tree)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_inside_itself(text: str) -> None:
    position = 0
    try:
        parse_condition(text)
    except InvalidCondition as refused:
        position = refused.position

    assert 0 <= position <= len(text)
