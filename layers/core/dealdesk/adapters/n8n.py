"""n8n hears of every step: a signed POST that can be told apart from a forgery and from a repetition."""

from __future__ import annotations

from datetime import datetime

import urllib3

from dealdesk.edge.proofs import n8n_signature
from dealdesk.errors import VendorRefused, VendorUnavailable

TIMEOUT = urllib3.Timeout(connect=3, read=8)


class N8nNotifier:
    """The `Notifier` port."""

    def __init__(self, url: str, *, path: str, secret: str) -> None:
        self._url = f"{url.rstrip('/')}/webhook/{path}"
        self._secret = secret
        self._pool = urllib3.PoolManager(retries=False)

    def notify(self, event_id: str, body: bytes, now: datetime) -> None:
        timestamp = int(now.timestamp())
        headers = {
            "Content-Type": "application/json",
            "X-DealDesk-Timestamp": str(timestamp),
            "X-DealDesk-Signature": n8n_signature(self._secret, timestamp, body),
            "X-Idempotency-Key": event_id,
        }
        try:
            answer = self._pool.request("POST", self._url, body=body, headers=headers, timeout=TIMEOUT)
        except urllib3.exceptions.HTTPError as error:
            raise VendorUnavailable(f"n8n did not answer: {type(error).__name__}") from error
        if answer.status in (408, 429) or answer.status >= 500:
            raise VendorUnavailable(f"n8n answered {answer.status}")
        if answer.status >= 400:
            raise VendorRefused(f"n8n refused with {answer.status}")
