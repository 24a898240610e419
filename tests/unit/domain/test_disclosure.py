"""What a rep may see of a decision is the choice of the policy that decided; everybody else sees all of it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealdesk.adapters import codec
from dealdesk.domain.advice import what_would_pass
from dealdesk.domain.deal import Deal, DealId
from dealdesk.domain.decision import Decision, Disclosure
from dealdesk.domain.directory import NOBODY
from dealdesk.domain.disclosure import disclosed, what_a_rep_may_try
from dealdesk.domain.events import CrmRecord, QuoteReceived
from dealdesk.domain.fold import fold
from dealdesk.domain.guardrails import evaluate, to_json
from dealdesk.domain.policy import InvalidPolicy, Policy, parse_policy
from dealdesk.domain.quote import Billing, ChargeType, Quote, Risk
from dealdesk.domain.submission import judge
from dealdesk.policies import TEMPLATES, load_template
from dealdesk.usecases.mirror_deal import mirror_deal
from tests.unit.domain.deals import NOW, OWNER
from tests.unit.domain.quotes import a_document, a_line, a_quote, a_rule

SECRETS = ("17.37", "1737", "33", "4321.09", "4,321.09", "23.45", "11.11")


def rules() -> list[dict[str, Any]]:
    """Limits that nobody guesses: they are the secrets."""
    fields: list[tuple[str, dict[str, Any]]] = [
        ("DISC", {"keys": ["risk_tier"], "rows": [{"key": ["*"], "limit": "17.37"}]}),
        ("TERMS", {"fact": "payment_days", "rows": [{"limit": "33"}]}),
        ("FLOOR", {"fact": "total_contract_value", "op": "min", "rows": [{"limit": "4321.09"}]}),
        (
            "GROUP",
            {
                "scope": "line_group",
                "group_by": "charge_type",
                "keys": ["charge_type"],
                "rows": [{"key": ["one_time"], "limit": "23.45"}],
            },
        ),
        ("COMBO", {"kind": "condition", "expr": "discount_pct > 11.11 && payment_days > 33"}),
        ("BILLING", {"kind": "allowed", "fact": "billing", "rows": [{"values": ["upfront", "annual"]}]}),
    ]
    return [a_rule(id, **members) for id, members in fields]


def a_policy(level: str | None, *own: dict[str, Any]) -> Policy:
    return parse_policy(a_document(*(own or rules()), **({"disclosure": level} if level else {})))


def beyond(**fields: Any) -> Quote:
    lines = (
        a_line("1", unit="3000.00", off="30"),
        a_line("2", unit="2000.00", off="41", charge=ChargeType.ONE_TIME, sku="SETUP"),
    )
    known: dict[str, Any] = {"payment_terms_days": 52, "billing": Billing.MONTHLY}
    return a_quote(*lines, **(known | fields))


def judged(level: str | None, *own: dict[str, Any], **fields: Any) -> Decision:
    return evaluate(beyond(**fields), a_policy(level, *own), {})


def all_that_is_told(decision: Decision) -> str:
    told = disclosed(decision)
    return json.dumps(to_json(told)) + codec.dump(told) + what_a_rep_may_try(decision)


def revealed(text: str, decision: Decision) -> set[str]:
    """The secrets in it; digits of a hash are none."""
    return {
        secret
        for secret in SECRETS
        if secret in text.replace(decision.policy_hash, "").replace(decision.fingerprint, "")
    }


def test_a_policy_that_says_nothing_discloses_its_limits_exactly() -> None:
    decision = judged(None)

    assert decision.disclosure is Disclosure.EXACT
    assert disclosed(decision) is decision
    assert what_a_rep_may_try(decision) == what_would_pass(decision)
    assert revealed(all_that_is_told(decision), decision) >= {"17.37", "33", "23.45", "11.11"}


@pytest.mark.parametrize("level", ["banded", "off"])
def test_no_exact_limit_is_told_where_the_policy_discloses_none(level: str) -> None:
    decision = judged(level)

    assert len(decision.violations) == 6
    assert revealed(all_that_is_told(decision), decision) == set()


def test_an_unknown_level_is_refused_with_a_pointer() -> None:
    with pytest.raises(InvalidPolicy) as refused:
        a_policy("some")

    assert refused.value.pointer == "/disclosure"


def test_limits_are_told_in_bands_of_five_points_five_days_and_round_sums() -> None:
    told = {x.rule: (x.limit, x.passes_at) for x in disclosed(judged("banded")).violations}

    assert told == {
        "DISC": ("15 to 20", "between 15 and 20%"),
        "TERMS": ("30 to 35", "between 30 and 35 days"),
        "FLOOR": ("4000 to 5000", "between 4,000 and 5,000 USD"),
        "GROUP": ("20 to 25", "between 20 and 25%"),
        "COMBO": ("", ""),
        "BILLING": ("upfront, annual", "upfront or annual"),
    }


def test_a_banded_message_says_the_own_figure_the_band_and_who_is_needed() -> None:
    told = {x.rule: x.message for x in disclosed(judged("banded")).violations}

    assert told["DISC"] == (
        "discount 34.40%: the most that is allowed for risk tier low lies between 15 and 20% "
        "(rule DISC, policy test-policy v3); needs Finance review"
    )
    assert told["GROUP"] == (
        "one_time (line 2): discount 41.00%: the most that is allowed lies between 20 and 25% "
        "(rule GROUP, policy test-policy v3); needs Finance review"
    )
    assert told["FLOOR"].startswith("total contract value 3280.00 USD: the least that is required lies between 4,000")
    assert told["COMBO"] == (
        "discount with payment terms: not within the guardrails "
        "(rule COMBO, policy test-policy v3); needs Finance review"
    )


def test_what_would_pass_is_told_in_bands() -> None:
    decision = judged("banded", rules()[1], risk=Risk.HIGH)

    assert what_would_pass(decision) == "Passes at payment terms of net 33 or less."
    assert what_a_rep_may_try(decision) == "Passes at payment terms between 30 and 35 days."
    shown: Any = to_json(disclosed(decision))["counterfactual"]
    assert (shown["levers"][0]["from"], shown["levers"][0]["to"]) == (52, "30 to 35")


def test_several_changes_are_told_in_bands_line_by_line() -> None:
    decision = judged("banded", rules()[0], rules()[3], rules()[1])

    shown: Any = to_json(disclosed(decision))["counterfactual"]["joint"]  # type: ignore[index]
    assert shown["change"]["payment_days"] == "30 to 35"
    assert what_a_rep_may_try(decision).startswith("Passes at ")
    assert "between" in what_a_rep_may_try(decision)


def test_with_nothing_disclosed_a_rep_learns_that_it_is_blocked_or_whom_it_needs() -> None:
    block = a_rule("HARD", rows=[{"limit": "17.37"}], action={"block": True})
    needs, blocked = judged("off", rules()[1]), judged("off", block)

    (told,) = disclosed(needs).violations
    (hard,) = disclosed(blocked).violations

    assert told.message == (
        "payment terms: not within the guardrails (rule TERMS, policy test-policy v3); needs Finance review"
    )
    assert hard.message.endswith("; blocked")
    assert disclosed(needs).required_steps == ("finance",)
    assert what_a_rep_may_try(needs) == what_a_rep_may_try(blocked) == ""


def test_a_quote_that_passes_is_told_so_at_every_level() -> None:
    for level in Disclosure:
        decision = evaluate(a_quote(), a_policy(level.value, rules()[0]), {})

        assert what_a_rep_may_try(decision) == "Passes as it is."


def test_a_later_policy_reveals_nothing_of_an_older_decision() -> None:
    before = judged("off")
    stored = codec.parse(codec.dump(before), Decision)

    a_policy("exact")

    assert stored.disclosure is Disclosure.OFF
    assert revealed(all_that_is_told(stored), stored) == set()


def test_a_decision_from_before_there_were_levels_is_told_exactly() -> None:
    document = json.loads(codec.dump(judged(None)))
    del document["disclosure"], document["covered"]

    assert codec.parse(json.dumps(document), Decision).disclosure is Disclosure.EXACT


LEVELS = st.sampled_from(list(Disclosure))


@given(
    st.sampled_from(list(TEMPLATES)),
    LEVELS,
    st.integers(0, 99),
    st.integers(0, 90),
    st.sampled_from(list(Risk)),
    st.sampled_from(list(Billing)),
)
def test_the_outcome_and_whom_it_needs_are_told_at_every_level(
    name: str, level: Disclosure, off: int, days: int, risk: Risk, billing: Billing
) -> None:
    quote = a_quote(off=str(off), payment_terms_days=days, risk=risk, billing=billing)
    decision = replace(evaluate(quote, load_template(name), {}), disclosure=level)

    told = disclosed(decision)

    assert (told.outcome, told.required_steps, told.facts) == (
        decision.outcome,
        decision.required_steps,
        decision.facts,
    )
    assert [(x.rule, x.step, x.actual) for x in told.violations] == [
        (x.rule, x.step, x.actual) for x in decision.violations
    ]
    assert to_json(told)["outcome"] == decision.outcome.value
    assert bool(what_a_rep_may_try(decision)) is (level is not Disclosure.OFF or not decision.violations)


# -- where reps read


class Crm:
    """What the CRM was told."""

    def __init__(self) -> None:
        self.fields: dict[str, Any] = {}
        self.approvals: list[dict[str, Any]] = []

    def mirror(self, deal_id: str, fields: dict[str, Any], approvals: list[dict[str, Any]]) -> None:
        self.fields, self.approvals = fields, approvals


class Deals:
    def __init__(self, deal: Deal) -> None:
        self._deal = deal

    def load(self, deal_id: str) -> Deal:
        return self._deal


def a_deal(level: str) -> Deal:
    empty = Deal(DealId("d-1"))
    happened = judge(empty, beyond(), a_policy(level), {}, OWNER, NOBODY, NOW)
    return fold(empty, [QuoteReceived(CrmRecord("salesforce", "006"), NOW, OWNER), *happened], NOW)


@pytest.mark.parametrize("level", ["banded", "off"])
def test_the_crm_shows_reps_no_limit_and_the_approver_all_of_them(level: str) -> None:
    crm, deal = Crm(), a_deal(level)
    assert deal.decision is not None

    mirror_deal(Deals(deal), lambda _: crm, "d-1")  # type: ignore[arg-type, return-value]

    assert revealed(crm.fields["reasons"] + crm.fields["what_would_pass"], deal.decision) == set()
    assert crm.fields["reasons"].count("\n") == 5
    assert "17.37" in crm.approvals[0]["summary"]


@pytest.mark.parametrize("level", ["banded", "off"])
def test_the_event_that_n8n_hears_names_no_limit(level: str) -> None:
    happened = judge(Deal(DealId("d-1")), beyond(), a_policy(level), {}, OWNER, NOBODY, NOW)

    (violated,) = [event for event in happened if event.TYPE == "guardrail.violated"]

    assert {secret for secret in SECRETS if secret in codec.dump(violated)} == set()
