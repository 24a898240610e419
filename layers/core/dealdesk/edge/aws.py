"""One botocore client a service and process; boto3 adds nothing here but 20 ms of import."""

from __future__ import annotations

from typing import Any

import botocore.session
from botocore.config import Config

clients: dict[str, Any] = {}


def client(service: str) -> Any:
    if service not in clients:
        config = Config(
            connect_timeout=2,
            read_timeout=5,
            retries={"max_attempts": 3, "mode": "standard"},
            # The services check what they are sent; doing it here too is a tenth of the CPU time of a call.
            parameter_validation=False,
        )
        clients[service] = botocore.session.get_session().create_client(service, config=config)
    return clients[service]
