"""Tells n8n of every step, signed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from dealdesk.adapters.n8n import N8nNotifier
from dealdesk.contracts import bus
from dealdesk.edge import clock, secrets, settings, telemetry
from dealdesk.edge.reactions import Message, QueueSettings, react
from dealdesk.errors import Malformed


@dataclass(frozen=True, slots=True)
class Settings:
    n8n_secret: str
    n8n_url: str


class Secret(msgspec.Struct, frozen=True):
    url_path: str
    signing_secret: str


def notifier() -> N8nNotifier | None:
    """Made anew when the secret has been rotated; None where no n8n is configured."""
    config = settings.read(Settings)
    return connected(config.n8n_url, secrets.secret(config.n8n_secret, Secret)) if config.n8n_url else None


@lru_cache(maxsize=1)
def connected(url: str, secret: Secret) -> N8nNotifier:
    return N8nNotifier(url, path=secret.url_path, secret=secret.signing_secret)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    return react(event, settings.read(QueueSettings), "notify_n8n", notify)


def notify(message: Message) -> None:
    if not isinstance(message, bus.BusEvent):
        raise Malformed(f"notify_n8n takes no {message}")
    receiver = notifier()
    if receiver is not None:
        receiver.notify(message.id, bus.dump(message).encode(), clock.now())
    telemetry.said("n8n notified", deal_id=message.deal_id, event=message.type, configured=receiver is not None)
