"""What the table says of a deal is held against its events, and written again from them where it differs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dealdesk.adapters import codec
from dealdesk.domain.events import CrmRecord, DealTouched, Event, QuoteReceived, VendorAsked
from dealdesk.domain.policy_version import PolicyLine, PolicyStatus
from dealdesk.edge import aws
from dealdesk.errors import VersionMoved
from dealdesk.ports import Cause
from operate import snapshots
from operate.installation import Installation
from tests.journeys.people import DEALS, everybody_acts, submit
from tests.journeys.world import World
from tests.operate.conftest import Operate, rows

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
DEAL = "sf-0067F00000deal1QAA"
Captured = pytest.CaptureFixture[str]


def a_deal(at: Installation, deal_id: str = DEAL) -> None:
    """Three events: two of the first cause, one of the second. Its quote waits to be read."""
    deals = at.deals
    received: list[Event] = [
        QuoteReceived(CrmRecord("salesforce", deal_id[3:]), NOW, "person-1"),
        DealTouched("person-2", 60),
    ]
    deal = deals.load(deal_id, or_new=True)
    deal = deals.save(deal, received, cause=Cause("test", f"{deal_id}:1"), actor="person-1", now=NOW)
    later = NOW + timedelta(minutes=5)
    deals.save(deal, [VendorAsked("signature", "sent")], cause=Cause("test", f"{deal_id}:2"), actor="system", now=later)


def row(at: Installation, sk: str, deal_id: str = DEAL) -> Any:
    return next(r for r in rows(at.table_name) if (r["pk"]["S"], r["sk"]["S"]) == (f"DEAL#{deal_id}", sk))


def put(at: Installation, item: Any) -> None:
    aws.client("dynamodb").put_item(TableName=at.table_name, Item=item)


def damage(at: Installation, sk: str, **columns: Any) -> None:
    """Overwrites columns of a row; None takes one away."""
    item = {**row(at, sk), **columns}
    put(at, {name: value for name, value in item.items() if value is not None})


def drop(at: Installation, sk: str) -> None:
    key = {"pk": {"S": f"DEAL#{DEAL}"}, "sk": {"S": sk}}
    aws.client("dynamodb").delete_item(TableName=at.table_name, Key=key)


def test_a_deal_that_is_what_its_events_say_is_whole(at: Installation, operator: Operate, capsys: Captured) -> None:
    a_deal(at)

    assert operator("verify", DEAL) == 0
    assert capsys.readouterr().out == f"{DEAL}: whole, 3 events\n"


def body_at_another_stage(at: Installation) -> dict[str, Any]:
    return {"body": {"S": row(at, "DEAL")["body"]["S"].replace('"stage":"draft"', '"stage":"paid"')}}


def behind_by_one(at: Installation) -> dict[str, Any]:
    return {"body": {"S": codec.dump(at.deals.as_of(DEAL, version=2))}, "version": {"N": "2"}}


def another_summary(at: Installation) -> dict[str, Any]:
    return {"summary": {"S": row(at, "DEAL")["summary"]["S"].replace("draft", "closed")}}


STALE = {
    "another stage": (body_at_another_stage, "the snapshot differs from the events in stage"),
    "one event behind": (behind_by_one, "the snapshot differs from the events in version, last_hash, updated_at"),
    "no text": (lambda _: {"body": {"S": "{"}}, "the snapshot cannot be read"),
    "another summary": (another_summary, "the list of deals differs from the events in summary"),
    "no summary": (lambda _: {"summary": None}, "the list of deals differs from the events in summary"),
    "another list": (lambda _: {"list_key": {"S": "DEALS#9"}}, "the list of deals differs from the events in list_key"),
    "nobody asks": (lambda _: {"due_key": None}, "the list of deals differs from the events in due_key"),
    "no date": (lambda _: {"due_at": None}, "the list of deals differs from the events in due_at"),
    "asked in 2999": (lambda _: {"due_at": {"S": "2999"}}, "the list of deals differs from the events in due_at"),
    "another reaction": (lambda _: {"waits_for": {"S": "x"}}, "the list of deals differs from the events in waits_for"),
}


@pytest.mark.parametrize(("spoil", "said"), STALE.values(), ids=STALE)
def test_a_row_that_differs_is_named_and_written_anew_only_when_told_so(
    at: Installation, operator: Operate, capsys: Captured, spoil: Any, said: str
) -> None:
    a_deal(at)
    good = row(at, "DEAL")
    damage(at, "DEAL", **spoil(at))
    bad = row(at, "DEAL")

    assert bad != good
    assert operator("verify", DEAL) == 1
    assert said in capsys.readouterr().out
    assert operator("rebuild", DEAL) == 1
    assert "nothing was written" in capsys.readouterr().out
    assert row(at, "DEAL") == bad

    assert operator("rebuild", DEAL, "--apply") == 0
    assert row(at, "DEAL") == good
    assert operator("verify", DEAL) == 0


def test_a_snapshot_that_is_gone_comes_back(at: Installation, operator: Operate, capsys: Captured) -> None:
    a_deal(at)
    good = row(at, "DEAL")
    drop(at, "DEAL")

    assert operator("verify", "--all") == 1
    assert f"{DEAL}: the snapshot is missing" in capsys.readouterr().out
    assert operator("rebuild", "--all", "--apply") == 0
    assert row(at, "DEAL") == good


def test_a_round_that_would_be_looked_at_when_nobody_is_asked_is_put_right(
    at: Installation, operator: Operate, capsys: Captured
) -> None:
    a_deal(at)
    key = {"pk": {"S": f"DEAL#{DEAL}"}, "sk": {"S": "ROUND"}}
    put(at, {**key, "due_key": {"S": "ROUNDS#0"}, "due_at": {"S": NOW.isoformat()}})

    assert operator("verify", DEAL) == 1
    assert "the approval round" in capsys.readouterr().out
    assert operator("rebuild", DEAL, "--apply") == 0
    assert row(at, "ROUND") == key


def altered(at: Installation) -> None:
    damage(at, "EVENT#000002", actor={"S": "somebody-else"})


def without_a_hash(at: Installation) -> None:
    damage(at, "EVENT#000002", hash=None)


def never_happened(at: Installation) -> None:
    """A history whose last event was taken out, with hashes that are right: only the snapshot knows better."""
    drop(at, "EVENT#000003")


def written_anew(at: Installation) -> None:
    """A whole history of other things, under the snapshot of the true one."""
    a_deal(at, "sf-other")
    snapshot = row(at, "DEAL")
    for sk in ("EVENT#000001", "EVENT#000002", "EVENT#000003"):
        drop(at, sk)
    drop(at, "DEAL")
    later = NOW + timedelta(days=1)
    deal = at.deals.load(DEAL, or_new=True)
    events = [VendorAsked("crm", "forged")] * 3
    at.deals.save(deal, events, cause=Cause("test", "forged"), actor="somebody", now=later)
    put(at, snapshot)


BROKEN = {
    "altered": (altered, "event 2 is missing or was altered"),
    "dropped": (lambda at: drop(at, "EVENT#000002"), "event 2 is missing or was altered"),
    "without a hash": (without_a_hash, "an event lacks what every event has"),
    "cut off": (never_happened, "the snapshot has seen event 3, the events end at 2"),
    "written anew": (written_anew, "event 3 is not the one that the snapshot was made from"),
}


@pytest.mark.parametrize(("spoil", "said"), BROKEN.values(), ids=BROKEN)
def test_where_the_events_are_broken_nothing_is_written(
    at: Installation, operator: Operate, capsys: Captured, spoil: Any, said: str
) -> None:
    a_deal(at)
    spoil(at)
    before = rows(at.table_name)

    assert operator("verify", DEAL) == 1
    assert said in capsys.readouterr().out
    assert operator("rebuild", DEAL, "--apply") == 1
    assert "left as it is" in capsys.readouterr().out
    assert rows(at.table_name) == before


def test_a_deal_that_moves_while_it_is_mended_is_left_to_who_moved_it(at: Installation) -> None:
    a_deal(at)
    damage(at, "DEAL", **another_summary(at))
    found = snapshots.examine(at, DEAL)
    deal = at.deals.load(DEAL)
    moved = at.deals.save(deal, [VendorAsked("crm", "x")], cause=Cause("test", "3"), actor="system", now=NOW)

    with pytest.raises(VersionMoved):
        snapshots.mend(at, found)

    assert at.deals.load(DEAL) == moved


def test_a_deal_that_is_written_between_two_reads_is_not_taken_for_torn(
    at: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_deal(at)
    real = snapshots._read
    torn = snapshots.Rows(real(at, DEAL).snapshot, None, real(at, DEAL).events[:2])
    answers = iter([torn])
    monkeypatch.setattr(snapshots, "_read", lambda at, deal_id: next(answers, None) or real(at, deal_id))

    assert snapshots.examine(at, DEAL).whole


def test_the_trail_of_a_policy_is_verified_with_all_deals(
    at: Installation, operator: Operate, capsys: Captured
) -> None:
    line = PolicyLine("lost", "Lost", 1, PolicyStatus.DRAFT, None, NOW, events=2, last_hash="x")
    key = {"pk": {"S": "POLICIES"}, "sk": {"S": "LINE#lost"}}
    put(at, {**key, "version": {"N": "1"}, "body": {"S": codec.dump(line)}})

    assert operator("verify", "--all") == 1
    assert "policy lost: the list has seen 2 events, the trail has 0" in capsys.readouterr().out


def test_a_deal_that_is_none_is_said_in_one_line(at: Installation, operator: Operate, capsys: Captured) -> None:
    assert operator("verify", "sf-1") == 2
    said = capsys.readouterr().err
    assert said.startswith("error: no deal sf-1; deal ids look like sf-")
    assert said.count("\n") == 1


def test_deals_are_whole_at_every_step_of_their_way(world: World, in_the_world: Operate, capsys: Captured) -> None:
    world.post(submit(world))
    world.settle()

    for _ in range(12):
        assert in_the_world("verify", "--all") == 0, capsys.readouterr().out
        moved = everybody_acts(world)
        for letter in world.take_mail():
            world.post(letter)
        world.settle()
        if not moved:
            break

    assert [world.deal(deal_id)["stage"] for deal_id in DEALS] == ["closed", "closed", "evaluated"]
    assert "3 deals, 0 with faults" in capsys.readouterr().out
