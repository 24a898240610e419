"""What happens when a quote reaches the desk again."""

from __future__ import annotations

from datetime import date

import pytest

from dealdesk.domain.deal import Deal
from dealdesk.domain.directory import NOBODY
from dealdesk.domain.fold import fold
from dealdesk.domain.stages import Stage
from dealdesk.domain.submission import judge
from dealdesk.errors import Conflict, Malformed
from dealdesk.policies import load_template
from tests.unit.domain.quotes import a_quote
from tests.unit.domain.test_grants import NOW, POLICY, approved, submitted


def test_the_same_terms_change_nothing() -> None:
    deal = submitted(a_quote(off="10"))

    assert judge(deal, a_quote(off="10"), POLICY, {}, "person-1", NOBODY, NOW) == []


def test_a_new_name_is_kept_and_leaves_the_approval_alone() -> None:
    deal = submitted(a_quote(off="25", name="Renamed"), approved("25"))

    assert deal.quote is not None
    assert deal.quote.name == "Renamed"
    assert deal.stage is Stage.APPROVED


def test_an_approver_cannot_be_made_the_owner() -> None:
    with pytest.raises(Conflict, match="cannot have an interest in it"):
        submitted(a_quote(off="25", owner_id="person-executive"), approved("25"))


def test_a_quote_whose_validity_is_over_is_refused() -> None:
    with pytest.raises(Malformed, match="valid until 2026-11-21"):
        submitted(a_quote(valid_until=date(2026, 11, 21)))


def test_a_quote_is_valid_on_its_last_day() -> None:
    assert submitted(a_quote(valid_until=NOW.date())).stage is Stage.APPROVED


def test_a_blocked_quote_is_judged_again_by_a_policy_that_changed() -> None:
    blocked: Deal = submitted(a_quote(off="35"))
    looser = load_template("saas-standard")

    again = fold(blocked, judge(blocked, a_quote(off="35"), looser, {}, "person-1", NOBODY, NOW), NOW)

    assert blocked.stage is Stage.EVALUATED
    assert again.stage is Stage.PENDING_APPROVAL
