"""What the suites of the ports and the tests of the twins share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from local.twins.server import RunningTwin, serve


@pytest.fixture
def running() -> Iterator[Callable[..., RunningTwin]]:
    """Run twins for the length of a test."""
    with ExitStack() as stack:
        yield lambda twin: stack.enter_context(closing(serve(twin)))


@pytest.fixture(scope="session")
def key_pair() -> tuple[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()
