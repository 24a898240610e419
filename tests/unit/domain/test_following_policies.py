"""Deals in flight when a policy or a rate moves: judged again only where that would ask for more than was asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from dealdesk.domain import events as e
from dealdesk.domain.deal import Deal, DealId
from dealdesk.domain.decision import FxRate
from dealdesk.domain.directory import NOBODY
from dealdesk.domain.fold import fold
from dealdesk.domain.policy import Policy, parse_policy
from dealdesk.domain.stages import Effect, Stage
from dealdesk.domain.submission import follow, judge
from tests.unit.domain.deals import CLASSIC, NOW, OWNER, Story, a_deal
from tests.unit.domain.people import ANN, EVE, MONDAY, a_directory
from tests.unit.domain.quotes import a_document, a_line, a_quote, a_rule

FINANCE_FIRST = a_rule("A")


def a_policy(*rules: dict[str, object]) -> Policy:
    return parse_policy(a_document(*(rules or (FINANCE_FIRST,))))


def limit(percent: str, step: str | None = "finance") -> dict[str, object]:
    action = {"approve": step} if step else {"block": True}
    return a_rule("A", rows=[{"key": [], "limit": percent}], action=action)


def approved(off: str = "25") -> Story:
    """Finance was asked at 20% and said yes."""
    story = Story(directory=a_directory(), policy=a_policy()).quoted(a_quote(off=off), at=MONDAY)
    return story.decided(by=ANN, at=MONDAY)


def followed(story: Story, policy: Policy, fx: Mapping[str, FxRate] | None = None) -> list[str]:
    happened = follow(story.deal, policy, fx or {}, story.directory, MONDAY)
    story.then(happened, MONDAY)
    return [event.TYPE for event in happened]


@pytest.mark.parametrize("looser", [limit("24.00"), limit("30.00"), limit("90.00", None)])
def test_a_looser_or_equal_policy_leaves_the_approval_alone(looser: dict[str, object]) -> None:
    assert followed(approved(), a_policy(looser)) == []


def test_a_stricter_policy_asks_for_what_is_new_and_keeps_what_was_granted() -> None:
    stricter = a_policy(limit("20.00"), a_rule("B", action={"approve": "executive"}))
    story = approved()

    happened = followed(story, stricter)

    assert happened[0] == "deal.evaluated"
    assert story.deal.stage is Stage.PENDING_APPROVAL
    assert story.deal.round is not None
    assert ([g.by for g in story.deal.round.grants], story.deal.round.open_steps) == ([ANN], ("executive",))
    assert story.decided("executive", EVE, MONDAY).deal.stage is Stage.APPROVED


def test_a_policy_that_blocks_now_ends_the_approval_and_the_intent_to_send() -> None:
    story = approved()

    followed(story, a_policy(limit("10.00", None)))

    assert (story.deal.stage, story.deal.certificate) == (Stage.EVALUATED, None)
    assert not any(intent.effect is Effect.SEND_ENVELOPE for intent in story.deal.intents)


def test_what_a_rule_approved_is_asked_about_by_a_stricter_policy() -> None:
    story = Story(directory=a_directory(), policy=a_policy()).quoted(a_quote(off="15"), at=MONDAY)
    assert story.deal.certificate is not None

    followed(story, a_policy(limit("10.00")))

    assert story.deal.stage is Stage.PENDING_APPROVAL


def test_a_contract_that_may_be_out_is_left_alone() -> None:
    story = approved()
    story.then([e.IntentAttempted(story.deal.intents[0].key, 1, MONDAY)])

    assert followed(story, a_policy(limit("10.00", None))) == []


@pytest.mark.parametrize("stage", [Stage.OUT_FOR_SIGNATURE, Stage.SIGNED, Stage.PAID, Stage.CLOSED, Stage.RECALLED])
def test_terms_that_went_out_or_were_taken_back_are_left_alone(stage: Stage) -> None:
    assert follow(a_deal(stage), a_policy(limit("0.00", None)), {}, NOBODY, NOW) == []


# -- rates


def a_rate(rate: str) -> dict[str, FxRate]:
    return {"EUR": FxRate("EUR", Decimal(rate), date(2026, 11, 20), "test")}


def in_euro(rate: str = "1.10") -> Deal:
    """5,000.05 USD at this rate: just above the floor."""
    quote = replace(a_quote(a_line(unit="4545.50")), currency="EUR")
    empty = Deal(DealId("d-1"))
    deal = fold(empty, judge(empty, quote, CLASSIC, a_rate(rate), OWNER, NOBODY, NOW), NOW)
    assert deal.stage is Stage.APPROVED
    return deal


@pytest.mark.parametrize(("rate", "moved"), [("1.045", False), ("1.0449", True), ("1.155", False), ("1.2", False)])
def test_a_rate_that_moved_beyond_the_tolerance_judges_again(rate: str, moved: bool) -> None:
    """5% is the tolerance; below the floor the deal is blocked, above it nothing is stricter."""
    happened = follow(in_euro(), CLASSIC, a_rate(rate), NOBODY, NOW)

    assert bool(happened) is moved


def test_a_rate_that_is_no_longer_there_counts_as_moved() -> None:
    happened = follow(in_euro(), CLASSIC, {}, NOBODY, NOW)

    assert [event.TYPE for event in happened][:2] == ["deal.evaluated", "guardrail.violated"]
