"""A fresh world in one process, as the journeys have it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.journeys.world import World


@pytest.fixture
def world(table_name: str) -> Iterator[World]:
    assert table_name
    with World() as fresh:
        yield fresh
