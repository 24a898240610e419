"""What stands in the table, read past the desk: how many rows there are, and what the events of deals say."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from local.stack import Stack

EVENTS = "begins_with(pk, :deal) AND begins_with(sk, :event)"
OF_DEALS = {":deal": {"S": "DEAL#"}, ":event": {"S": "EVENT#"}}


def items_of(stack: Stack) -> int:
    """How many rows the table has."""
    return sum(page["Count"] for page in _scan(stack, Select="COUNT"))


def events_of(stack: Stack, deal_id: str) -> list[str]:
    """The types of the deal's events, in order."""
    pages = _pages(
        stack,
        "query",
        KeyConditionExpression="pk = :deal AND begins_with(sk, :event)",
        ExpressionAttributeValues=OF_DEALS | {":deal": {"S": f"DEAL#{deal_id}"}},
    )
    return [item["type"]["S"] for page in pages for item in page["Items"]]


def counts_of_events(stack: Stack) -> dict[str, Counter[str]]:
    """For each deal how many events of each type it has."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for page in _scan(stack, FilterExpression=EVENTS, ExpressionAttributeValues=OF_DEALS):
        for item in page["Items"]:
            found[_deal_of(item)][item["type"]["S"]] += 1
    return found


def posted_numbers(stack: Stack) -> dict[str, str]:
    """The invoice number under which each deal was posted."""
    wanted = {
        "FilterExpression": f"{EVENTS} AND #type = :posted",
        "ExpressionAttributeNames": {"#type": "type"},
        "ExpressionAttributeValues": OF_DEALS | {":posted": {"S": "invoice.posted"}},
    }
    return {
        _deal_of(item): json.loads(item["body"]["S"])["number"]
        for page in _scan(stack, **wanted)
        for item in page["Items"]
    }


def attempts(stack: Stack) -> int:
    """How often a vendor was called for an effect beyond the first time."""
    wanted = {
        "FilterExpression": f"{EVENTS} AND #type = :attempted",
        "ExpressionAttributeNames": {"#type": "type"},
        "ExpressionAttributeValues": OF_DEALS | {":attempted": {"S": "intent.attempted"}},
    }
    rows = [item for page in _scan(stack, **wanted) for item in page["Items"]]
    return sum(json.loads(row["body"]["S"])["attempt"] > 1 for row in rows)


def _deal_of(item: dict[str, Any]) -> str:
    return str(item["pk"]["S"]).removeprefix("DEAL#")


def _scan(stack: Stack, **wanted: Any) -> Iterator[dict[str, Any]]:
    return _pages(stack, "scan", **wanted)


def _pages(stack: Stack, operation: str, **wanted: Any) -> Iterator[dict[str, Any]]:
    paginator = stack.boto("dynamodb").get_paginator(operation)
    pages: Iterator[dict[str, Any]] = paginator.paginate(TableName=stack.table_name, ConsistentRead=True, **wanted)
    return pages
