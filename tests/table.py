"""The table of template.yaml, made wherever boto3 points."""

from __future__ import annotations

from pathlib import Path

import boto3

from local.build import read_template

ROOT = Path(__file__).resolve().parents[1]
TABLE = "dealdesk-test"


def make_table(endpoint_url: str | None = None) -> None:
    wanted = read_template(ROOT / "template.yaml")["Resources"]["Table"]["Properties"]
    shape = {key: wanted[key] for key in ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")}
    client = boto3.client("dynamodb", endpoint_url=endpoint_url)
    client.create_table(TableName=TABLE, BillingMode="PAY_PER_REQUEST", **shape)
