"""What every implementation of the Policies and PolicyBook ports must hold; here the one on DynamoDB."""

from __future__ import annotations

import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import botocore.client
import pytest

from dealdesk.adapters.dynamo_policies import DynamoPolicies
from dealdesk.domain.chain import first_break
from dealdesk.domain.policy_book import publish
from dealdesk.domain.policy_version import InFlight, PolicyStatus, PolicyVersion, Treatment
from dealdesk.errors import AlreadyHandled, CauseReused, PolicyUnknown, TooLarge, VersionMoved
from dealdesk.ports import Cause
from dealdesk.usecases.draft_policy import draft_policy, edit_policy
from dealdesk.usecases.publish_policy import publish_policy, roll_back_policy
from tests.table import TABLE
from tests.unit.domain.quotes import a_document, a_rule

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
ANN, BEN = "person-ann", "person-ben"
SHIPPED = "pricing-guardrails"


@pytest.fixture
def policies(table_name: str) -> DynamoPolicies:
    return DynamoPolicies(table_name)


def cause(text: str, payload: str | None = None) -> Cause:
    return Cause("api", text, payload)


def content(limit: str = "20.00") -> dict[str, Any]:
    executive = a_rule("EXEC", fact="term_months", rows=[{"limit": "60"}], action={"approve": "executive"})
    return a_document(a_rule(rows=[{"key": [], "limit": limit}]), executive)


def drafted(policies: DynamoPolicies, limit: str = "20.00", policy_id: str = "p", key: str = "draft") -> PolicyVersion:
    return draft_policy(policies, policy_id, content(limit), author=ANN, cause=cause(key), now=NOW)


def put_in_force(policies: DynamoPolicies, policy_id: str = "p", key: str = "publish", **fields: Any) -> PolicyVersion:
    return publish_policy(policies, policy_id, None, by=BEN, cause=cause(key), **({"now": NOW} | fields))


def deciding(policies: DynamoPolicies, now: datetime = NOW) -> tuple[str, int]:
    policy = policies.current(now)
    return policy.policy_id, policy.version


# -- what decides


def test_before_anything_is_published_the_shipped_policy_decides_under_its_own_name(policies: DynamoPolicies) -> None:
    drafted(policies)

    assert deciding(policies) == (SHIPPED, 1)
    assert [version.number for version in policies.versions(SHIPPED)] == [1]
    assert [(line.policy_id, line.published) for line in policies.lines()] == [("p", None), (SHIPPED, 1)]


def test_pitfall_21_what_another_process_published_decides_at_once(policies: DynamoPolicies) -> None:
    elsewhere = DynamoPolicies(TABLE)
    assert deciding(elsewhere) == (SHIPPED, 1)
    drafted(policies)

    version = put_in_force(policies)

    assert deciding(elsewhere) == ("p", 1)
    assert elsewhere.current(NOW).hash == version.hash


def test_pitfall_21_a_stored_policy_that_is_not_what_was_published_does_not_decide(policies: DynamoPolicies) -> None:
    drafted(policies)
    put_in_force(policies)
    client = boto3.client("dynamodb")
    (row,) = [
        item
        for item in client.scan(TableName=TABLE, ConsistentRead=True)["Items"]
        if item["sk"]["S"].startswith("FROM#")
    ]
    row["body"]["S"] = row["body"]["S"].replace("20.00", "90.00")
    client.put_item(TableName=TABLE, Item=row)

    with pytest.raises(ValueError, match="not what was published"):
        policies.current(NOW)


def test_what_decides_is_found_with_one_consistent_read(
    policies: DynamoPolicies, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        drafted(policies, key=f"d{number}")
        put_in_force(policies, key=f"p{number}", now=NOW + number * HOUR)
    calls: list[tuple[str, bool]] = []
    real = botocore.client.BaseClient._make_api_call

    def call(self: Any, name: str, params: dict[str, Any]) -> Any:
        calls.append((name, bool(params.get("ConsistentRead"))))
        return real(self, name, params)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", call)

    assert deciding(policies, NOW + 9 * HOUR) == ("p", 5)
    assert calls == [("Query", True)]


def test_pitfall_23_effective_dates_are_honoured_across_policies(policies: DynamoPolicies) -> None:
    drafted(policies, policy_id="base", key="d1")
    put_in_force(policies, "base", key="p1")
    for number in range(3):
        drafted(policies, policy_id="promo", key=f"d-promo{number}")
        begins = NOW + (1 + number) * HOUR
        put_in_force(policies, "promo", f"p-promo{number}", effective_from=begins, effective_to=NOW + 5 * HOUR)

    found = [deciding(policies, NOW + hours * HOUR) for hours in range(6)]

    assert found == [("base", 1), ("promo", 1), ("promo", 2), ("promo", 3), ("promo", 3), ("base", 1)]


# -- deals in flight

AT_ONCE = InFlight(Treatment.RE_EVALUATE)


def bound(policies: DynamoPolicies, policy_id: str, version: int, now: datetime) -> tuple[str, int]:
    policy = policies.binding(policy_id, version, now)
    return policy.policy_id, policy.version


def test_a_deal_in_flight_follows_the_version_that_decided_it_while_it_is_spared(policies: DynamoPolicies) -> None:
    for number, choice in enumerate((AT_ONCE, None, AT_ONCE)):
        drafted(policies, f"{number + 1}0.00", key=f"d{number}")
        put_in_force(policies, key=f"p{number}", now=NOW + number * 24 * HOUR, in_flight=choice)

    found = [bound(policies, "p", 1, NOW + days * 24 * HOUR) for days in range(3)]

    assert found == [("p", 1), ("p", 1), ("p", 3)]
    assert policies.binding("p", 1, NOW).hash == policies.versions("p")[0].hash
    assert policies.versions("p")[0].in_flight == AT_ONCE


def test_a_deal_of_the_shipped_policy_is_spared_by_the_first_own_one(policies: DynamoPolicies) -> None:
    drafted(policies)
    put_in_force(policies)

    found = [bound(policies, SHIPPED, 1, NOW + days * 24 * HOUR) for days in (0, 30)]

    assert found == [(SHIPPED, 1), ("p", 1)]


def test_a_deal_of_a_version_that_has_ended_follows_the_older_one_that_decides_again(policies: DynamoPolicies) -> None:
    drafted(policies, policy_id="base", key="d1")
    put_in_force(policies, "base", key="p1")
    drafted(policies, policy_id="promo", key="d2")
    put_in_force(policies, "promo", "p2", now=NOW + HOUR, effective_to=NOW + 5 * HOUR)

    assert bound(policies, "promo", 1, NOW + 4 * HOUR) == ("promo", 1)
    assert bound(policies, "promo", 1, NOW + 5 * HOUR) == ("base", 1)


def test_a_version_that_never_decided_binds_nothing(policies: DynamoPolicies) -> None:
    drafted(policies)

    for policy_id, version in (("p", 1), ("nothing", 1), (SHIPPED, 2)):
        with pytest.raises(PolicyUnknown):
            policies.binding(policy_id, version, NOW)


# -- what is kept


def test_what_was_kept_is_read_again_and_a_published_version_never_changes(policies: DynamoPolicies) -> None:
    drafted(policies, "10.00")
    first = put_in_force(policies)
    second = edit_policy(
        policies, "p", 1, {"document": content("15.00")}, author=ANN, cause=cause("edit"), now=NOW + HOUR
    )

    assert policies.versions("p") == [first, second]
    assert deciding(policies, NOW + HOUR) == ("p", 1)


def test_pitfall_22_a_rollback_is_kept_as_a_new_version_and_decides(policies: DynamoPolicies) -> None:
    for number, limit in enumerate(("10.00", "15.00")):
        drafted(policies, limit, key=f"d{number}")
        put_in_force(policies, key=f"p{number}", now=NOW + number * HOUR)

    again = roll_back_policy(policies, "p", 1, by=BEN, cause=cause("back"), now=NOW + 2 * HOUR)

    versions = policies.versions("p")
    assert [version.number for version in versions] == [1, 2, 3]
    assert policies.current(NOW + 2 * HOUR).hash == again.hash
    assert again.content["rules"] == versions[0].content["rules"]


def test_the_first_own_version_of_the_shipped_policy_is_number_two(policies: DynamoPolicies) -> None:
    version = edit_policy(policies, SHIPPED, 1, {"comment": "ours"}, author=ANN, cause=cause("edit"), now=NOW)
    put_in_force(policies, SHIPPED)

    assert version.number == 2
    assert deciding(policies) == (SHIPPED, 2)


def test_a_policy_that_nobody_knows_is_said_to_be_unknown(policies: DynamoPolicies) -> None:
    assert policies.versions("p") == []
    with pytest.raises(PolicyUnknown):
        put_in_force(policies)


def test_a_cause_has_one_effect_and_names_the_version_that_it_made(policies: DynamoPolicies) -> None:
    drafted(policies)

    with pytest.raises(AlreadyHandled) as replay:
        drafted(policies)

    assert (replay.value.deal_id, replay.value.version) == ("p", 1)
    assert len(policies.versions("p")) == 1


def test_the_same_key_with_another_payload_is_refused(policies: DynamoPolicies) -> None:
    draft_policy(policies, "p", content(), author=ANN, cause=cause("k", "one"), now=NOW)

    with pytest.raises(CauseReused):
        draft_policy(policies, "q", content(), author=ANN, cause=cause("k", "two"), now=NOW)


def test_a_policy_past_the_item_limit_is_refused_before_anything_is_written(policies: DynamoPolicies) -> None:
    huge = content() | {"name": "x" * 410_000}

    with pytest.raises(TooLarge, match="at most 409,600"):
        draft_policy(policies, "p", huge, author=ANN, cause=cause("k"), now=NOW)

    assert policies.versions("p", cause("k")) == []


# -- what is recorded


def test_every_change_is_recorded_in_its_own_transaction_and_the_chain_has_no_hole(policies: DynamoPolicies) -> None:
    drafted(policies)
    edit_policy(policies, "p", 1, {"comment": "stricter"}, author=ANN, cause=cause("edit"), now=NOW)
    put_in_force(policies, in_flight=AT_ONCE)
    roll_back_policy(policies, "p", 2, by="person-cleo", cause=cause("back"), now=NOW + HOUR)

    records = policies.history("p")

    assert [(record.type, record.actor, record.cause) for record in records] == [
        ("policy.drafted", ANN, "api:draft"),
        ("policy.drafted", ANN, "api:edit"),
        ("policy.published", BEN, "api:publish"),
        ("policy.published", "person-cleo", "api:back"),
    ]
    assert [record.id for record in records] == [f"policy:p:{number:06d}" for number in (1, 2, 3, 4)]
    assert first_break(records) is None


def test_what_is_recorded_of_a_publishing_names_the_versions_and_the_choices(policies: DynamoPolicies) -> None:
    drafted(policies)
    put_in_force(policies, key="p1")
    drafted(policies, "15.00", key="d2")
    version = put_in_force(
        policies, key="p2", comment="tighter", effective_from=NOW + HOUR, effective_to=NOW + 9 * HOUR, in_flight=AT_ONCE
    )

    data = json.loads(policies.history("p")[-1].data)

    assert data == {
        "policy_id": "p",
        "policy_version": 2,
        "name": "Test policy",
        "hash": version.hash,
        "by": BEN,
        "authors": [ANN],
        "comment": "tighter",
        "parent_version": 1,
        "previous_version": 1,
        "effective_from": "2026-11-22T21:00:00Z",
        "effective_to": "2026-11-23T05:00:00Z",
        "in_flight": {"mode": "re_evaluate", "until": None},
    }


def test_what_is_refused_leaves_no_trail(policies: DynamoPolicies) -> None:
    version = drafted(policies)

    with pytest.raises(VersionMoved):
        policies.keep(version, seen=0, cause=cause("again"), now=NOW)
    with pytest.raises(AlreadyHandled):
        drafted(policies)

    assert [record.sequence for record in policies.history("p")] == [1]
    assert policies.history(SHIPPED) == []


# -- races


def race(count: int, act: Any) -> Counter[str]:
    start = threading.Barrier(count)

    def one(number: int) -> str:
        start.wait()
        try:
            act(number)
        except Exception as error:
            return type(error).__name__
        return "done"

    with ThreadPoolExecutor(count) as pool:
        return Counter(pool.map(one, range(count)))


def test_of_many_publishers_at_once_one_wins(policies: DynamoPolicies) -> None:
    drafted(policies)

    ends = race(
        12,
        lambda n: publish_policy(policies, "p", 1, by=f"person-{n}", cause=cause(f"publish-{n}"), now=NOW),
    )

    (version,) = policies.versions("p")
    assert ends["done"] == 1
    assert ends["VersionMoved"] + ends["Conflict"] == 11
    assert version.status is PolicyStatus.PUBLISHED
    assert policies.in_force(NOW) == version


def test_of_many_editors_at_once_one_wins_and_no_number_is_skipped(policies: DynamoPolicies) -> None:
    drafted(policies)

    ends = race(
        12,
        lambda n: edit_policy(policies, "p", 1, {"comment": str(n)}, author=ANN, cause=cause(f"edit-{n}"), now=NOW),
    )

    assert ends == {"done": 1, "VersionMoved": 11}
    assert [version.number for version in policies.versions("p")] == [1, 2]
    assert first_break(policies.history("p")) is None


def test_of_an_edit_and_a_publishing_of_the_same_version_one_comes_first(policies: DynamoPolicies) -> None:
    for round_ in range(6):
        policy_id = f"p{round_}"
        drafted(policies, policy_id=policy_id, key=f"d{round_}")

        def act(number: int, policy_id: str = policy_id) -> None:
            if number:
                put_in_force(policies, policy_id, f"publish-{policy_id}")
            else:
                edit_policy(
                    policies, policy_id, 1, {"comment": "x"}, author=ANN, cause=cause(f"e-{policy_id}"), now=NOW
                )

        race(2, act)

        line = next(line for line in policies.lines() if line.policy_id == policy_id)
        versions = policies.versions(policy_id)
        published = [version.number for version in versions if version.status is PolicyStatus.PUBLISHED]
        assert line.newest == versions[-1].number == len(versions)
        assert line.published == (published[-1] if published else None)


def test_one_cause_from_many_threads_has_one_effect(policies: DynamoPolicies) -> None:
    ends = race(12, lambda _: drafted(policies))

    assert ends == {"done": 1, "AlreadyHandled": 11}


def test_a_publisher_who_read_the_draft_before_somebody_published_it_comes_too_late(policies: DynamoPolicies) -> None:
    read = [drafted(policies)]
    first = put_in_force(policies)

    late = publish(read, 1, by="person-cleo", now=NOW + HOUR)
    with pytest.raises(VersionMoved):
        policies.keep(late, seen=1, cause=cause("late"), now=NOW + HOUR)

    assert policies.versions("p") == [first]


def test_a_version_that_follows_another_than_the_newest_is_refused(policies: DynamoPolicies) -> None:
    version = drafted(policies)

    with pytest.raises(VersionMoved):
        policies.keep(version, seen=0, cause=cause("again"), now=NOW)
