"""Dropbox Sign's callbacks: a form with one field `json`, and a hash that covers the time and the type alone."""

import hmac
import json
from datetime import datetime
from hashlib import sha256

from urllib3.filepost import encode_multipart_formdata

from local.twins.server import Json

ACKNOWLEDGEMENT = b"Hello API Event Received"
ACCOUNT_GUID = "63522885f9261e2b04eea043933ee7313eb674fd"


def event_hash(api_key: str, event_time: str, event_type: str) -> str:
    return hmac.digest(api_key.encode(), f"{event_time}{event_type}".encode(), sha256).hex()


def callback(
    api_key: str, event_type: str, now: datetime, *, request: Json | None = None, signature_id: str | None = None
) -> Json:
    event_time = str(int(now.timestamp()))
    told: Json = {
        "account_guid": ACCOUNT_GUID,
        "client_id": None,
        "event": {
            "event_time": event_time,
            "event_type": event_type,
            "event_hash": event_hash(api_key, event_time, event_type),
            "event_metadata": {
                "related_signature_id": signature_id,
                "reported_for_account_id": ACCOUNT_GUID,
                "reported_for_app_id": None,
                "event_message": None,
            },
        },
    }
    return told | ({"signature_request": request} if request is not None else {})


def as_form(told: Json, boundary: str | None = None) -> tuple[bytes, dict[str, str]]:
    """The body, and the headers that go with it."""
    body, content_type = encode_multipart_formdata([("json", json.dumps(told, ensure_ascii=False))], boundary)
    return body, {"Content-Type": content_type, "User-Agent": "HelloSign API"}


def acknowledged(status: int, body: bytes) -> bool:
    """Any other answer, also a 200 that says something else, is a failure and is tried again."""
    return status == 200 and ACKNOWLEDGEMENT in body
