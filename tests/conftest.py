"""What tests of several folders share."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import hypothesis
import pytest

from local import aws
from local.processes import spawn, stop
from tests.table import ROOT, TABLE, make_table

# How long an example takes says something about the machine, nothing about the desk.
# The same examples in every run, so that a red run is a change's doing; HYPOTHESIS_PROFILE=explore looks for new ones,
# and `make check` is quick by trying fewer.
hypothesis.settings.register_profile("desk", deadline=None, derandomize=True)
hypothesis.settings.register_profile("quick", deadline=None, derandomize=True, max_examples=30)
hypothesis.settings.register_profile("explore", deadline=None, max_examples=1_000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "desk"))


@pytest.fixture(scope="session")
def dynamodb_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """DynamoDB that many threads may use at once, in a process of its own (docs/guides/dynamodb.md).

    MiniStack; DEALDESK_DYNAMODB names another one: `moto`, dynoxide by the path of its program, or any by its URL.
    """
    chosen = os.environ.get("DEALDESK_DYNAMODB", "ministack")
    if chosen.startswith("http"):
        yield chosen
        return
    folder: Path = tmp_path_factory.mktemp("dynamodb")
    port = aws.free_port()
    url = health = f"http://127.0.0.1:{port}"
    if chosen == "ministack":
        process = aws.start_ministack(port, folder=folder, log=folder / "log", enforce_iam=False)
        health = f"{url}/_ministack/health"
    else:
        program = [sys.executable, "-m", "tests.moto_server"] if chosen == "moto" else [chosen, "--port"]
        process = spawn([*program, str(port)], log=folder / "log", env=aws.clean_environment(), cwd=ROOT)
    try:
        aws.wait_for(chosen, lambda: aws.answers(health), process, wait_seconds=30)
        yield url
    finally:
        stop([process])


@pytest.fixture
def table_name(dynamodb_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A fresh table; every client made during the test finds it."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_REGION", aws.REGION)
    monkeypatch.setenv("AWS_DEFAULT_REGION", aws.REGION)
    monkeypatch.setenv("AWS_ENDPOINT_URL", dynamodb_url)
    make_table()
    yield TABLE
    boto3.client("dynamodb").delete_table(TableName=TABLE)
