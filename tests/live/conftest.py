"""The system as `make up` starts it, with functions held to the template's roles; one for all live tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.stack import Stack, start, stop


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    stop()
    running = start(enforce_iam=True)
    yield running
    stop()
