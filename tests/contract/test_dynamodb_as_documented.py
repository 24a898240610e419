"""What DynamoDB is documented to answer and no emulator does: the adapters take each answer for what it proves."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest

from dealdesk.adapters.claims import NEW, claim_item, commit, new_item
from dealdesk.adapters.dynamo_approvers import DynamoApprovers
from dealdesk.adapters.dynamo_deals import DynamoDeals
from dealdesk.adapters.dynamo_policies import DynamoPolicies
from dealdesk.domain.chain import first_break
from dealdesk.domain.directory import Member
from dealdesk.domain.events import CrmRecord, QuoteReceived
from dealdesk.edge import aws
from dealdesk.errors import AlreadyHandled, CauseReused, TableBusy, TooLarge, VersionMoved
from dealdesk.ports import Cause
from dealdesk.usecases.change import change
from dealdesk.usecases.draft_policy import draft_policy, edit_policy
from tests.fakes.dynamodb import Answer, Contention, Wire, all_but, answer_lost, cancelled, refused
from tests.table import TABLE
from tests.unit.domain.quotes import a_document, a_rule

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
RECEIVED = QuoteReceived(CrmRecord("salesforce", "0067F00000deal1QAA"), NOW, "person-1")
CAUSE = Cause("stripe", "evt_1", "hash-a")
CLAIM = claim_item(CAUSE, "d-1", 7, NOW)
OTHERS_CLAIM = claim_item(Cause("stripe", "evt_1", "hash-b"), "d-1", 7, NOW)
WRITE, READ = "TransactWriteItems", "BatchGetItem"


@pytest.fixture
def client(table_name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The desk's own client with its own retries, new for each test."""
    monkeypatch.setattr(aws, "clients", {})
    return aws.client("dynamodb")


@pytest.fixture
def wire(client: Any, monkeypatch: pytest.MonkeyPatch) -> Wire:
    monkeypatch.setattr("time.sleep", lambda _: None)
    return Wire(client)


@pytest.fixture
def deals(client: Any) -> DynamoDeals:
    return DynamoDeals(TABLE, 1200)


def save_a_deal() -> None:
    deals = DynamoDeals(TABLE, 1200)
    deals.save(deals.load("d-1", or_new=True), [RECEIVED], cause=CAUSE, actor="a", now=NOW)


def draft_a_policy() -> None:
    policies = DynamoPolicies(TABLE)
    draft_policy(policies, "p", a_document(a_rule()), author="person-ann", cause=CAUSE, now=NOW)


def keep_the_approvers() -> None:
    DynamoApprovers(TABLE).keep_members([Member("person-ann")], {}, seen=0, cause=CAUSE, by="person-admin", now=NOW)


def rows() -> list[str]:
    """What is in the table, but for the claim."""
    found = boto3.client("dynamodb").scan(TableName=TABLE, ConsistentRead=True)["Items"]
    return sorted(f"{row['pk']['S']}/{row['sk']['S']}" for row in found if row["sk"]["S"] != "CLAIM")


writers = pytest.mark.parametrize("write", [save_a_deal, draft_a_policy, keep_the_approvers])

# -- what proves nothing is tried again

TRANSIENT = {
    "conflict on the claim": cancelled("TransactionConflict", "None", "None"),
    "conflict on another row": cancelled("None", "TransactionConflict", "None"),
    "throttled in part": cancelled("None", "ThrottlingError", "None"),
    "capacity used up in part": cancelled("None", "None", "ProvisionedThroughputExceeded"),
    "throttled": refused("ThrottlingException"),
    "capacity used up": refused("ProvisionedThroughputExceededException"),
    "account at its limit": refused("RequestLimitExceeded"),
    "same transaction still running": refused("TransactionInProgressException"),
    "failure at their side": refused("InternalServerError", status=500),
}


@pytest.mark.parametrize("answer", TRANSIENT.values(), ids=TRANSIENT)
def test_what_proves_nothing_is_tried_again_as_the_same_transaction(wire: Wire, answer: Answer) -> None:
    wire.answers(WRITE, answer, answer)

    save_a_deal()

    assert len(wire.tokens()) == 3
    assert len(set(wire.tokens())) == 1


@writers
def test_what_goes_on_proving_nothing_is_busy_and_writes_nothing(wire: Wire, write: Callable[[], None]) -> None:
    for answer in TRANSIENT.values():
        wire.asked.clear()
        wire.answers(WRITE, *[answer] * 30)

        with pytest.raises(TableBusy):
            write()

        assert len(wire.tokens()) > 1
        assert len(set(wire.tokens())) == 1
        wire.forget()
    assert rows() == []
    write()


# -- an answer that is lost


@writers
def test_a_change_whose_answer_was_lost_is_sent_again_as_the_same_transaction_and_made_once(
    wire: Wire, write: Callable[[], None]
) -> None:
    wire.answers(WRITE, answer_lost)

    write()

    assert len(wire.tokens()) == 2
    assert len(set(wire.tokens())) == 1
    assert sum("/EVENT#" in row for row in rows()) == (0 if write is keep_the_approvers else 1)


@writers
def test_a_change_whose_every_answer_was_lost_is_busy_and_then_a_replay(wire: Wire, write: Callable[[], None]) -> None:
    wire.answers(WRITE, *[answer_lost] * 4)

    with pytest.raises(TableBusy):
        write()
    with pytest.raises(AlreadyHandled):
        write()


@writers
def test_a_token_that_another_request_has_used_proves_no_replay(wire: Wire, write: Callable[[], None]) -> None:
    wire.answers(WRITE, refused("IdempotentParameterMismatchException"))

    with pytest.raises(TableBusy, match="IdempotentParameterMismatch"):
        write()

    assert rows() == []


# -- what a condition proves


@writers
@pytest.mark.parametrize(("claim", "proved"), [(CLAIM, AlreadyHandled), (OTHERS_CLAIM, CauseReused)])
def test_a_claim_that_is_there_proves_a_replay_or_a_reuse(
    wire: Wire, write: Callable[[], None], claim: dict[str, Any], proved: type[Exception]
) -> None:
    wire.answers(WRITE, cancelled("ConditionalCheckFailed", "None", "None", found=claim))

    with pytest.raises(proved):
        write()


def test_a_claim_that_is_there_proves_a_replay_even_where_the_deal_has_moved_and_others_conflict(wire: Wire) -> None:
    codes = ["ConditionalCheckFailed", "ConditionalCheckFailed", "TransactionConflict"]
    wire.answers(WRITE, cancelled(*codes, found=CLAIM))

    with pytest.raises(AlreadyHandled) as replay:
        save_a_deal()

    assert replay.value.version == 7


def test_a_claim_that_is_not_shown_is_read(wire: Wire, deals: DynamoDeals) -> None:
    late = deals.load("d-1", or_new=True)
    save_a_deal()
    wire.answers(WRITE, cancelled("ConditionalCheckFailed", "None", "None"))

    with pytest.raises(AlreadyHandled) as replay:
        deals.save(late, [RECEIVED], cause=CAUSE, actor="a", now=NOW)

    assert replay.value.version == 1


def test_a_claim_that_is_neither_shown_nor_there_proves_nothing(wire: Wire) -> None:
    wire.answers(WRITE, cancelled("ConditionalCheckFailed", "None", "None"))

    with pytest.raises(TableBusy):
        save_a_deal()


@writers
@pytest.mark.parametrize("claim", ["None", "TransactionConflict", "ThrottlingError"])
def test_a_row_that_moved_is_a_conflict_and_no_replay_whatever_else_went_wrong(
    wire: Wire, write: Callable[[], None], claim: str
) -> None:
    wire.answers(WRITE, cancelled(claim, "ConditionalCheckFailed", "TransactionConflict"))

    with pytest.raises(VersionMoved):
        write()

    assert len(wire.tokens()) == 1


def test_a_change_that_met_the_same_cause_while_it_was_written_ends_as_a_replay(wire: Wire, deals: DynamoDeals) -> None:
    def the_other_one_wins(request: Any) -> Any:
        save_a_deal()
        return cancelled("TransactionConflict", "ConditionalCheckFailed", "None")(request)

    wire.answers(WRITE, the_other_one_wins)

    with pytest.raises(AlreadyHandled):
        change(deals, "d-1", lambda _: [RECEIVED], cause=CAUSE, actor="a", now=NOW, or_new=True)

    assert [record.sequence for record in deals.history("d-1")] == [1]


# -- sizes


@writers
@pytest.mark.parametrize(
    "answer",
    [
        refused("ValidationException", "Item size has exceeded the maximum allowed size"),
        refused("ValidationException", "Transaction request exceeds the 4MB transaction size limit"),
        cancelled("None", "ValidationError", "None"),
    ],
    ids=["item", "transaction", "item, found in the transaction"],
)
def test_what_the_table_cannot_hold_is_too_large_and_is_not_tried_again(
    wire: Wire, write: Callable[[], None], answer: Answer
) -> None:
    wire.answers(WRITE, answer)

    with pytest.raises(TooLarge):
        write()

    assert len(wire.tokens()) == 1


def test_a_transaction_of_more_than_a_hundred_actions_is_too_large_and_writes_nothing(wire: Wire, client: Any) -> None:
    def commit_rows(count: int) -> None:
        items = [(new_item(pk="DEAL#d-1", sk=f"EVENT#{number:06d}"), NEW) for number in range(count)]
        commit(client, TABLE, CLAIM, items, CAUSE, "deal d-1")

    with pytest.raises(TooLarge):
        commit_rows(100)
    assert rows() == []

    commit_rows(99)
    assert len(rows()) == 99


# -- reads


@pytest.mark.parametrize("served", [0, 1])
def test_what_a_read_puts_off_is_asked_for_again(wire: Wire, deals: DynamoDeals, served: int) -> None:
    save_a_deal()
    wire.asked.clear()
    wire.answers(READ, all_but(served), all_but(0))

    with pytest.raises(AlreadyHandled):
        deals.load("d-1", CAUSE)

    counts = [len(body["RequestItems"][TABLE]["Keys"]) for _, body in wire.asked]
    assert counts == [2, 2 - served, 2 - served]
    assert all(body["RequestItems"][TABLE]["ConsistentRead"] for _, body in wire.asked)


def test_a_read_that_is_put_off_for_ever_is_busy_and_no_unknown_deal(wire: Wire, deals: DynamoDeals) -> None:
    save_a_deal()
    wire.answers(READ, *[all_but(1)] * 50)

    with pytest.raises(TableBusy):
        deals.load("d-1", CAUSE)


@pytest.mark.parametrize(
    "code", ["ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"]
)
def test_a_throttled_read_is_tried_again_and_then_busy(wire: Wire, deals: DynamoDeals, code: str) -> None:
    save_a_deal()
    wire.answers(READ, refused(code))
    assert deals.load("d-1").version == 1

    for operation in (READ, "Query", "GetItem"):
        wire.answers(operation, *[refused(code)] * 50)
    for read in (lambda: deals.load("d-1"), lambda: deals.history("d-1"), lambda: DynamoPolicies(TABLE).lines()):
        with pytest.raises(TableBusy):
            read()


# -- transactions that meet


def race(count: int, act: Callable[[int], object], again: tuple[type[Exception], ...]) -> Counter[str]:
    """How each of so many threads ended; who met one of `again` comes back, as a queue would have it."""
    start = threading.Barrier(count)

    def one(number: int) -> str:
        start.wait()
        while True:
            try:
                act(number)
            except again:
                continue
            except Exception as error:
                return type(error).__name__
            return "done"

    with ThreadPoolExecutor(count) as pool:
        return Counter(pool.map(one, range(count)))


def test_of_thirty_two_transactions_with_one_cause_that_meet_one_has_an_effect(client: Any, deals: DynamoDeals) -> None:
    contention = Contention(client)

    def act(_: int) -> None:
        change(deals, "d-1", lambda _: [RECEIVED], cause=CAUSE, actor="a", now=NOW, or_new=True)

    ends = race(32, act, again=(TableBusy, VersionMoved))

    assert contention.met > 0
    assert ends == {"done": 1, "AlreadyHandled": 31}
    assert [record.sequence for record in deals.history("d-1")] == [1]


def test_transactions_on_one_deal_that_meet_all_take_effect_in_one_chain(client: Any, deals: DynamoDeals) -> None:
    contention = Contention(client)

    def act(number: int) -> None:
        cause = Cause("stripe", f"evt_{number}")
        change(deals, "d-1", lambda _: [RECEIVED], cause=cause, actor="a", now=NOW, or_new=True)

    ends = race(12, act, again=(TableBusy, VersionMoved))

    assert contention.met > 0
    assert ends == {"done": 12}
    assert [record.sequence for record in deals.history("d-1")] == list(range(1, 13))
    assert first_break(deals.history("d-1")) is None


def test_of_many_edits_of_one_policy_that_meet_one_wins(client: Any) -> None:
    policies = DynamoPolicies(TABLE)
    draft_a_policy()
    contention = Contention(client)

    def edit(number: int) -> None:
        cause = Cause("api", f"edit-{number}")
        edit_policy(policies, "p", 1, {"comment": str(number)}, author="person-ann", cause=cause, now=NOW)

    ends = race(8, edit, again=(TableBusy,))

    assert contention.met > 0
    assert ends == {"done": 1, "VersionMoved": 7}
    assert [version.number for version in policies.versions("p")] == [1, 2]
