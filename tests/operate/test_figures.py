"""The figures are held against the events, and counted anew where they differ."""

from __future__ import annotations

from typing import Any

import pytest

from dealdesk.adapters import codec
from dealdesk.adapters.dynamo_figures import numbers_in, sum_row
from dealdesk.edge import aws
from dealdesk.errors import VersionMoved
from operate import figures
from operate.installation import Installation
from tests.operate.conftest import Operate, rows
from tests.operate.test_snapshots import DEAL, NOW, a_deal

Captured = pytest.CaptureFixture[str]
WELL = "the figures are what the events say\n"


@pytest.fixture
def counted(at: Installation) -> Installation:
    """Two deals whose figures are right."""
    for deal_id in (DEAL, "sf-other"):
        a_deal(at, deal_id)
        figures.count_anew(at, deal_id, NOW)
    return at


def sum_rows(at: Installation) -> list[Any]:
    return [row for row in rows(at.table_name) if row["pk"]["S"].startswith("FIGURES#")]


def numbers(at: Installation) -> list[dict[str, int]]:
    return sorted((numbers_in(row) for row in sum_rows(at)), key=str)


def spoilt_by(row: Any, **numbers: int) -> Any:
    return row | {"body": {"S": codec.dump({name: {"": number} for name, number in numbers.items()})}}


def put(at: Installation, row: Any) -> None:
    aws.client("dynamodb").put_item(TableName=at.table_name, Item=row)


def test_figures_that_are_right_are_left_alone(counted: Installation, operator: Operate, capsys: Captured) -> None:
    before = rows(counted.table_name)

    assert operator("figures", "--apply") == 0
    assert capsys.readouterr().out == WELL
    assert rows(counted.table_name) == before


def test_deals_that_were_never_counted_are_named_and_then_counted(
    at: Installation, operator: Operate, capsys: Captured
) -> None:
    a_deal(at)
    assert operator("figures") == 1
    said = capsys.readouterr().out
    assert said.startswith(f"{DEAL}: its events count to something else\n")
    assert "say --apply" in said
    assert sum_rows(at) == []

    assert operator("figures", "--apply") == 0
    assert operator("figures") == 0
    assert numbers(at) == [{"created.open:2026-11-22T20": 1}] * 3


def test_a_sum_that_somebody_spoilt_is_named_and_made_anew(
    counted: Installation, operator: Operate, capsys: Captured
) -> None:
    before = numbers(counted)
    spoilt, *_ = sum_rows(counted)
    put(counted, spoilt_by(spoilt, duplicates=7, intents=2))

    assert operator("figures") == 1
    assert "created.open:2026-11-22T20 0 for 1, duplicates 7 for 0, intents 2 for 0" in capsys.readouterr().out
    assert operator("figures", "--apply") == 0

    assert numbers(counted) == before


def test_a_sum_that_is_gone_is_made_anew(counted: Installation, operator: Operate) -> None:
    before = numbers(counted)
    gone, *_ = sum_rows(counted)
    aws.client("dynamodb").delete_item(TableName=counted.table_name, Key={"pk": gone["pk"], "sk": gone["sk"]})

    assert operator("figures", "--apply") == 0
    assert numbers(counted) == before


def test_a_sum_that_has_nothing_to_be_the_sum_of_is_emptied(counted: Installation, operator: Operate) -> None:
    put(counted, sum_row(("FIGURES#2026-01", "05#0"), {"intents": 1}, None, NOW))

    assert operator("figures", "--apply") == 0
    assert operator("figures") == 0


def test_a_sum_to_which_a_deal_adds_meanwhile_is_not_overwritten(counted: Installation) -> None:
    spoilt, *_ = sum_rows(counted)
    put(counted, spoilt_by(spoilt, intents=2))
    wrong, *_ = figures.wrong_sums(counted)
    put(counted, spoilt | {"changes": {"N": "9"}})

    with pytest.raises(VersionMoved):
        figures.mend(counted, wrong, NOW)

    assert {row["changes"]["N"] for row in sum_rows(counted)} >= {"9"}


def test_a_sum_that_moves_while_it_is_looked_at_is_not_judged(
    counted: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoilt, *_ = sum_rows(counted)
    put(counted, spoilt_by(spoilt, intents=2))
    read = figures._read

    def moves_first(at: Installation, key: tuple[str, str]) -> Any:
        put(at, spoilt | {"changes": {"N": "9"}})
        return read(at, key)

    monkeypatch.setattr(figures, "_read", moves_first)

    assert figures.wrong_sums(counted) == []
