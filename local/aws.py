"""AWS on one machine: MiniStack as it is on PyPI, the stack made from template.yaml, its secrets."""

import io
import json
import os
import socket
import sys
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

from local.build import FUNCTION, Template, mounted
from local.processes import Process, is_alive, spawn

REGION = "us-east-1"
STAGE = "local"
STACK_NAME = "dealdesk-local"
API_ID = "dealdesk"
BUCKET = "dealdesk-packages"
SECRET_PREFIX = f"dealdesk/{STAGE}"


class AwsFailed(Exception):
    """The local AWS did not do what it was asked; says what, in one line."""


def free_port() -> int:
    """A port on loopback that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def api_url(port: int) -> str:
    """Where the stack's API will answer; known beforehand because its id is ours."""
    return f"http://127.0.0.1:{port}/_aws/execute-api/{API_ID}/{STAGE}"


def clean_environment() -> dict[str, str]:
    """The environment for what we start: no account, endpoint, proxy or import path of the developer's."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "PYTHON", "MINISTACK_", "LAMBDA_")) and not name.lower().endswith("_proxy")
    }


def start_ministack(port: int, *, folder: Path, log: Path, enforce_iam: bool, state: Path | None = None) -> Process:
    """Start MiniStack on loopback alone; its workers unpack into `folder`, which the caller removes.

    With `enforce_iam` each function may do only what its role allows, and callers need the key id `test`. In `state`
    it leaves what it knows when it is ended politely, and finds it again when it is started next.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept = {"PERSIST_STATE": "1", "STATE_DIR": str(state)} if state else {}
    environment = clean_environment() | {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_REGION": REGION,
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "AUTH": str(enforce_iam).lower(),
        "TMPDIR": str(folder),
        **kept,
    }
    return spawn([sys.executable, "-m", "ministack"], log=log, env=environment, cwd=folder)


def wait_for(what: str, ready: Callable[[], bool], process: Process, *, wait_seconds: float) -> None:
    """Return when `ready()`; raise AwsFailed when the process ends before that or the time runs out."""
    deadline = time.monotonic() + wait_seconds
    while not ready():
        if not is_alive(process):
            raise AwsFailed(f"{what} ended before being ready")
        if time.monotonic() > deadline:
            raise AwsFailed(f"{what} was not ready after {wait_seconds:.0f} s")
        time.sleep(0.03)


def answers(url: str) -> bool:
    """Whether a GET of `url` gives 200."""
    try:
        with urlopen(url, timeout=5) as answer:
            return int(answer.status) == 200
    except (URLError, OSError):
        return False


def client(service: str, endpoint_url: str) -> Any:
    """A client of the local AWS."""
    session = botocore.session.Session()
    session.set_credentials("test", "test")
    config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, read_timeout=60, proxies={})
    return session.create_client(service, REGION, endpoint_url=endpoint_url, config=config)


def store_secrets(endpoint_url: str, secrets: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Put each secret into Secrets Manager; the answer maps the vendor to the secret's name."""
    manager = client("secretsmanager", endpoint_url)
    names = {vendor: f"{SECRET_PREFIX}/{vendor}" for vendor in secrets}
    for vendor, secret in secrets.items():
        manager.create_secret(Name=names[vendor], SecretString=json.dumps(secret))
    return names


def create_stack(
    endpoint_url: str, template: Template, folders: dict[str, Path], parameters: dict[str, str]
) -> dict[str, str]:
    """Create the stack and give its outputs; raises AwsFailed with the first reason."""
    s3 = client("s3", endpoint_url)
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="placeholder.zip", Body=_empty_zip())
    body = json.dumps(mounted(template, folders, {"Bucket": BUCKET, "Key": "placeholder.zip"}))
    s3.put_object(Bucket=BUCKET, Key="template.json", Body=body.encode())
    formation = client("cloudformation", endpoint_url)
    try:
        formation.create_stack(
            StackName=STACK_NAME,
            TemplateURL=f"{endpoint_url}/{BUCKET}/template.json",
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
            Tags=[{"Key": "ms-custom-id", "Value": API_ID}],  # MiniStack gives the API this id
        )
    except ClientError as error:
        raise AwsFailed(f"template.yaml was refused: {error.response['Error']['Message']}") from error
    stack = _finished(formation)
    if stack["StackStatus"] != "CREATE_COMPLETE":
        raise AwsFailed(f"the stack was not created: {_first_failure(formation, stack)}")
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def warm_up(endpoint_url: str, template: Template, token: str) -> None:
    """Start a worker of every function, side by side; raises AwsFailed for one that cannot be imported."""
    formation, functions = client("cloudformation", endpoint_url), client("lambda", endpoint_url)
    listed = formation.describe_stack_resources(StackName=STACK_NAME)["StackResources"]
    names = {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in listed}

    def knock(item: tuple[str, dict[str, Any]]) -> str | None:
        logical, event = item
        answer = functions.invoke(FunctionName=names[logical], Payload=json.dumps(event))
        reply = json.loads(answer["Payload"].read() or b"null")
        return f"{logical}: {reply.get('errorMessage')}" if answer.get("FunctionError") else None

    with ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as pool:
        failures = [failure for failure in pool.map(knock, _first_calls(template, token).items()) if failure]
    if failures:
        raise AwsFailed("; ".join(failures))


def _first_calls(template: Template, token: str) -> dict[str, dict[str, Any]]:
    """For each function a harmless event of its trigger: no records, a request without proof, a token.

    What runs on a schedule does its work at any event, so it waits for its first tick.
    """
    functions = {
        name: resource["Properties"].get("Events", {})
        for name, resource in template["Resources"].items()
        if resource["Type"] == FUNCTION
    }
    return {
        name: _first_call(events, token)
        for name, events in functions.items()
        if all(event["Type"] != "Schedule" for event in events.values())
    }


def _first_call(events: dict[str, Any], token: str) -> dict[str, Any]:
    if not events:
        arn = f"arn:aws:execute-api:{REGION}:000000000000:{API_ID}/{STAGE}/GET/liveness"
        return {"type": "TOKEN", "authorizationToken": f"Bearer {token}", "methodArn": arn}
    routes = [event["Properties"] for event in events.values() if event["Type"] == "Api"]
    if not routes:
        return {"Records": []}
    route = next((route for route in routes if route["Path"] == "/liveness"), routes[0])
    return {
        "resource": route["Path"],
        "path": route["Path"],
        "httpMethod": route["Method"].upper(),
        "headers": {},
        "multiValueHeaders": {},
        "queryStringParameters": None,
        "pathParameters": None,
        "requestContext": {"stage": STAGE, "requestId": "warm-up", "identity": {"sourceIp": "127.0.0.1"}},
        "body": None,
        "isBase64Encoded": False,
    }


def _empty_zip() -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as empty:
        empty.writestr("README", "The code is imported from .local/build.")
    return archive.getvalue()


def _finished(formation: Any) -> dict[str, Any]:
    while True:
        stack: dict[str, Any] = formation.describe_stacks(StackName=STACK_NAME)["Stacks"][0]
        if not stack["StackStatus"].endswith("_IN_PROGRESS"):
            return stack
        time.sleep(0.05)


def _first_failure(formation: Any, stack: dict[str, Any]) -> str:
    events = formation.describe_stack_events(StackName=STACK_NAME)["StackEvents"]
    for event in reversed(events):
        if event["ResourceStatus"].endswith("FAILED"):
            return f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason')}"
    return str(stack.get("StackStatusReason", stack["StackStatus"]))
