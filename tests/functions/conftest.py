"""One desk for each module of these tests: they tell their deals apart by id, so none needs a table of its own."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from dealdesk.edge import telemetry
from local import aws
from tests.journeys.world import World
from tests.table import TABLE, make_table


@pytest.fixture(scope="module")
def desk(dynamodb_url: str) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
            patch.setenv(name, aws.REGION)
        patch.setenv("AWS_ENDPOINT_URL", dynamodb_url)
        make_table()
        with World() as world:
            yield world
        boto3.client("dynamodb").delete_table(TableName=TABLE)


class Said:
    """What the desk has written to its standard output since the last look."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._capsys.readouterr().out.splitlines() if line]


class _Stdout:
    """Standard output as it is at the moment of writing; a logger keeps the one that it found when it was made."""

    def write(self, text: str) -> None:
        sys.stdout.write(text)

    def flush(self) -> None:
        sys.stdout.flush()


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Said:
    for handler in logging.getLogger(telemetry.logger.name).handlers:
        monkeypatch.setattr(handler, "stream", _Stdout())
    return Said(capsys)
