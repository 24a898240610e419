"""What the process of a run has instead of a clock, of randomness and of a log, and what is made once for all runs."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import botocore.session
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from local.tokens import Secrets, local_secrets, what_vendors_know
from local.twins.paypal_signing import Signer, new_signer
from tests.prove.calls import Calls
from tests.prove.fate import Fate
from tests.prove.invocation import Worker

_sleep = time.sleep
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "POWERTOOLS_TRACE_DISABLED": "true",
}
# To read a key takes a twentieth of a second, and they are the same in every run.
_private_key = cache(load_pem_private_key)


@cache
def made_secrets() -> tuple[Secrets, Secrets]:
    """The desk's and the vendors' half. Keys cost half a second; nothing depends on which they are."""
    with tempfile.TemporaryDirectory() as folder:
        made = local_secrets(Path(folder) / "jwt_key.pem")
    return made, what_vendors_know(made)


@cache
def paypal_signer() -> Signer:
    return new_signer()


@cache
def _session() -> Any:
    return botocore.session.Session()


def instead(fate: Fate, calls: Calls, defect: Callable[..., None]) -> dict[str, Any]:
    """By the name of what each takes the place of; `defect` hears of every failure that nobody foresaw."""

    def sleep(seconds: float) -> None:
        """Functions sleep in no time; threads that belong to this process, and not to the world, as they will."""
        if isinstance(threading.current_thread(), Worker):
            calls.take(seconds=seconds)
        else:
            _sleep(seconds)

    return {
        "time.sleep": sleep,
        "time.monotonic": time.time,
        "os.urandom": fate.bytes,
        "random._urandom": fate.bytes,
        # Nobody looks at the signatures, user agents and proxies of requests that never leave this process; they cost
        # a quarter of each call.
        "botocore.signers.RequestSigner.sign": lambda *_, **__: None,
        "botocore.useragent.UserAgentString.to_string": lambda *_: "proof",
        "requests.sessions.get_environ_proxies": lambda *_, **__: {},
        "jwt.algorithms.load_pem_private_key": _private_key,
        # Environments of one function share their clients here; on AWS each has its own, and waits for no other.
        "dealdesk.adapters.netsuite_rest.threading": SimpleNamespace(BoundedSemaphore=lambda _: nullcontext()),
        "dealdesk.adapters.netsuite_auth.threading": SimpleNamespace(Lock=nullcontext),
        "botocore.session.get_session": _session,
        "pynamodb.connection.base.get_session": _session,
        "dealdesk.edge.telemetry.count": lambda *_, **__: None,
        "dealdesk.edge.measures.count": lambda *_, **__: None,
        "dealdesk.edge.telemetry.said": lambda *_, **__: None,
        "dealdesk.edge.telemetry.warned": lambda *_, **__: None,
        "dealdesk.edge.telemetry.logger": SimpleNamespace(exception=defect),
    }
