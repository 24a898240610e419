"""Pitfall 21: the stored policy is not the one that decides, because it was cached or something else took its place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.client
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from dealdesk.adapters.dynamo_policies import DynamoPolicies
from dealdesk.errors import TableBusy
from dealdesk.ports import Cause
from dealdesk.usecases.draft_policy import draft_policy
from dealdesk.usecases.publish_policy import publish_policy
from tests.table import TABLE
from tests.unit.domain.quotes import a_document, a_rule

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def published(policies: DynamoPolicies, number: int, **fields: Any) -> str:
    """The hash of another version of `p`, published by way of this process."""
    executive = a_rule("EXEC", fact="term_months", rows=[{"limit": "60"}], action={"approve": "executive"})
    document = a_document(a_rule(rows=[{"limit": f"{number}.00"}]), executive)
    moment = NOW + number * HOUR
    draft_policy(policies, "p", document, author="person-ann", cause=Cause("api", f"draft-{number}"), now=moment)
    version = publish_policy(
        policies, "p", None, by="person-ben", cause=Cause("api", f"publish-{number}"), now=moment, **fields
    )
    return version.hash


def test_pitfall_21_every_process_decides_by_what_was_published_last_without_a_restart(table_name: str) -> None:
    processes = [DynamoPolicies(TABLE) for _ in range(3)]
    assert {process.current(NOW).policy_id for process in processes} == {"pricing-guardrails"}

    for number in range(1, 5):
        hash_ = published(processes[number % 3], number)
        moment = NOW + number * HOUR

        assert {process.current(moment).hash for process in processes} == {hash_}
        assert {process.binding("p", number, moment).hash for process in processes} == {hash_}


@pytest.mark.parametrize(
    "failure",
    [
        ClientError({"Error": {"Code": "ProvisionedThroughputExceededException", "Message": ""}}, "Query"),
        ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": ""}}, "Query"),
        EndpointConnectionError(endpoint_url="https://dynamodb.test"),
    ],
)
def test_pitfall_21_nothing_decides_in_place_of_a_policy_that_cannot_be_read(
    table_name: str, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    policies = DynamoPolicies(TABLE)
    published(policies, 1)
    policies.current(NOW + HOUR)

    def fail(*_: Any, **__: Any) -> None:
        raise failure

    with monkeypatch.context() as patch:
        patch.setattr(botocore.client.BaseClient, "_make_api_call", fail)

        with pytest.raises(TableBusy):
            policies.current(NOW + HOUR)
        with pytest.raises(TableBusy):
            policies.binding("p", 1, NOW + HOUR)
