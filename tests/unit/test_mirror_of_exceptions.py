"""The CRM shows what waits for finance beside what the deal waits for, in a field of one line."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dealdesk.domain import refunds
from dealdesk.domain.deal import Deal
from dealdesk.domain.events import CrmRecord
from dealdesk.domain.money import Money
from dealdesk.domain.stages import DisputeStatus, Stage
from dealdesk.usecases.mirror_deal import FIELD_LIMIT, mirror_deal
from tests.fakes.crm import FakeCrm
from tests.unit.domain.deals import Story, a_story, paid


class OneDeal:
    def __init__(self, deal: Deal) -> None:
        self._deal = replace(deal, crm=CrmRecord("salesforce", "0067F00000deal1QAA"))

    def load(self, _deal_id: str) -> Deal:
        return self._deal


def shown(story: Story, field: str = "waiting_for") -> str:
    crm = FakeCrm({}, {})
    mirror_deal(OneDeal(story.deal), lambda _: crm, "d-1")  # type: ignore[arg-type]
    return str(crm.shown["d-1"][field])


def disputed(story: Story, number: int) -> Story:
    amount = Money(number, "USD")
    return story.then(refunds.disputed(story.deal, "pi_1", f"dp_{number}", DisputeStatus.OPEN, amount, "fraudulent"))


@pytest.mark.parametrize("stage", [Stage.AWAITING_PAYMENT, Stage.CLOSED])
def test_a_deal_on_which_nothing_went_another_way_waits_for_nobody(stage: Stage) -> None:
    assert shown(a_story(stage)) == ""


def test_a_dispute_stands_beside_the_draft_that_waits_as_well() -> None:
    said = shown(disputed(a_story(Stage.PAID), 40_000))

    assert said.startswith("Finance: approve the invoice; Finance: 400.00 USD of payment pay_d-1_1 is disputed")


def test_a_part_of_the_total_is_shown_with_what_is_missing() -> None:
    story = a_story(Stage.AWAITING_PAYMENT)
    story.then(paid(story.deal, Money(400_000, "USD")))

    assert shown(story, "payment_status") == "PARTIALLY_PAID: 4,000.00 USD of 10,000.00 USD"
    assert shown(story) == "Finance: 6,000.00 USD are still to be collected: ask for the rest"


def test_however_much_waits_fits_into_the_field() -> None:
    story = a_story(Stage.CLOSED)
    for number in range(1, 20):
        disputed(story, number)

    assert len(shown(story)) == FIELD_LIMIT
