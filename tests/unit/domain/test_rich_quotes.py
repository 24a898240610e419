"""Quotes with stacks, ramps, tiers, free periods, amounts off and amendments, drawn at random: what holds for all."""

from __future__ import annotations

from dataclasses import replace
from decimal import ROUND_CEILING, Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dealdesk.adapters import codec
from dealdesk.domain.advice import what_would_pass
from dealdesk.domain.amendments import Amends, LineToday
from dealdesk.domain.decision import Change
from dealdesk.domain.fingerprint import fingerprint
from dealdesk.domain.guardrails import evaluate
from dealdesk.domain.money import EXACT, to_major
from dealdesk.domain.policy import Policy, parse_policy
from dealdesk.domain.pricing import Pricing, Segment, average_net
from dealdesk.domain.quote import Billing, ChargeType, Line, Quote, Risk
from dealdesk.domain.waterfall import GIVEN_BY_THE_REP, Discount, Layer, Tier, in_order, taken_off
from dealdesk.policies import load_template
from tests.unit.domain.quotes import a_document, a_line, a_quote, a_rule
from tests.unit.domain.ramps import DISCRETIONARY, made_of, off, ramped, stacked, tiered
from tests.unit.domain.test_counterfactual import RICH
from tests.unit.domain.test_counterfactual import capped as capped_plain

NEW_FACTS = parse_policy(
    a_document(
        a_rule("OWN", fact="discretionary_discount_pct", rows=[{"limit": "15.00"}]),
        a_rule("TOTAL", rows=[{"limit": "30.00"}], action={"block": True}),
        a_rule("EXIT", fact="exit_discount_pct", rows=[{"limit": "20.00"}], action={"approve": "executive"}),
        a_rule("LATER", fact="later_segment_discount_pct", rows=[{"limit": "25.00"}], action={"approve": "executive"}),
        a_rule("DELTA", fact="delta_discount_pct", rows=[{"limit": "25.00"}], action={"approve": "executive"}),
        a_rule("ARR", fact="annual_recurring_revenue", op="min", rows=[{"limit": "900.00"}]),
        a_rule("COMMITTED", fact="committed_months", op="min", rows=[{"limit": "6"}], action={"approve": "executive"}),
        a_rule("LINE", scope="line", fact="discretionary_discount_pct", rows=[{"limit": "22.50"}]),
        a_rule("FLOOR", fact="total_contract_value", op="min", rows=[{"limit": "900.00"}], action={"block": True}),
    )
)
percents = st.integers(0, 60).map(lambda n: Decimal(n) / 2)


@st.composite
def any_pricing(draw: st.DrawFn, listed: Decimal, quantity: Decimal) -> tuple[Pricing, int]:
    """Something that a line's price may be made of, and the periods that go with it."""
    periods = draw(st.integers(2, 14))
    match draw(st.sampled_from(["stack", "ramp", "free", "tiers"])):
        case "stack":
            layers = draw(st.lists(st.sampled_from(Layer), min_size=1, max_size=4))
            discounts = [Discount(layer, draw(percents)) for layer in layers]
            if draw(st.booleans()):
                # A tenth of the list price fits below three layers of 30%.
                tenth = EXACT.quantize(listed * quantity * periods / 20, Decimal("0.01"))
                discounts.append(Discount(draw(st.sampled_from(Layer)), amount=tenth))
            return Pricing(discounts=in_order(discounts[-4:])), periods
        case "ramp":
            count = draw(st.integers(2, 4))
            prices = [listed * (100 - draw(percents)) / 100 for _ in range(count)]
            segments = tuple(Segment(draw(st.integers(1, 12)), Decimal(draw(st.integers(1, 9))), p) for p in prices)
            return Pricing(segments=segments), sum(segment.periods for segment in segments)
        case "free":
            return Pricing(free_periods=draw(st.integers(1, periods - 1))), periods
        case _:
            return Pricing(tiers=(Tier(Decimal(0), listed * 2), Tier(quantity, listed))), periods


@st.composite
def any_line(draw: st.DrawFn, line_id: str) -> Line:
    listed = Decimal(draw(st.integers(100, 300_000))).scaleb(-2)
    quantity = Decimal(draw(st.integers(1, 9)))
    cost = draw(st.none() | st.integers(0, 50))
    charge = draw(st.sampled_from(ChargeType))
    net = listed * (100 - draw(percents)) / 100
    line = Line(line_id, draw(st.sampled_from(("CORE-01", "ADD-01"))), charge, quantity, 1, listed, net)
    line = replace(line, unit_cost=None if cost is None else listed * cost / 100)
    if not draw(st.booleans()):
        return line
    pricing, periods = draw(any_pricing(listed, quantity))
    if pricing.discounts or pricing.segments:
        net = average_net(pricing, listed, quantity, periods)
    return replace(line, periods=periods, net_unit_price=net, pricing=pricing)


@st.composite
def rich_quotes(draw: st.DrawFn) -> Quote:
    lines = [draw(any_line(str(index))) for index in range(draw(st.integers(1, 4)))]
    term = draw(st.integers(1, 36))
    quote = a_quote(
        *lines,
        risk=draw(st.sampled_from(Risk)),
        billing=draw(st.sampled_from(Billing)),
        payment_terms_days=draw(st.integers(0, 90)),
        term_months=term,
        opt_out_after_months=draw(st.none() | st.integers(1, term)),
        amends=draw(st.none() | amendments(lines)),
    )
    if not draw(st.booleans()) or quote.net_total.amount_minor < 10:
        return quote
    tenth = quote.net_total.amount_minor // draw(st.integers(2, 10))
    return replace(quote, amount_off=to_major(tenth, "USD"))


def amendments(lines: list[Line]) -> st.SearchStrategy[Amends]:
    def today(line: Line, quantity: int) -> LineToday:
        return LineToday(line.id, line.sku, Decimal(quantity), line.list_unit_price * 9 / 10)

    chosen = st.lists(st.sampled_from(lines), min_size=1, unique_by=lambda line: line.id)
    return st.builds(lambda some, n: Amends("c-1", tuple(today(line, n) for line in some)), chosen, st.integers(1, 9))


# -- the counterfactual


def applied(quote: Quote, changes: tuple[Change, ...], policy: Policy) -> Quote:
    """The quote as a seller would change it: caps with the amount off in the lines, growth last."""
    for change in sorted(changes, key=lambda change: change.lever == "total_contract_value"):
        match change.lever:
            case "max_line_discount_pct":
                quote = replace(quote, amount_off=None, lines=tuple(capped(line, change) for line in quote.lines))
            case "payment_days":
                quote = replace(quote, payment_terms_days=int(change.to))
            case "term_months":
                quote = replace(quote, term_months=int(change.to))
            case "billing":
                quote = replace(quote, billing=Billing(change.to))
            case _:
                quote = grown(quote, Decimal(change.to), policy)
    return quote


def grown(quote: Quote, target: Decimal, policy: Policy) -> Quote:
    """More of every line at the same prices, until the contract value is reached."""
    while (value := Decimal(dict(evaluate(quote, policy, {}).facts)["total_contract_value"])) < target:
        factor = (target / value).quantize(Decimal("0.000001"), ROUND_CEILING)
        quote = replace(quote, lines=tuple(more_of(line, factor) for line in quote.lines))
    return quote


def more_of(line: Line, factor: Decimal) -> Line:
    quantity = round(line.quantity * factor, 6)
    if (pricing := line.pricing) is None:
        return replace(line, quantity=quantity)
    discounts = tuple(replace(x, amount=x.amount and round(x.amount * factor, 12)) for x in pricing.discounts)
    segments = tuple(replace(x, quantity=round(x.quantity * factor, 6)) for x in pricing.segments)
    after = replace(pricing, discounts=discounts, segments=segments)
    net = line.net_unit_price
    if discounts or segments:
        net = average_net(after, line.list_unit_price, quantity, line.periods)
    return replace(line, quantity=quantity, net_unit_price=net, pricing=after)


def capped(line: Line, change: Change) -> Line:
    """At most so much off, the share of an amount off included; a ramp gives way from its start."""
    pricing = line.pricing
    if pricing is None:
        return capped_plain(line, change)
    least = line.list_exact * (100 - Decimal(change.to)) / 100
    wanted = max(least, line.net_exact) if change.lines is None or line.id in change.lines else line.net_exact
    return charged(line, pricing, wanted)


def charged(line: Line, pricing: Pricing, wanted: Decimal) -> Line:
    """The line at exactly this price, its share of an amount off included."""
    if pricing.segments:
        after = segments_at(line, pricing, wanted)
    else:
        free = 0 if wanted > line.net_exact else pricing.free_periods
        earlier = tuple(x for x in pricing.discounts if x.layer not in GIVEN_BY_THE_REP)
        paid = EXACT.multiply(line.list_unit_price, line.quantity * (line.periods - free))
        if taken_off(paid, earlier) < wanted:
            earlier = (Discount(Layer.CONTRACTED, amount=paid - wanted),)
        own = Discount(DISCRETIONARY, amount=taken_off(paid, earlier) - wanted)
        after = replace(pricing, discounts=in_order([*earlier, own]), free_periods=free, off=Decimal(0))
    net = average_net(after, line.list_unit_price, line.quantity, line.periods)
    return replace(line, pricing=after, net_unit_price=net)


def segments_at(line: Line, pricing: Pricing, wanted: Decimal) -> Pricing:
    before = line.net_exact + pricing.off
    kept = EXACT.divide(line.net_exact, before) if before else Decimal(1)
    rest = wanted - line.net_exact
    after = []
    for segment in pricing.segments:
        volume = segment.quantity * segment.periods
        net = EXACT.multiply(segment.net_unit_price * volume, kept)
        step = min(max(line.list_unit_price * volume - net, Decimal(0)), rest)
        rest -= step
        price = EXACT.divide(net + step, volume).quantize(Decimal("1e-15"), ROUND_CEILING)
        after.append(replace(segment, net_unit_price=price))
    return replace(pricing, segments=tuple(after), off=Decimal(0))


@pytest.mark.parametrize("policy", [load_template("classic"), RICH, NEW_FACTS], ids=["classic", "rich", "what is new"])
@settings(deadline=None)
@given(quote=rich_quotes())
def test_every_suggestion_does_what_it_says_when_applied(policy: Policy, quote: Quote) -> None:
    found = evaluate(quote, policy, {}).counterfactual

    for lever in found.levers:
        assert evaluate(applied(quote, (lever.change,), policy), policy, {}).outcome is lever.outcome
    if found.joint is not None:
        after = evaluate(applied(quote, found.joint.changes, policy), policy, {})
        assert (after.outcome, after.required_steps) == (found.joint.outcome, found.joint.required_steps)


# -- order, edits and totals


@settings(deadline=None)
@given(quote=rich_quotes(), data=st.data())
def test_permuting_lines_never_changes_fingerprint_or_decision(quote: Quote, data: st.DataObject) -> None:
    lines = tuple(data.draw(st.permutations(quote.lines)))

    shuffled = replace(quote, lines=lines)

    assert fingerprint(shuffled) == fingerprint(quote)
    assert evaluate(shuffled, NEW_FACTS, {}) == evaluate(quote, NEW_FACTS, {})


@given(quote=rich_quotes(), other=rich_quotes())
def test_an_edit_and_its_inverse_restore_the_fingerprint(quote: Quote, other: Quote) -> None:
    fields = ("lines", "amount_off", "amends", "payment_terms_days", "risk", "billing")

    edited = replace(quote, **{name: getattr(other, name) for name in fields})
    restored = replace(edited, **{name: getattr(quote, name) for name in fields})

    assert restored == quote
    assert fingerprint(restored) == fingerprint(quote)


@given(rich_quotes())
def test_a_quote_is_read_back_from_its_stored_form_as_it_was(quote: Quote) -> None:
    assert codec.parse(codec.dump(quote), Quote) == quote


@given(rich_quotes())
def test_the_total_is_the_sum_of_the_lines_and_the_amount_off_is_in_it_to_the_minor_unit(quote: Quote) -> None:
    without = replace(quote, amount_off=None)

    taken = without.net_total.amount_minor - quote.net_total.amount_minor

    assert quote.net_total.amount_minor == sum(line.net_minor("USD") for line in quote.lines)
    assert to_major(taken, "USD") == (quote.amount_off or 0)
    assert quote.list_total == without.list_total


@pytest.mark.parametrize(
    "line",
    [
        tiered(("1", "20"), ("100", "10"), quantity="100", net="9"),
        stacked(off(Layer.PROMO, amount="1"), unit="100"),
    ],
    ids=["tiers", "an amount off"],
)
def test_more_of_what_does_not_grow_in_proportion_is_not_suggested(line: Line) -> None:
    levers = evaluate(a_quote(line), load_template("classic"), {}).counterfactual.levers

    assert "total_contract_value" not in {lever.change.lever for lever in levers}


def test_a_limit_on_the_reps_own_discount_names_the_total_that_meets_it() -> None:
    policy = parse_policy(a_document(a_rule(fact="discretionary_discount_pct", rows=[{"limit": "15.00"}])))

    found = evaluate(a_quote(stacked(off(Layer.CONTRACTED, "10"), off(DISCRETIONARY, "20"))), policy, {})

    assert [lever.change.to for lever in found.counterfactual.levers] == ["23.50"]


def test_a_ramp_gives_way_from_its_start() -> None:
    policy = parse_policy(a_document(a_rule(rows=[{"limit": "20.00"}])))
    quote = a_quote(ramped("50", "20", "0"), term_months=36)

    (lever,) = evaluate(quote, policy, {}).counterfactual.levers
    after = applied(quote, (lever.change,), policy)

    assert lever.change.to == "20.00"
    assert after.lines[0].pricing is not None
    assert [segment.net_unit_price for segment in after.lines[0].pricing.segments] == [600, 800, 1000]


def test_a_line_without_discounts_needs_no_pricing() -> None:
    plain = a_line()

    assert a_quote(replace(plain, pricing=Pricing())) == a_quote(plain)
    assert made_of(Pricing(free_periods=1), unit="100", quantity="1", periods=2).net_minor("USD") == 100_00


def test_what_no_lever_moves_is_said_as_the_policy_wants_it() -> None:
    policy = parse_policy(a_document(a_rule(fact="exit_discount_pct", rows=[{"limit": "20.00"}])))

    decision = evaluate(a_quote(ramped("0", "30"), term_months=24), policy, {})

    assert decision.counterfactual.joint is None
    assert what_would_pass(decision) == "Nothing is suggested; the policy wants exit discount <= 20.00%."
