"""HubSpot's webhooks: what changed, in arrays of up to 100, signed in the old way and in the new one."""

import base64
import hmac
import json
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from itertools import count

from local.twins.hubspot_records import Record, Version
from local.twins.hubspot_schema import APPROVAL_TYPE
from local.twins.server import Json

MESSAGE_LIMIT = 100
# One subscription a property; the number is what an account gives it.
SUBSCRIPTIONS = {
    ("0-3", "deal_desk_submitted_at"): 3_100_001,
    (APPROVAL_TYPE, "decision"): 3_100_002,
}

_events = count(100)


def change(record: Record, name: str, version: Version, *, portal_id: int, app_id: int) -> Json | None:
    """The change as a webhook tells it; None for a property to which nobody has subscribed."""
    subscription = SUBSCRIPTIONS.get((record.kind.type_id, name))
    if subscription is None:
        return None
    value = version.value
    if value and record.kind.properties[name].kind == "datetime":
        value = str(round(datetime.fromisoformat(value).timestamp() * 1000))
    return {
        "eventId": next(_events),
        "subscriptionId": subscription,
        "portalId": portal_id,
        "appId": app_id,
        "occurredAt": round(version.at.timestamp() * 1000),
        "subscriptionType": "object.propertyChange",
        "attemptNumber": 0,
        "objectId": int(record.id),
        "objectTypeId": record.kind.type_id,
        "propertyName": name,
        "propertyValue": value,
        "changeSource": version.author.source_type,
        "sourceId": version.author.source_id,
        "isSensitive": False,
    }


def message(changes: Sequence[Json]) -> bytes:
    return json.dumps(list(changes), separators=(",", ":"), ensure_ascii=False).encode()


def signed_headers(secret: str, url: str, body: bytes, now: datetime) -> dict[str, str]:
    """Versions 1 and 3 side by side, as HubSpot sends them; source: HubSpot, "Validating requests"."""
    timestamp = str(round(now.timestamp() * 1000))
    signed = b"POST" + url.encode() + body + timestamp.encode()
    return {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "HubSpot Connect 2.0 (http://dev.hubspot.com/)",
        "X-HubSpot-Signature-Version": "v1",
        "X-HubSpot-Signature": sha256(secret.encode() + body).hexdigest(),
        "X-HubSpot-Request-Timestamp": timestamp,
        "X-HubSpot-Signature-v3": base64.b64encode(hmac.digest(secret.encode(), signed, "sha256")).decode(),
    }
