"""The table of template.yaml, made wherever boto3 points."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import boto3

from local.build import read_template

ROOT = Path(__file__).resolve().parents[1]
TABLE = "dealdesk-test"


@cache
def shape_of_table() -> dict[str, Any]:
    """What CreateTable wants to know, without the stream."""
    wanted = read_template(ROOT / "template.yaml")["Resources"]["Table"]["Properties"]
    return {key: wanted[key] for key in ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")}


def make_table(endpoint_url: str | None = None) -> None:
    client = boto3.client("dynamodb", endpoint_url=endpoint_url)
    client.create_table(TableName=TABLE, BillingMode="PAY_PER_REQUEST", **shape_of_table())
