"""What happened in a span of time is told again: from the archive in an account, from the table where there is none."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from dealdesk.contracts import bus
from dealdesk.domain.events import CrmRecord, Event, QuoteReceived, VendorAsked
from dealdesk.edge import aws
from dealdesk.edge.reactions import parse_message
from dealdesk.ports import Cause
from operate import __main__ as operate
from operate.dead_letters import queue_named
from operate.installation import Installation
from tests.operate.conftest import Operate

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
AROUND = ("--from", "2026-11-22T11:00:00Z", "--to", "2026-11-22T13:00:00Z")
Captured = pytest.CaptureFixture[str]


def received(at: Installation, deal_id: str, when: datetime) -> None:
    deals = at.deals
    happened: list[Event] = [
        QuoteReceived(CrmRecord("salesforce", deal_id[3:]), when, "person-1"),
        VendorAsked("crm", "new"),
    ]
    deal = deals.load(deal_id, or_new=True)
    deals.save(deal, happened, cause=Cause("test", deal_id), actor="person-1", now=when)


def messages(at: Installation, reaction: str) -> list[str]:
    """The ids of the events that wait for a reaction."""
    url = queue_named(at, reaction).work_url
    answer = aws.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
    events = [parse_message(message["Body"]) for message in answer.get("Messages", [])]
    return sorted(event.id for event in events if isinstance(event, bus.BusEvent))


def test_the_events_of_the_span_and_no_others_reach_who_listens(
    at: Installation, operator: Operate, capsys: Captured
) -> None:
    received(at, "sf-before", NOON - timedelta(hours=1, seconds=1))
    received(at, "sf-within", NOON)
    received(at, "sf-after", NOON + timedelta(hours=1))

    code = operator("replay", *AROUND)

    assert code == 0
    assert capsys.readouterr().out == (
        "this stack has no archive: 2 events of the table were given again to every reaction\n"
    )
    assert messages(at, "read_crm") == ["sf-within:000001"]
    assert messages(at, "notify_n8n") == ["sf-within:000001"]


def test_one_reaction_is_told_what_its_rule_hears(at: Installation, operator: Operate, capsys: Captured) -> None:
    received(at, "sf-within", NOON)

    code = operator("replay", *AROUND, "--to-rule", "read_crm")

    assert code == 0
    assert "1 events of the table were given again to read_crm" in capsys.readouterr().out
    assert messages(at, "read_crm") == ["sf-within:000001"]
    assert messages(at, "notify_n8n") == []


@pytest.fixture
def in_an_account(
    at: Installation, fresh_clients: None, monkeypatch: pytest.MonkeyPatch
) -> tuple[Operate, list[dict[str, Any]]]:
    """The same stack with an archive; what EventBridge is asked to replay."""
    asked: list[dict[str, Any]] = []
    real = aws.client("events")
    bus_arn = "arn:aws:events:us-east-1:000000000000:event-bus/dealdesk-operated"
    archive = {"ArchiveArn": "arn:aws:events:us-east-1:000000000000:archive/kept", "EventSourceArn": bus_arn}
    aws.clients["events"] = SimpleNamespace(
        describe_archive=lambda ArchiveName: {"kept": archive}[ArchiveName],
        describe_rule=real.describe_rule,
        start_replay=lambda **call: asked.append(call),
    )
    resources = {**at.resources, "Archive": "kept", "ReadCrmRule": f"{at.bus_name}|{at.resources['ReadCrmRule']}"}
    monkeypatch.setattr(operate, "of_stack", lambda _: replace(at, resources=resources))
    return lambda *words: operate.main(list(words)), asked


def test_an_account_replays_from_its_archive(
    in_an_account: tuple[Operate, list[dict[str, Any]]], capsys: Captured
) -> None:
    run, asked = in_an_account

    code = run("replay", *AROUND)

    (call,) = asked
    assert code == 0
    assert call["EventSourceArn"].endswith(":archive/kept")
    assert call["Destination"] == {"Arn": "arn:aws:events:us-east-1:000000000000:event-bus/dealdesk-operated"}
    assert (call["EventStartTime"], call["EventEndTime"]) == (NOON - timedelta(hours=1), NOON + timedelta(hours=1))
    assert f"describe-replay --replay-name {call['ReplayName']}" in capsys.readouterr().out


def test_an_account_replays_to_one_rule_by_its_arn(in_an_account: tuple[Operate, list[dict[str, Any]]]) -> None:
    run, asked = in_an_account

    run("replay", *AROUND, "--to-rule", "read_crm")

    (arn,) = asked[0]["Destination"]["FilterArns"]
    assert arn.startswith("arn:aws:events:us-east-1:000000000000:rule/dealdesk-operated/")
    assert "ReadCrmRule" in arn


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--from", "yesterday", "--to", "2026-11-22"), "error: --from must be a time like 2026-11-22T20:00:00Z"),
        (("--from", "2026-11-22", "--to", "2026-11-22"), "error: --from must lie before --to"),
        ((*AROUND, "--to-rule", "parked"), "error: no rule leads to a reaction parked; there are measure_deals"),
    ],
)
def test_a_span_or_a_reaction_that_is_none_is_said_in_one_line(
    operator: Operate, capsys: Captured, words: tuple[str, ...], said: str
) -> None:
    code = operator("replay", *words)

    error = capsys.readouterr().err
    assert code == 2
    assert error.startswith(said)
    assert error.count("\n") == 1


def test_an_event_that_the_bus_does_not_take_is_said(
    at: Installation, operator: Operate, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    received(at, "sf-within", NOON)
    monkeypatch.setattr(aws.client("events"), "put_events", lambda Entries: {"FailedEntryCount": len(Entries)})

    assert operator("replay", *AROUND) == 2
    assert "start the same replay again" in capsys.readouterr().err


def test_what_a_reaction_gets_by_hand_is_what_its_rule_would_give(at: Installation, operator: Operate) -> None:
    received(at, "sf-within", NOON)
    url = queue_named(at, "read_crm").work_url

    operator("replay", *AROUND, "--to-rule", "read_crm")

    (message,) = aws.client("sqs").receive_message(QueueUrl=url)["Messages"]
    body = json.loads(message["Body"])
    assert (body["source"], body["detail-type"]) == ("dealdesk", "deal.received")
    assert body["detail"]["deal_id"] == "sf-within"
