"""What every implementation of the Deals port must hold; here the one on DynamoDB."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import boto3
import botocore.client
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from dealdesk.adapters.dynamo_deals import DynamoDeals
from dealdesk.domain.chain import first_break
from dealdesk.domain.events import CrmRecord, QuoteReceived, VendorAsked
from dealdesk.errors import AlreadyHandled, CauseReused, DealUnknown, TableBusy, TooLarge, VersionMoved
from dealdesk.ports import Cause
from dealdesk.usecases.change import change
from tests.table import TABLE

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
RECEIVED = QuoteReceived(CrmRecord("salesforce", "0067F00000deal1QAA"), NOW, "person-1")


@pytest.fixture
def deals(table_name: str) -> DynamoDeals:
    return DynamoDeals(table_name, 1200)


def received(deals: DynamoDeals, cause: Cause, deal_id: str = "d-1") -> Any:
    deal = deals.load(deal_id, cause, or_new=True)
    return deals.save(deal, [RECEIVED], cause=cause, actor="person-1", now=NOW)


def test_an_unknown_deal_is_said_to_be_unknown(deals: DynamoDeals) -> None:
    with pytest.raises(DealUnknown):
        deals.load("d-1", Cause("stripe", "evt_1"))


def test_what_was_saved_is_loaded(deals: DynamoDeals) -> None:
    saved = received(deals, Cause("stripe", "evt_1"))

    assert deals.load("d-1") == saved
    assert saved.version == 1


def test_a_seen_cause_is_refused_on_loading_and_names_its_version(deals: DynamoDeals) -> None:
    received(deals, Cause("stripe", "evt_1"))

    with pytest.raises(AlreadyHandled) as replay:
        deals.load("d-1", Cause("stripe", "evt_1"))

    assert replay.value.version == 1


def test_a_cause_that_was_claimed_in_between_is_a_replay_and_not_a_conflict(deals: DynamoDeals) -> None:
    late = deals.load("d-1", Cause("stripe", "evt_1"), or_new=True)
    received(deals, Cause("stripe", "evt_1"))

    with pytest.raises(AlreadyHandled):
        deals.save(late, [RECEIVED], cause=Cause("stripe", "evt_1"), actor="a", now=NOW)


def test_another_cause_on_an_old_version_is_a_conflict_and_not_a_replay(deals: DynamoDeals) -> None:
    late = deals.load("d-1", Cause("stripe", "evt_2"), or_new=True)
    received(deals, Cause("stripe", "evt_1"))

    with pytest.raises(VersionMoved):
        deals.save(late, [RECEIVED], cause=Cause("stripe", "evt_2"), actor="a", now=NOW)


def test_the_same_key_with_another_payload_is_refused(deals: DynamoDeals) -> None:
    received(deals, Cause("api", "key-1", payload_hash="a"))

    with pytest.raises(CauseReused):
        deals.load("d-1", Cause("api", "key-1", payload_hash="b"))
    with pytest.raises(CauseReused):
        deals.load("another-deal", Cause("api", "key-1", payload_hash="b"), or_new=True)


def test_a_cause_can_be_claimed_without_a_change(deals: DynamoDeals) -> None:
    deal = received(deals, Cause("stripe", "evt_1"))

    after = deals.save(deal, [], cause=Cause("api", "key-1"), actor="a", now=NOW)

    assert after == deal
    with pytest.raises(AlreadyHandled):
        deals.load("d-1", Cause("api", "key-1"))


def test_events_are_chained_without_gaps_and_rebuild_the_snapshot(deals: DynamoDeals) -> None:
    for number in range(5):
        deal = received(deals, Cause("salesforce", f"04l{number}"))

    assert first_break(deals.history("d-1")) is None
    assert deals.as_of("d-1") == deal
    assert deals.as_of("d-1", version=3).version == 3


def test_an_altered_event_breaks_the_chain_where_it_was_altered(deals: DynamoDeals) -> None:
    for number in range(3):
        received(deals, Cause("salesforce", f"04l{number}"))
    boto3.client("dynamodb").update_item(
        TableName=TABLE,
        Key={"pk": {"S": "DEAL#d-1"}, "sk": {"S": "EVENT#000002"}},
        UpdateExpression="SET actor = :a",
        ExpressionAttributeValues={":a": {"S": "somebody else"}},
    )

    assert first_break(deals.history("d-1")) == 2


def test_thirty_two_threads_with_one_cause_have_one_effect(deals: DynamoDeals) -> None:
    start = threading.Barrier(32)

    def save(_: int) -> str:
        start.wait()
        try:
            change(deals, "d-1", lambda _: [RECEIVED], cause=Cause("stripe", "evt_1"), actor="a", now=NOW, or_new=True)
        except AlreadyHandled:
            return "replay"
        return "done"

    with ThreadPoolExecutor(32) as pool:
        ends = Counter(pool.map(save, range(32)))

    assert ends == {"done": 1, "replay": 31}
    assert [record.sequence for record in deals.history("d-1")] == [1]


def test_thirty_two_threads_with_causes_of_their_own_all_take_effect_in_one_chain(deals: DynamoDeals) -> None:
    def save(number: int) -> None:
        cause = Cause("stripe", f"evt_{number}")
        while True:
            try:
                change(deals, "d-1", lambda _: [RECEIVED], cause=cause, actor="a", now=NOW, or_new=True)
            except VersionMoved:
                continue
            return

    with ThreadPoolExecutor(32) as pool:
        list(pool.map(save, range(32)))

    assert len(deals.history("d-1")) == 32
    assert first_break(deals.history("d-1")) is None


def test_a_deal_past_the_item_limit_is_refused_before_anything_is_written(deals: DynamoDeals) -> None:
    deal = deals.load("d-1", or_new=True)
    huge = VendorAsked("crm", "x" * 410_000)

    with pytest.raises(TooLarge, match="at most 409,600"):
        deals.save(deal, [huge], cause=Cause("api", "k"), actor="a", now=NOW)

    assert deals.load("d-1", Cause("api", "k"), or_new=True).version == 0


def cancelled(*codes: str) -> ClientError:
    reasons = [{"Code": code, "Message": code} for code in codes]
    error = {"Error": {"Code": "TransactionCanceledException", "Message": "cancelled"}, "CancellationReasons": reasons}
    return ClientError(error, "TransactWriteItems")


def failing(monkeypatch: pytest.MonkeyPatch, operation: str, answers: list[Exception | None]) -> list[str]:
    """Puts these failures before (an exception) or lets through (None) the next calls of `operation`."""
    real: Callable[..., Any] = botocore.client.BaseClient._make_api_call
    seen: list[str] = []

    def call(self: Any, name: str, params: dict[str, Any]) -> Any:
        if name == operation:
            seen.append(str(params.get("ClientRequestToken")))
            failure = answers.pop(0) if answers else None
            if failure:
                raise failure
        return real(self, name, params)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", call)
    return seen


def test_a_transaction_conflict_is_tried_again_and_is_no_replay(
    deals: DynamoDeals, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = failing(monkeypatch, "TransactWriteItems", [cancelled("TransactionConflict", "None", "None")] * 2)

    saved = received(deals, Cause("stripe", "evt_1"))

    assert saved.version == 1
    assert len(seen) == 3
    assert len(set(seen)) == 1


def test_throttling_that_lasts_is_said_to_be_busy_and_writes_nothing(
    deals: DynamoDeals, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, "TransactWriteItems", [cancelled("ThrottlingError", "None", "None") for _ in range(9)])

    with pytest.raises(TableBusy):
        received(deals, Cause("stripe", "evt_1"))

    assert deals.load("d-1", Cause("stripe", "evt_1"), or_new=True).version == 0


def test_an_answer_that_was_lost_is_found_as_a_replay(deals: DynamoDeals, monkeypatch: pytest.MonkeyPatch) -> None:
    deal = deals.load("d-1", or_new=True)
    received(deals, Cause("stripe", "evt_1"))
    failing(monkeypatch, "TransactWriteItems", [ConnectTimeoutError(endpoint_url="x")])

    with pytest.raises(TableBusy):
        deals.save(deal, [RECEIVED], cause=Cause("stripe", "evt_1"), actor="a", now=NOW)
    with pytest.raises(AlreadyHandled):
        deals.load("d-1", Cause("stripe", "evt_1"))


def test_an_accepted_message_costs_a_read_and_a_transaction_and_a_replay_the_read(
    deals: DynamoDeals, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    real = botocore.client.BaseClient._make_api_call

    def call(self: Any, name: str, params: dict[str, Any]) -> Any:
        calls.append(name)
        return real(self, name, params)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", call)

    received(deals, Cause("stripe", "evt_1"))
    accepted, calls[:] = list(calls), []
    with pytest.raises(AlreadyHandled):
        received(deals, Cause("stripe", "evt_1"))

    assert accepted == ["BatchGetItem", "TransactWriteItems"]
    assert calls == ["BatchGetItem"]
