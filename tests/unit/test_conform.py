"""What `make conform` complains of: the check of the requests is checked too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conform import findings
from tests.conform.findings import Allowed, Finding, of_steady, unexplained, without_a_file
from tests.conform.recorder import Sent
from tests.conform.strict import strict_copy

SENT = Sent("stripe", "POST", "/v1/refunds?expand=charge", (), "amount=1")
FINDING = Finding("stripe", "POST /v1/refunds", "E3009", "body", "Unknown property: amout")
ALLOWED = Allowed("stripe", "POST /v1/refunds", "E3009", "body", "newer than the file")


def test_a_finding_that_nothing_allows_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings, "ALLOWED", ())

    assert unexplained([FINDING, FINDING]) == ["stripe: POST /v1/refunds: body Unknown property: amout (E3009)"]


def test_an_allowed_finding_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings, "ALLOWED", (ALLOWED,))

    assert unexplained([FINDING]) == []


def test_an_allowance_that_allows_nothing_any_more_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings, "ALLOWED", (ALLOWED,))

    assert unexplained([]) == ["stripe: POST /v1/refunds body: no longer needed in ALLOWED (newer than the file)"]


def test_every_note_of_steady_is_a_finding_at_the_path_of_the_file() -> None:
    headers = {
        "x-steady-error-count": "1",
        "x-steady-matched-path": "/v1/refunds",
        "x-steady-error-1-code": "E3015",
        "x-steady-error-1-path": "query.expand",
        "x-steady-error-1-message": "not defined",
    }

    assert list(of_steady(SENT, headers)) == [
        Finding("stripe", "POST /v1/refunds", "E3015", "query.expand", "not defined")
    ]


def test_a_request_that_no_file_describes_is_a_finding() -> None:
    elsewhere = Sent("stripe", "GET", "/v3/files?limit=1", (), "")

    assert [(one.request, one.code) for one in without_a_file([SENT, elsewhere])] == [("GET /v3/files", "no file")]


def test_a_strict_copy_closes_objects_but_not_the_parts_of_a_whole(tmp_path: Path) -> None:
    schemas = {
        "closed": {"type": "object", "properties": {"type": {"type": "string"}}},
        "part": {"type": "object", "properties": {"a": {"type": "string"}}},
        "whole": {"allOf": [{"$ref": "#/components/schemas/part"}, {"type": "object", "properties": {"b": {}}}]},
        "map": {"type": "object", "properties": {"c": {}}, "additionalProperties": {"type": "string"}},
    }
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps({"components": {"schemas": schemas}}))

    copied = json.loads(strict_copy(spec, tmp_path / "strict.json").read_text())["components"]["schemas"]

    assert copied["closed"].pop("additionalProperties") is False
    assert copied == schemas | {"closed": schemas["closed"]}
