"""A stack of template.yaml without its functions, in which an operator can be let loose."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dealdesk.adapters.rows import bound_to
from dealdesk.edge import aws
from local import aws as local_aws
from local.build import read_template
from operate import __main__ as operate
from operate.installation import Installation, of_stack
from tests.journeys.world import World
from tests.table import ROOT, TABLE

STACK = "dealdesk-operated"
KINDS = {"AWS::SQS::Queue", "AWS::Events::EventBus", "AWS::Events::Rule", "AWS::DynamoDB::Table"}
OUTPUTS = ("TableName", "EventBusName")

Operate = Callable[..., int]


@pytest.fixture(scope="session")
def stack_url(dynamodb_url: str) -> str:
    template = read_template(ROOT / "template.yaml")
    resources = {name: resource for name, resource in template["Resources"].items() if resource["Type"] in KINDS}
    outputs = {name: template["Outputs"][name] for name in OUTPUTS}
    body = {"Parameters": template["Parameters"], "Resources": resources, "Outputs": outputs}
    formation = local_aws.client("cloudformation", dynamodb_url)
    parameters = [{"ParameterKey": "Stage", "ParameterValue": "operated"}]
    formation.create_stack(StackName=STACK, TemplateBody=json.dumps(body), Parameters=parameters)
    formation.get_waiter("stack_create_complete").wait(StackName=STACK, WaiterConfig={"Delay": 1})
    return dynamodb_url


@pytest.fixture
def fresh_clients(table_name: str) -> Iterator[None]:
    assert table_name
    aws.clients.clear()
    yield
    aws.clients.clear()
    bound_to.cache_clear()


@pytest.fixture
def at(stack_url: str, fresh_clients: None) -> Iterator[Installation]:
    """The stack, with empty queues and an empty table."""
    found = of_stack(STACK)
    yield found
    for name, url in found.resources.items():
        if name.endswith(("Queue", "DeadLetters")):
            aws.client("sqs").purge_queue(QueueUrl=url)
    empty(found.table_name)


@pytest.fixture
def operator(at: Installation) -> Operate:
    """Runs a command on the stack as from a shell; the exit code."""
    return lambda *words: operate.main(["--stack", STACK, *words])


@pytest.fixture
def world(table_name: str) -> Iterator[World]:
    assert table_name
    aws.clients.clear()
    with World() as fresh:
        yield fresh


@pytest.fixture
def in_the_world(world: World, monkeypatch: pytest.MonkeyPatch) -> Operate:
    """Runs a command on the world; the exit code."""
    monkeypatch.setattr(operate, "of_stack", lambda _name: Installation(TABLE, "bus", 1200, RESOURCES))
    return lambda *words: operate.main(list(words))


RESOURCES = {f"{name}Function": name for name in ("RequestSignature", "RequestPayment", "PostInvoice")}


def rows(table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = aws.client("dynamodb").scan(TableName=table, ConsistentRead=True)["Items"]
    return found


def empty(table: str) -> None:
    for row in rows(table):
        aws.client("dynamodb").delete_item(TableName=table, Key={name: row[name] for name in ("pk", "sk")})
