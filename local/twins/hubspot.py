"""HubSpot's twin: one account whose reps submit deals and whose approvers decide on records."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta

from werkzeug.wrappers import Request, Response

from local.twins.hubspot_records import Author, HubspotRefused, Record, Records, Version, stamp
from local.twins.hubspot_rest import RestApi
from local.twins.hubspot_schema import TYPES, ObjectType, type_named
from local.twins.hubspot_webhooks import MESSAGE_LIMIT, change, message, signed_headers
from local.twins.server import Json, Refused, Twin, json_answer

WINDOW = timedelta(seconds=10)
BY_HAND = "CRM_UI"


class HubspotTwin(Twin):
    """One account with one private app; without a `webhook_url` nobody is told of anything."""

    name = "hubspot"

    def __init__(
        self, *, access_token: str, client_secret: str, portal_id: int, app_id: int, webhook_url: str = ""
    ) -> None:
        super().__init__()
        self.client_secret, self.webhook_url = client_secret, webhook_url
        self.portal_id, self.app_id = portal_id, app_id
        self._untold: list[Json] = []
        self._calls: list[float] = []
        self._most_calls: int | None = None
        self._seeds: list[Mapping[str, Sequence[Json]]] = []
        self.records = Records(lambda: self.clock(), self._note)
        self.rest = RestApi(self.records, access_token, app_id, lambda: self.clock())
        for method, rule, endpoint in self.rest.routes():
            self.route(method, rule, endpoint)
        self.action("submit", lambda body: self._submit([body["deal_id"]], body))
        self.action("submit_many", lambda body: self._submit(body["deal_ids"], body))
        self.action("decide", self._decide)
        self.action("create", self._create)
        self.action("edit", self._edit)
        self.action("search_lag", self._lag)
        self.action("limit", self._limit)

    def load(self, records: Mapping[str, Sequence[Json]]) -> None:
        """Import owners and records: `id`, `properties` and the `associations` with the records before them."""
        with self.lock:
            self._import(records)
            self._seeds.append(records)

    def clear(self) -> None:
        self.records.clear()
        self.rest.owners.clear()
        self.rest.search_lag, self._most_calls = timedelta(0), None
        for seed in self._seeds:
            self._import(seed)

    def state(self) -> Json:
        return {
            kind.names[0]: [record.shown(list(kind.properties)) for record in self.records.tables[type_id].values()]
            for type_id, kind in TYPES.items()
        } | {"owners": self.rest.owners}

    def vendor_error(self, status: int, code: str, message: str) -> Response:
        """In HubSpot's shape; a limit also names its policy."""
        category = {429: "RATE_LIMITS", 500: "INTERNAL_ERROR"}.get(status, code)
        more = {"errorType": "RATE_LIMIT", "policyName": "TEN_SECONDLY_ROLLING"} if status == 429 else {}
        return _error(status, category, message, more)

    def refusal(self, refused: Refused) -> Response:
        known = refused if isinstance(refused, HubspotRefused) else HubspotRefused(0, "", "")
        more: Json = {"errors": known.errors} if known.errors else {}
        return _error(refused.status, refused.code, refused.message, more | known.more)

    def _dispatch(self, request: Request) -> Response:
        """Counts the calls of the last ten seconds against the limit, and tells of what they changed."""
        with self.lock:
            now = self.clock().timestamp()
            self._calls = [at for at in self._calls if at > now - WINDOW.total_seconds()]
            if self._most_calls is not None and len(self._calls) >= self._most_calls:
                answer = self.vendor_error(429, "RATE_LIMITS", "You have reached your ten_secondly_rolling limit.")
            else:
                self._calls.append(now)
                answer = super()._dispatch(request)
                self._tell()
        if self._most_calls is not None and not request.path.endswith("/search"):
            answer.headers["X-HubSpot-RateLimit-Max"] = str(self._most_calls)
            answer.headers["X-HubSpot-RateLimit-Remaining"] = str(max(0, self._most_calls - len(self._calls)))
            answer.headers["X-HubSpot-RateLimit-Interval-Milliseconds"] = "10000"
        return answer

    def _import(self, seed: Mapping[str, Sequence[Json]]) -> None:
        for name, rows in seed.items():
            for row in rows:
                if name == "owners":
                    self.rest.owners.append({**_owner(row), **row})
                    continue
                kind = _kind(name)
                record = self.records.create(kind, row["properties"], Author("IMPORT", "import"), str(row["id"]))
                for other in row.get("associations", []):
                    self.records.link(self._find(other["type"], other["id"]), record, other.get("label", ""))
        self._untold.clear()

    def _submit(self, deal_ids: Sequence[str], body: Json) -> Json:
        """A rep submits deals, as their owner or as `user_id`; one message tells of all of them."""
        if len(deal_ids) > MESSAGE_LIMIT:
            raise Refused(400, "TOO_MANY", f"one message carries up to {MESSAGE_LIMIT} changes")
        deals = [self._find("deals", deal_id) for deal_id in deal_ids]
        for deal in deals:
            user_id = body.get("user_id") or self._owner_of(deal)
            self.records.update(deal, {"deal_desk_submitted_at": stamp(self.clock())}, self._by(user_id))
        self._tell()
        return {"submitted": [deal.id for deal in deals]}

    def _decide(self, body: Json) -> Json:
        """An approver sets the decision on the approval's record, as the person who is signed in."""
        approval = self.records.find(_kind("deal_desk_approval"), body["approval_key"], "approval_key")
        if approval is None:
            raise Refused(404, "NOT_FOUND", f"no approval with the key {body['approval_key']}")
        author = self._by(body["user_id"])
        given = {"comment": body.get("comment", ""), "conditions": body.get("conditions", "")}
        self.records.update(approval, {**given, "decision": body["decision"]}, author)
        self._tell()
        return approval.shown(list(approval.kind.properties))

    def _create(self, body: Json) -> Json:
        """A person makes a record, linked to those that exist."""
        record = self.records.create(_kind(body["type"]), body["properties"], self._by(body["user_id"]))
        for other in body.get("associations", []):
            self.records.link(self._find(other["type"], other["id"]), record, other.get("label", ""))
        self._tell()
        return record.shown(list(record.kind.properties))

    def _edit(self, body: Json) -> Json:
        """A person edits a record: a line's price, a deal's terms."""
        record = self._find(body["type"], body["id"])
        self.records.update(record, body["properties"], self._by(body["user_id"]))
        self._tell()
        return record.shown(list(record.kind.properties))

    def _lag(self, body: Json) -> Json:
        """How far the index of the search is behind the records."""
        self.rest.search_lag = timedelta(seconds=body["seconds"])
        return {"seconds": body["seconds"]}

    def _limit(self, body: Json) -> Json:
        """How many calls ten seconds may see."""
        self._most_calls = body["calls"]
        return {"calls": body["calls"]}

    def _note(self, record: Record, name: str, version: Version) -> None:
        told = change(record, name, version, portal_id=self.portal_id, app_id=self.app_id)
        if told is not None:
            self._untold.append(told)

    def _tell(self) -> None:
        changes, self._untold = self._untold, []
        for start in range(0, len(changes) if self.webhook_url else 0, MESSAGE_LIMIT):
            body = message(changes[start : start + MESSAGE_LIMIT])
            headers = signed_headers(self.client_secret, self.webhook_url, body, self.clock())
            self.webhooks.deliver(self.webhook_url, body, headers)

    def _find(self, name: str, record_id: str) -> Record:
        record = self.records.find(_kind(name), str(record_id))
        if record is None:
            raise Refused(404, "NOT_FOUND", f"no {name} {record_id}")
        return record

    def _by(self, user_id: int | str) -> Author:
        if not any(owner["userId"] == int(user_id) for owner in self.rest.owners):
            raise Refused(404, "NOT_FOUND", f"no user {user_id}")
        return Author(BY_HAND, f"userId:{user_id}", int(user_id))

    def _owner_of(self, deal: Record) -> int:
        owner_id = deal.value("hubspot_owner_id")
        return next(int(owner["userId"]) for owner in self.rest.owners if owner["id"] == owner_id)


def _kind(name: str) -> ObjectType:
    kind = type_named(name)
    if kind is None:
        raise Refused(404, "NOT_FOUND", f"HubSpot has no {name}")
    return kind


def _owner(row: Json) -> Json:
    past = "2026-01-05T08:00:00Z"
    return {
        "type": "PERSON",
        "userIdIncludingInactive": row.get("userId"),
        "createdAt": past,
        "updatedAt": past,
        "archived": False,
        "teams": [],
    }


def _error(status: int, category: str, message: str, more: Mapping[str, object]) -> Response:
    correlation = f"{secrets.token_hex(4)}-0000-4000-8000-{secrets.token_hex(6)}"
    told = {"status": "error", "message": message, "correlationId": correlation, "category": category}
    return json_answer({**told, **more}, status)
