"""template.yaml holds for every function what the function needs, and nothing that no function has."""

from __future__ import annotations

import ast
import re
from typing import Any

import pytest

from dealdesk.usecases.carry_out import LEASE
from local.build import FUNCTION, read_template
from local.schemas import EVENT_TYPES
from tests.architecture.sources import FUNCTIONS, ROOT, function_modules

TEMPLATE = read_template(ROOT / "template.yaml")
RESOURCES: dict[str, dict[str, Any]] = TEMPLATE["Resources"]
RESOURCE_OF = {
    resource["Properties"]["CodeUri"].removeprefix("functions/"): resource["Properties"]
    for resource in RESOURCES.values()
    if resource["Type"] == FUNCTION
}
QUEUE_OF = {
    name: event["Properties"]["Queue"]["Fn::GetAtt"][0]
    for name, properties in RESOURCE_OF.items()
    for event in properties.get("Events", {}).values()
    if event["Type"] == "SQS"
}
REACTIONS = sorted(name for name, queue in QUEUE_OF.items() if queue != "ParkedQueue")


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    return {name: r["Properties"] for name, r in RESOURCES.items() if r["Type"] == kind}


def arn(name: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [name, "Arn"]}


def test_every_folder_is_a_function_of_the_template_and_the_other_way_round() -> None:
    assert sorted(RESOURCE_OF) == FUNCTIONS


@pytest.mark.parametrize("function", sorted(QUEUE_OF))
def test_a_queue_outlives_its_function_and_buries_what_fails(function: str) -> None:
    queue = RESOURCES[QUEUE_OF[function]]["Properties"]
    dead_letters = queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
    timeout = RESOURCE_OF[function].get("Timeout", TEMPLATE["Globals"]["Function"]["Timeout"])

    assert queue["VisibilityTimeout"] > timeout
    assert RESOURCES[dead_letters]["Type"] == "AWS::SQS::Queue"
    assert RESOURCES[dead_letters]["Properties"]["MessageRetentionPeriod"] == 1_209_600
    alarms = of_type("AWS::CloudWatch::Alarm").values()
    assert [a for a in alarms if a["Dimensions"][0]["Value"] == {"Fn::GetAtt": [dead_letters, "QueueName"]}]


@pytest.mark.parametrize("function", sorted(QUEUE_OF))
def test_a_function_reports_which_messages_of_a_batch_failed_and_may_delay_them(function: str) -> None:
    (event,) = RESOURCE_OF[function]["Events"].values()
    statements = [s for policy in RESOURCE_OF[function]["Policies"] for s in policy["Statement"]]

    assert event["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert {
        "Effect": "Allow",
        "Action": ["sqs:ChangeMessageVisibility"],
        "Resource": arn(QUEUE_OF[function]),
    } in statements


@pytest.mark.parametrize("function", REACTIONS)
def test_a_reaction_has_a_rule_that_may_fill_its_queue(function: str) -> None:
    queue = QUEUE_OF[function]
    rules = {
        name: rule
        for name, rule in of_type("AWS::Events::Rule").items()
        if [target["Arn"] for target in rule["Targets"]] == [arn(queue)]
    }
    policies = [p for p in of_type("AWS::SQS::QueuePolicy").values() if p["Queues"] == [{"Ref": queue}]]

    assert len(rules) == 1
    assert len(policies) == 1
    (statement,) = policies[0]["PolicyDocument"]["Statement"]
    assert statement["Action"] == "sqs:SendMessage"
    assert statement["Resource"] == arn(queue)
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": arn(*rules)}}


@pytest.mark.parametrize("rule", sorted(of_type("AWS::Events::Rule")))
def test_a_rule_listens_for_events_that_exist(rule: str) -> None:
    pattern = of_type("AWS::Events::Rule")[rule]["EventPattern"]

    assert pattern["source"] == ["dealdesk"]
    assert set(pattern["detail-type"]) <= set(EVENT_TYPES)


def test_every_route_has_an_api_event_and_every_api_event_a_route() -> None:
    events = RESOURCE_OF["rest"]["Events"].values()

    offered = {(event["Properties"]["Method"], event["Properties"]["Path"]) for event in events}

    assert offered == routes()


def routes() -> set[tuple[str, str]]:
    """What `functions/rest` answers: `@app.get("…")`, `@router.get("…")`, and the page of `enable_swagger`."""
    found: set[tuple[str, str]] = set()
    for node in (node for file in function_modules("rest").values() for node in ast.walk(ast.parse(file.read_text()))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if not (isinstance(node.func.value, ast.Name) and node.func.value.id in ("app", "router")):
            continue
        if node.func.attr in ("get", "post", "put", "patch", "delete") and node.args:
            found.add((node.func.attr, _path(node.args[0])))
        if node.func.attr == "enable_swagger":
            found.update(("get", _path(keyword.value)) for keyword in node.keywords if keyword.arg == "path")
    return found


def _path(node: ast.expr) -> str:
    assert isinstance(node, ast.Constant)
    return re.sub(r"<(\w+)>", r"{\1}", str(node.value))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_is_given_every_setting_that_it_needs(function: str) -> None:
    variables = set(TEMPLATE["Globals"]["Function"]["Environment"]["Variables"])
    variables |= set(RESOURCE_OF[function].get("Environment", {}).get("Variables", {}))
    needed = settings_of(function) | ({"QUEUE_URL", "RETRY_BASE_SECONDS"} if function in QUEUE_OF else set())

    assert needed - variables == set()


def settings_of(function: str) -> set[str]:
    """The fields without a default of the classes named Settings in the function's folder, as variables."""
    return {
        field.target.id.upper()
        for file in function_modules(function).values()
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ClassDef) and node.name == "Settings"
        for field in node.body
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and field.value is None
    }


def test_a_lease_outlives_every_function_that_calls_a_vendor() -> None:
    timeouts = [RESOURCE_OF[name]["Timeout"] for name in REACTIONS]

    assert timeouts
    assert LEASE.total_seconds() > max(timeouts)
