"""The table in this process: MiniStack's engine behind botocore, without a wire and without faults."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast
from unittest.mock import patch

from botocore.httpsession import URLLib3Session

from local import aws
from tests.prove.calls import Calls
from tests.prove.table import Table


class _NoFault:
    """In the place of what the proof does to every call."""

    def begin(self, *_: Any, **__: Any) -> None:
        return None

    def end(self, fault: str | None) -> str | None:
        return fault


@contextmanager
def table() -> Iterator[Table]:
    names = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    with patch.dict(os.environ, names | {"AWS_REGION": aws.REGION, "AWS_DEFAULT_REGION": aws.REGION}):
        made = Table(cast(Calls, _NoFault()))
        with patch.object(URLLib3Session, "send", lambda _, request: made.send(request)):
            yield made
