"""Connect's JSON messages, one for each event of an envelope, and the headers that sign them."""

import base64
import hmac
import json
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

from local.twins.docusign_envelopes import Envelope, stamp
from local.twins.server import Json

CONFIGURATION_ID = 10_418_598
# What GET shows and Connect leaves out.
NOT_TOLD = {"transactionId"}


def connect_headers(keys: Sequence[str], account_id: str, body: bytes) -> dict[str, str]:
    """A signature over the raw body for each key, numbered from 1; source: DocuSign, "Connect HMAC"."""
    signed = {
        f"X-DocuSign-Signature-{at}": base64.b64encode(hmac.digest(key.encode(), body, sha256)).decode()
        for at, key in enumerate(keys, start=1)
    }
    algorithm = {"X-Authorization-Digest": "HMACSHA256"} if keys else {}
    return {"Content-Type": "application/json; charset=utf-8", "X-DocuSign-AccountId": account_id} | algorithm | signed


def connect_message(
    event: str, envelope: Envelope, *, account_id: str, user_id: str, configuration_id: int, now: datetime
) -> bytes:
    told = {name: value for name, value in envelope.shown(account_id).items() if name not in NOT_TOLD}
    summary: Json = {**told, "customFields": envelope.custom_fields(), "recipients": envelope.recipients()}
    message = {
        "event": event,
        "apiVersion": "v2.1",
        "uri": f"/restapi/v2.1/accounts/{account_id}/envelopes/{envelope.id}",
        "retryCount": 0,
        "configurationId": configuration_id,
        "generatedDateTime": stamp(now),
        "data": {
            "accountId": account_id,
            "userId": user_id,
            "envelopeId": envelope.id,
            "envelopeSummary": summary,
        },
    }
    return json.dumps(message, ensure_ascii=False).encode()
