"""What many messages at once may not do: get lost, meet at every record in step, or read the CRM once for each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from typing import Any
from unittest.mock import patch

import pytest

from dealdesk.contracts.salesforce_ids import long_id
from dealdesk.domain.stages import Stage
from dealdesk.errors import VersionMoved
from tests.functions.messages import (
    connect_message,
    docusign_request,
    given,
    happened,
    keep,
    outbound,
    quote_submitted,
    rows,
    salesforce_request,
    stripe_event,
    stripe_request,
)
from tests.functions.test_hubspot_webhook import request, submitted
from tests.journeys.people import BLOCKED, submit
from tests.journeys.world import World


@contextmanager
def always_second(desk: World, function: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As long as the block lasts, somebody else has always changed the deal first."""

    def moved(*_: Any, **__: Any) -> Any:
        raise VersionMoved("somebody was first")

    monkeypatch.setattr("dealdesk.usecases.change.time.sleep", lambda _: None)
    with patch.object(desk.port(function, "deals"), "save", moved):
        yield


@pytest.mark.parametrize("vendor", ["salesforce", "hubspot", "stripe", "docusign"])
def test_a_message_that_lost_every_race_is_asked_for_again_and_never_answered_4xx(
    desk: World, vendor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    deal = keep(desk, Stage.OUT_FOR_SIGNATURE if vendor == "docusign" else Stage.AWAITING_PAYMENT, f"sf-hot-{vendor}")
    event = {
        "salesforce": lambda: salesforce_request(
            desk, outbound([quote_submitted("006HT0000000001", "04lHT0000000001")])
        ),
        "hubspot": lambda: request(desk, submitted(desk, 8_801)),
        "stripe": lambda: stripe_request(desk, stripe_event(deal)),
        "docusign": lambda: docusign_request(desk, connect_message(deal, desk.now())),
    }[vendor]()

    with always_second(desk, f"receive_{vendor}", monkeypatch):
        answer = given(desk, vendor, event)

    assert answer.status == 503
    assert given(desk, vendor, event).status == 200


def test_messages_about_the_same_records_do_not_go_through_them_in_step(desk: World) -> None:
    deals, order = desk.port("receive_salesforce", "deals"), list[str]()
    real = deals.save

    def noted(deal: Any, *args: Any, **kwargs: Any) -> Any:
        order.append(deal.id)
        return real(deal, *args, **kwargs)

    with patch.object(deals, "save", noted):
        for message in range(3):
            told = [quote_submitted(f"006ST{n:010d}", f"04lST{message}{n:09d}") for n in range(12)]
            assert given(desk, "salesforce", salesforce_request(desk, outbound(told))).status == 200

    first, second, third = order[:12], order[12:24], order[24:]
    assert sorted(first) == sorted(second) == sorted(third)
    assert len({tuple(first), tuple(second), tuple(third)}) == 3


def test_a_message_that_takes_too_long_is_put_off_in_time_and_goes_on_where_it_was(
    desk: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = [quote_submitted(f"006LG{n:010d}", f"04lLG{n:010d}") for n in range(40)]
    event = salesforce_request(desk, outbound(told))
    ticks, began = count(), desk.now()

    with monkeypatch.context() as slow:
        slow.setattr("dealdesk.edge.clock.now", lambda: began + timedelta(seconds=next(ticks)))
        first = given(desk, "salesforce", event)
    noted = sum(known(f"006LG{n:010d}") for n in range(40))
    second = given(desk, "salesforce", event)

    assert (first.status, "<Ack>false</Ack>" in first.body, noted) == (200, True, 18)
    assert (second.status, "<Ack>true</Ack>" in second.body) == (200, True)
    assert all(known(f"006LG{n:010d}") for n in range(40))


def known(record: str) -> bool:
    return any(f'"DEAL#sf-{long_id(record)}"' in row for row in rows())


def mass_update(desk: World, times: int) -> list[str]:
    """Salesforce tells so many times of a deal that has been judged; the records that are read for it."""
    desk.settle()
    crm, read = desk.port("read_crm", "crms", "salesforce"), list[str]()
    real = crm.read_quote
    record = BLOCKED.removeprefix("sf-")

    def noted(record_id: str) -> Any:
        read.append(record_id)
        return real(record_id)

    with patch.object(crm, "read_quote", noted):
        for number in range(times):
            note = quote_submitted(record, f"04lMU{times:04d}{number:06d}")
            assert given(desk, "salesforce", salesforce_request(desk, outbound([note]))).status == 200
        desk.settle()
    return read


def test_of_many_submissions_of_one_quote_only_the_newest_is_read_from_the_crm(desk: World) -> None:
    desk.post(submit(desk))

    read = mass_update(desk, 25)

    assert read == [BLOCKED.removeprefix("sf-")]
    assert happened(desk, BLOCKED).count("deal.received") == 26
    assert happened(desk, BLOCKED)[-1] == "vendor.asked"


def test_an_edit_between_two_submissions_is_read_with_the_newest(desk: World) -> None:
    desk.post(submit(desk))
    desk.settle()
    record = BLOCKED.removeprefix("sf-")
    line = next(
        row for row in desk.twins["salesforce"].state()["OpportunityLineItem"] if row["OpportunityId"] == record
    )
    edit = {"type": "OpportunityLineItem", "id": line["Id"], "fields": {"UnitPrice": line["ListPrice"]}}

    desk.twins["salesforce"].act("edit", edit | {"user_id": "0057F000001repAQAQ"})
    mass_update(desk, 3)

    assert desk.deal(BLOCKED)["decision"]["outcome"] == "auto_approve"
