"""Dead letters are listed without their content, and sent back without losing one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from dealdesk.edge import aws
from operate import dead_letters
from operate.dead_letters import Queues
from operate.installation import Installation
from tests.operate.conftest import Operate


def an_event(deal_id: str, type_: str = "invoice.posting_requested") -> str:
    detail = {
        "id": f"{deal_id}:000009",
        "type": type_,
        "version": 1,
        "occurred_at": "2026-11-22T20:00:00+00:00",
        "deal_id": deal_id,
        "sequence": 9,
        "data": {"reason": "Cora Customer <cora@customer.example> said no"},
    }
    return json.dumps({"source": "dealdesk", "detail-type": type_, "detail": detail})


def bury(at: Installation, *bodies: str) -> Queues:
    queue = dead_letters.queue_named(at, "post_invoice")
    for body in bodies:
        aws.client("sqs").send_message(QueueUrl=queue.dead_url, MessageBody=body)
    return queue


def bodies(url: str) -> list[str]:
    answer = aws.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
    return sorted(message["Body"] for message in answer.get("Messages", []))


def test_every_reaction_of_the_template_is_listed(operator: Operate, capsys: pytest.CaptureFixture[str]) -> None:
    code = operator("dead-letters")

    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert code == 0
    assert names == [
        "measure_deals",
        "mirror_to_crm",
        "notify_n8n",
        "parked",
        "post_invoice",
        "read_crm",
        "request_payment",
        "request_signature",
    ]


def test_a_letter_is_shown_by_type_and_deal_and_never_by_what_it_says(
    at: Installation, operator: Operate, capsys: pytest.CaptureFixture[str]
) -> None:
    parked = json.dumps({"parked": {"kind": "stripe", "message": {"deal_id": "sf-2", "cause": "stripe:evt_1"}}})
    silence = json.dumps({"silence": {"deal_id": "sf-3", "due_at": "2026-11-22T20:00:00+00:00"}})
    bury(at, an_event("sf-1"), parked, silence, "cora@customer.example")

    code = operator("dead-letters")

    shown = capsys.readouterr().out
    assert code == 1
    assert [line.split()[:2] for line in shown.splitlines() if line.startswith("post_invoice")] == [
        ["post_invoice", "4"]
    ]
    for words in ("invoice.posting_requested", "sf-1", "parked stripe", "sf-2", "silence", "sf-3", "unreadable"):
        assert words in shown
    assert "cora" not in shown


def test_looking_at_letters_leaves_them_where_they_are(at: Installation, operator: Operate) -> None:
    queue = bury(at, an_event("sf-1"), an_event("sf-2"))

    operator("dead-letters")

    assert bodies(queue.dead_url) == [an_event("sf-1"), an_event("sf-2")]


def test_everything_goes_back_to_the_work_queue(
    at: Installation, operator: Operate, capsys: pytest.CaptureFixture[str]
) -> None:
    queue = bury(at, an_event("sf-1"), an_event("sf-2"))

    code = operator("redrive", "post_invoice")

    assert code == 0
    assert "2 moved back" in capsys.readouterr().out
    assert bodies(queue.work_url) == [an_event("sf-1"), an_event("sf-2")]
    assert bodies(queue.dead_url) == []


def test_only_the_letters_of_the_named_deal_go_back(at: Installation, operator: Operate) -> None:
    queue = bury(at, an_event("sf-1"), an_event("sf-2"), an_event("sf-1", "invoice.posted"))

    operator("redrive", "post_invoice", "--deal", "sf-1")

    assert bodies(queue.work_url) == sorted([an_event("sf-1"), an_event("sf-1", "invoice.posted")])
    assert bodies(queue.dead_url) == [an_event("sf-2")]


def test_at_most_so_many_go_back(at: Installation, operator: Operate) -> None:
    queue = bury(at, *(an_event(f"sf-{number}") for number in range(4)))

    operator("redrive", "post_invoice", "--most", "3")

    assert len(bodies(queue.work_url)) == 3
    assert len(bodies(queue.dead_url)) == 1


def test_a_crash_on_the_way_leaves_a_letter_twice_and_never_loses_it(
    at: Installation, operator: Operate, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = bury(at, an_event("sf-1"))

    def dies(**_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(aws.client("sqs"), "delete_message", dies)
    code = operator("redrive", "post_invoice")

    assert code == 130
    assert bodies(queue.work_url) == [an_event("sf-1")]
    assert bodies(queue.dead_url) == [an_event("sf-1")]


def test_where_sqs_moves_by_itself_it_is_left_to_it(
    at: Installation, operator: Operate, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    queue = bury(at, an_event("sf-1"))
    asked: list[dict[str, str]] = []
    monkeypatch.setattr(aws.client("sqs"), "start_message_move_task", lambda **call: asked.append(call))

    code = operator("redrive", "post_invoice")

    assert code == 0
    assert [call["SourceArn"].rpartition(":")[2] for call in asked] == [queue.dead_url.rpartition("/")[2]]
    assert bodies(queue.dead_url) == [an_event("sf-1")]
    assert "SQS is moving about 1 back" in capsys.readouterr().out


def test_a_move_that_sqs_refuses_is_said_and_not_done_by_hand(
    at: Installation, operator: Operate, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    queue = bury(at, an_event("sf-1"))

    def refused(**_: str) -> None:
        error = {"Error": {"Code": "AccessDenied", "Message": "not allowed to move"}}
        raise ClientError(error, "StartMessageMoveTask")

    monkeypatch.setattr(aws.client("sqs"), "start_message_move_task", refused)
    code = operator("redrive", "post_invoice")

    assert code == 2
    assert capsys.readouterr().err == "error: AWS refused StartMessageMoveTask: not allowed to move\n"
    assert bodies(queue.work_url) == []


def test_a_queue_that_is_none_is_answered_with_those_that_are(
    operator: Operate, capsys: pytest.CaptureFixture[str]
) -> None:
    code = operator("redrive", "PostInvoice")

    said = capsys.readouterr().err
    assert code == 2
    assert said.startswith("error: there is no queue PostInvoice; there are measure_deals, mirror_to_crm, notify_n8n")
    assert said.count("\n") == 1


def test_a_stack_that_is_none_is_answered_with_how_to_name_it(
    at: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    from operate.__main__ import main

    code = main(["--stack", "dealdesk-nowhere", "dead-letters"])

    said = capsys.readouterr().err
    assert code == 2
    assert said.startswith("error: there is no stack dealdesk-nowhere in us-east-1; name yours by --stack")
    assert said.count("\n") == 1
