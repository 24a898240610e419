"""DocuSign's embedded signing: an address for one visit of one signer, gone after a few minutes."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode, urlsplit, urlunsplit

from local.twins.docusign_envelopes import OPEN, Envelope, invalid
from local.twins.server import Json, Refused

URL_CHARS = 470
NEEDED = ("returnUrl", "authenticationMethod", "email", "userName", "clientUserId")
FIELDS = frozenset({*NEEDED, "frameAncestors", "messageOrigins", "pingFrequency", "pingUrl", "recipientId"})
LIFE = timedelta(minutes=5)


@dataclass(slots=True)
class View:
    envelope_id: str
    return_url: str
    made_at: datetime
    visited: bool = False

    def opens(self, now: datetime) -> bool:
        """Whether this visit is the first, and in time."""
        first, self.visited = not self.visited, True
        return first and now - self.made_at < LIFE

    def back(self, event: str) -> str:
        """Where the signer is sent; `event` is for showing only, anybody can write it."""
        parts = urlsplit(self.return_url)
        query = "&".join(part for part in (parts.query, urlencode({"event": event})) if part)
        return urlunsplit(parts._replace(query=query))


def view_of(envelope: Envelope, asked: Mapping[str, object], now: datetime) -> tuple[str, View]:
    """A token and its view; raises `Refused` for somebody who does not sign this envelope in an embedded way."""
    if missing := [name for name in NEEDED if not asked.get(name)]:
        raise invalid(f"A recipient view needs {', '.join(missing)}.")
    if unknown := asked.keys() - FIELDS:
        raise invalid(f"Unknown fields of a recipient view: {', '.join(sorted(unknown))}.")
    return_url = str(asked["returnUrl"])
    if len(return_url) > URL_CHARS or not urlsplit(return_url).scheme:
        raise invalid(f"returnUrl is an address of at most {URL_CHARS} characters.")
    if envelope.status not in OPEN:
        raise Refused(400, "ENVELOPE_INVALID_STATUS", "A recipient view is only there for an envelope that is sent.")
    if not any(_is(role, asked) for role in envelope.roles):
        raise Refused(
            400,
            "UNKNOWN_ENVELOPE_RECIPIENT",
            "The recipient you have identified is not a valid recipient of the specified envelope.",
        )
    return secrets.token_urlsafe(24), View(envelope.id, return_url, now)


def _is(role: Json, asked: Mapping[str, object]) -> bool:
    given = (asked["email"], asked["userName"], asked["clientUserId"])
    return (role["email"], role["name"], role.get("clientUserId")) == given
