"""Where a message about an unknown deal waits: a queue, which offers it again with growing delay."""

from __future__ import annotations

import json
from collections.abc import Mapping

from dealdesk.edge import aws
from dealdesk.errors import Unavailable

FIRST_DELAY_SECONDS = 2


class SqsParking:
    """The `Parking` port."""

    def __init__(self, queue_url: str) -> None:
        self._queue_url = queue_url

    def park(self, message: Mapping[str, object]) -> None:
        """Raises `Unavailable` when the queue did not take the message: the vendor must send it again."""
        body = json.dumps({"parked": message}, ensure_ascii=False)
        try:
            aws.client("sqs").send_message(QueueUrl=self._queue_url, MessageBody=body, DelaySeconds=FIRST_DELAY_SECONDS)
        except Exception as error:
            raise Unavailable(f"the message could not be parked: {type(error).__name__}") from error
