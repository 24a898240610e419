"""Consistent reads of the table, one row or the rows of a partition, with every failure of the table translated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from dealdesk.adapters.claims import ATTEMPTS, Item, busy, claim_key, key_of, pause, replay
from dealdesk.errors import TableBusy
from dealdesk.ports import Cause


def row(dynamodb: Any, table: str, pk: str, sk: str) -> Item | None:
    """Raises `TableBusy`."""
    try:
        answer = dynamodb.get_item(TableName=table, Key=key_of(pk, sk), ConsistentRead=True)
    except (ClientError, BotoCoreError) as error:
        raise busy(error) from error
    found: Item | None = answer.get("Item")
    return found


def together(dynamodb: Any, table: str, keys: Sequence[Item], subject: str) -> list[Item]:
    """The rows with these keys, at most a hundred, as far as there are any; what the table puts off is asked for again.

    Raises `TableBusy`.
    """
    wanted: dict[str, Any] | None = {table: {"Keys": list(keys), "ConsistentRead": True}}
    found: list[Item] = []
    for attempt in range(ATTEMPTS):
        try:
            answer = dynamodb.batch_get_item(RequestItems=wanted)
        except (ClientError, BotoCoreError) as error:
            raise busy(error) from error
        found += answer["Responses"].get(table, [])
        wanted = answer.get("UnprocessedKeys")
        if not wanted:
            return found
        pause(attempt)
    raise TableBusy(f"the table kept putting off the read of {subject}; try again")


def rows(dynamodb: Any, table: str, pk: str, first: str, last: str, *, newest_first: bool = False) -> Iterator[Item]:
    """The rows of a partition from `first` to `last`, two a page where the newest is wanted. Raises `TableBusy`."""
    query: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": "pk = :pk AND sk BETWEEN :first AND :last",
        "ExpressionAttributeValues": {":pk": {"S": pk}, ":first": {"S": first}, ":last": {"S": last}},
        "ConsistentRead": True,
        "ScanIndexForward": not newest_first,
    }
    if newest_first:
        query["Limit"] = 2
    try:
        for page in dynamodb.get_paginator("query").paginate(**query):
            yield from page["Items"]
    except (ClientError, BotoCoreError) as error:
        raise busy(error) from error


def refuse_seen(dynamodb: Any, table: str, cause: Cause | None) -> None:
    """Raises `AlreadyHandled` or `CauseReused` for a cause that has made its change."""
    if cause is not None and (claim := row(dynamodb, table, *claim_key(cause))):
        raise replay(claim, cause)
