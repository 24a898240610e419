"""How desks like this one go wrong over events, each by its number; here none of it is possible."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from dealdesk.edge import aws
from tests.functions.quotes import a_quote
from tests.functions.test_rest import created
from tests.journeys.world import World


def of(desk: World, deal_id: str) -> list[int]:
    """The sequence numbers that the bus got of the deal, in the order in which it got them."""
    return [event["sequence"] for event in desk.published if event["deal_id"] == deal_id]


def records_of(desk: World, deal_id: str) -> list[dict[str, Any]]:
    """The deal's events as messages of a queue."""
    messages = [
        {"source": "dealdesk", "detail-type": event["type"], "detail": event}
        for event in desk.published
        if event["deal_id"] == deal_id
    ]
    return [
        {"messageId": f"m{n}", "receiptHandle": f"r{n}", "body": json.dumps(body), "attributes": {}}
        for n, body in enumerate(messages)
    ]


def told(desk: World, deal_id: str) -> list[int]:
    """The sequence numbers that n8n took of the deal."""
    bodies = [json.loads(request.body) for request in desk.twins["n8n"].requests if request.status < 300]
    return [body["sequence"] for body in bodies if body["deal_id"] == deal_id]


def test_pitfall_26_what_the_bus_did_not_take_is_offered_again_and_then_arrives(
    desk: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.relay()
    deal_id = created(desk, a_quote())["deal_id"]

    with monkeypatch.context() as patch:
        patch.setitem(aws.clients, "events", SimpleNamespace(put_events=lambda Entries: {"FailedEntryCount": 1}))
        with pytest.raises(Exception, match="events were not taken"):
            desk.relay()
    assert of(desk, deal_id) == []
    desk.relay()

    assert of(desk, deal_id) == sorted(set(of(desk, deal_id)))
    assert of(desk, deal_id)[0] == 1


def test_pitfall_26_what_is_relayed_twice_has_the_same_id_for_whoever_hears_it(desk: World) -> None:
    desk.relay()
    deal_id = created(desk, a_quote())["deal_id"]

    desk.relay(times=2)

    ids = [event["id"] for event in desk.published if event["deal_id"] == deal_id]
    assert len(ids) == 2 * len(set(ids))


def test_pitfall_30_of_many_events_at_once_every_one_is_relayed(desk: World) -> None:
    desk.relay()
    deal_ids = [created(desk, a_quote())["deal_id"] for _ in range(9)]
    before = len(desk.published)

    rows = desk.relay()

    assert rows > 2 * 10
    assert len(desk.published) - before == rows
    assert all(of(desk, deal_id) for deal_id in deal_ids)


def test_pitfall_30_a_message_that_cannot_be_read_does_not_drop_the_rest_of_its_batch(desk: World) -> None:
    deal_id = created(desk, a_quote())["deal_id"]
    desk.relay()
    good = records_of(desk, deal_id)
    bad = {"messageId": "bad", "receiptHandle": "bad", "body": "{}", "attributes": {}}

    answer = desk.invoke("notify_n8n", {"Records": [bad, *good]})

    assert [failed["itemIdentifier"] for failed in answer["batchItemFailures"]] == ["bad"]
    assert told(desk, deal_id) == of(desk, deal_id)


def test_pitfall_31_an_n8n_that_is_dead_holds_up_no_deal_and_is_not_asked_for_ever(desk: World) -> None:
    queue = desk.queues["NotifyN8nQueue"]
    desk.settle()
    desk.fail("n8n", match="POST /webhook", kind="status", status=500, times=1_000)

    deal_id = created(desk, a_quote())["deal_id"]
    desk.settle()
    desk.twins["n8n"].faults.clear()

    assert "document.sent" in [event["type"] for event in desk.published if event["deal_id"] == deal_id]
    assert queue.messages == type(queue.messages)()
    assert {json.loads(message.body)["detail"]["deal_id"] for message in queue.dead} == {deal_id}
