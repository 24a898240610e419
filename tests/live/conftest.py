"""The running system, with functions held to the template's roles; one that is up already is used as it is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.stack import Stack, running_stack


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    with running_stack(enforce_iam=True) as running:
        yield running
