"""Where the desk runs: what CloudFormation says about its stack, in an account or on this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from botocore.exceptions import ClientError

from dealdesk.adapters.dynamo_deals import DynamoDeals
from dealdesk.edge import aws


class NotPossible(Exception):
    """What was asked cannot be done; says in one line what would be right."""


@dataclass(frozen=True, slots=True)
class Installation:
    """`resources` are the stack's, by the names that template.yaml gives them."""

    table_name: str
    bus_name: str
    silent_after_seconds: int
    resources: Mapping[str, str] = field(default_factory=dict)

    def resource(self, name: str) -> str:
        """Raises `NotPossible` for one that the stack does not have."""
        if name not in self.resources:
            raise NotPossible(f"the stack has no {name}; was it deployed from another version of template.yaml?")
        return self.resources[name]

    @property
    def deals(self) -> DynamoDeals:
        return DynamoDeals(self.table_name, self.silent_after_seconds)


def of_stack(name: str) -> Installation:
    """The stack of this name in the account and region of the environment. Raises `NotPossible`."""
    formation = aws.client("cloudformation")
    try:
        stack = formation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        region = formation.meta.region_name
        raise NotPossible(
            f"there is no stack {name} in {region}; name yours by --stack, its account and region by AWS_PROFILE and "
            "AWS_REGION, or say --local"
        ) from error
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    parameters = {given["ParameterKey"]: given["ParameterValue"] for given in stack.get("Parameters", [])}
    if not {"TableName", "EventBusName"} <= outputs.keys() or "SilentAfterSeconds" not in parameters:
        raise NotPossible(f"{name} is no stack of the desk's template.yaml; name yours by --stack")
    # Not DescribeStackResources, which ends after a hundred.
    pages = formation.get_paginator("list_stack_resources").paginate(StackName=name)
    resources = {
        resource["LogicalResourceId"]: resource.get("PhysicalResourceId", "")
        for page in pages
        for resource in page["StackResourceSummaries"]
    }
    return Installation(outputs["TableName"], outputs["EventBusName"], int(parameters["SilentAfterSeconds"]), resources)


def on_this_machine() -> Installation:
    """The system that `make up` started; every AWS client of this process is pointed at it. Raises `NotPossible`."""
    from local import aws as local_aws  # nobody who works on a real account needs what runs the local one
    from local import stack

    running = stack.find()
    if running is None:
        raise NotPossible("nothing is running on this machine; start it with `make up`")
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        os.environ.pop(name, None)
    os.environ.update(
        AWS_ENDPOINT_URL=running.aws_endpoint_url,
        AWS_REGION=running.aws_region,
        AWS_DEFAULT_REGION=running.aws_region,
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
    )
    aws.clients.clear()
    return of_stack(local_aws.STACK_NAME)
