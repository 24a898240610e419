"""A fresh world for each journey."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.journeys.world import World


@pytest.fixture
def world() -> Iterator[World]:
    with World() as fresh:
        yield fresh
