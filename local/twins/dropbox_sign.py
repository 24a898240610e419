"""Dropbox Sign's twin: one account with its templates, signature requests, and callbacks about them."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta

from werkzeug.wrappers import Request, Response

from local.twins import dropbox_sign_requests as requests
from local.twins.dropbox_sign_callbacks import acknowledged, as_form, callback
from local.twins.dropbox_sign_requests import Signature, SignatureRequest, bad
from local.twins.server import Endpoint, Json, Refused, Twin, WebhookSender, json_answer

CALLS_A_MINUTE = 100
REMINDERS_APART = timedelta(hours=1)
DEFAULT_PAGE, LARGEST_PAGE = 20, 100


class DropboxSignTwin(Twin):
    """There is no idempotency: the same POST twice makes two requests; only the list finds them again.

    `templates` maps a template's id to {"title": ..., "roles": [...], "custom_fields": [...]}. A cancellation is done
    `cancel_takes` after it was accepted, at the next look or act. What is newer than `index_lag` no search finds.
    """

    name = "dropbox_sign"

    def __init__(
        self,
        *,
        api_key: str,
        templates: Mapping[str, Json],
        callback_url: str | None = None,
        cancel_takes: timedelta = timedelta(seconds=2),
        index_lag: timedelta = timedelta(seconds=30),
    ) -> None:
        super().__init__()
        self.api_key, self.templates, self.callback_url = api_key, templates, callback_url
        self.cancel_takes, self.index_lag = cancel_takes, index_lag
        self.webhooks = WebhookSender(acknowledged)
        self.signature_requests: dict[str, SignatureRequest] = {}
        self._calls: list[datetime] = []
        at = "/v3/signature_request"
        self.route("POST", f"{at}/send_with_template", self._allowed(self._send))
        self.route("GET", f"{at}/list", self._allowed(self._list))
        self.route("GET", f"{at}/<request_id>", self._allowed(self._read))
        self.route("POST", f"{at}/cancel/<request_id>", self._allowed(self._cancel))
        self.route("POST", f"{at}/remind/<request_id>", self._allowed(self._remind))
        self.action("view", self._view)
        self.action("sign", self._sign)
        self.action("decline", self._decline)
        self.action("expire", self._expire)
        self.action("finish_cancel", self._finish_cancel)
        self.action("test_callback", self._test_callback)

    def clear(self) -> None:
        self.signature_requests.clear()
        self._calls.clear()

    def state(self) -> Json:
        self._settle()
        return {
            "signature_requests": [
                {**request.shown(), "is_cancelled": request.cancelled} for request in self.signature_requests.values()
            ]
        }

    def vendor_error(self, status: int, code: str, message: str) -> Response:
        return json_answer({"error": {"error_msg": message, "error_name": code}}, status)

    def _allowed(self, endpoint: Endpoint) -> Endpoint:
        """Only with the API key as user name; every answer tells what is left of the minute."""

        def guarded(request: Request, **params: str) -> Response:
            given = request.authorization
            if given is None or given.type != "basic" or given.username != self.api_key or given.password:
                raise Refused(401, "unauthorized", "Unauthorized user. No credentials supplied.")
            self._settle()
            answer = endpoint(request, **params)
            answer.headers.update(self._limits())
            return answer

        return guarded

    def _limits(self) -> dict[str, str]:
        now = self.clock()
        self._calls = [call for call in self._calls if call > now - timedelta(minutes=1)] + [now]
        return {
            "X-RateLimit-Limit": str(CALLS_A_MINUTE),
            "X-RateLimit-Remaining": str(max(0, CALLS_A_MINUTE - len(self._calls))),
            "X-Ratelimit-Reset": str(int((self._calls[0] + timedelta(minutes=1)).timestamp())),
        }

    def _send(self, request: Request) -> Response:
        made = requests.made(_json(request), self.templates, self.clock())
        self.signature_requests[made.id] = made
        self._tell("signature_request_sent", made)
        return json_answer({"signature_request": made.shown()})

    def _list(self, request: Request) -> Response:
        """Newest first. `query` finds whole words of titles and metadata, but nothing newer than the index."""
        page, size = (_number(request, name, default) for name, default in (("page", 1), ("page_size", DEFAULT_PAGE)))
        if not (page >= 1 and 1 <= size <= LARGEST_PAGE):
            raise bad(f"page starts at 1, page_size is 1 to {LARGEST_PAGE}")
        rows = [row for row in reversed(self.signature_requests.values()) if not row.cancelled]
        if query := request.args.get("query"):
            word = query.partition(":")[2] or query
            indexed = self.clock() - self.index_lag
            rows = [row for row in rows if row.created_at <= indexed and word in row.title + json.dumps(row.metadata)]
        shown = rows[(page - 1) * size : page * size]
        pages = max(1, -(-len(rows) // size))
        info = {"page": page, "num_pages": pages, "num_results": len(rows), "page_size": size}
        return json_answer({"list_info": info, "signature_requests": [row.shown() for row in shown]})

    def _read(self, _request: Request, request_id: str) -> Response:
        return json_answer({"signature_request": self._living(request_id).shown()})

    def _cancel(self, _request: Request, request_id: str) -> Response:
        """A 200 without content says that it is queued, no more."""
        asked = self._living(request_id)
        if not asked.open:
            raise bad("This signature request cannot be canceled")
        asked.cancel_due = asked.cancel_due or self.clock() + self.cancel_takes
        return Response(b"", 200, content_type="application/json")

    def _remind(self, request: Request, request_id: str) -> Response:
        """One more e-mail to a signer who has not signed, at most one an hour."""
        asked, given = self._living(request_id), _json(request)
        if unknown := given.keys() - {"email_address", "name"}:
            raise bad(f"Unknown parameters: {', '.join(sorted(unknown))}")
        signer = next((s for s in asked.signatures if s.email == given.get("email_address")), None)
        if signer is None or given.get("name") not in (None, signer.name):
            raise bad("The email address does not belong to a signer of this request")
        if not asked.open or signer.status != requests.WAITS:
            raise bad("This signature request does not wait for this signer")
        now = self.clock()
        if signer.reminded_at and now - signer.reminded_at < REMINDERS_APART:
            raise bad("A reminder was sent to this signer within the last hour")
        signer.reminded_at = now
        self._tell("signature_request_remind", asked, signer)
        return json_answer({"signature_request": asked.shown()})

    def _settle(self) -> None:
        for request in self.signature_requests.values():
            if request.open and request.expires_at and request.expires_at <= self.clock():
                self._end_expired(request)
            if request.cancel_due and request.open and request.cancel_due <= self.clock():
                self._end_cancelled(request)

    def _end_cancelled(self, request: SignatureRequest) -> None:
        request.cancelled, request.cancel_due = True, None
        self._tell("signature_request_canceled", request)

    def _view(self, body: Json) -> Json:
        request, signature = self._signer(body)
        signature.viewed_at = self.clock()
        self._tell("signature_request_viewed", request, signature)
        return request.shown()

    def _sign(self, body: Json) -> Json:
        """The last of the signers completes the request."""
        request, signature = self._signer(body)
        signature.status, signature.signed_at = requests.SIGNED, self.clock()
        self._tell("signature_request_signed", request, signature)
        if request.complete:
            for event in ("signature_request_all_signed", "signature_request_downloadable"):
                self._tell(event, request)
        return request.shown()

    def _decline(self, body: Json) -> Json:
        request, signature = self._signer(body)
        if not request.may_decline:
            raise bad("the sender did not allow to decline")
        signature.status, signature.decline_reason = requests.DECLINED, str(body.get("reason", ""))
        self._tell("signature_request_declined", request, signature)
        return request.shown()

    def _expire(self, body: Json) -> Json:
        request, _ = self._signer(body)
        self._end_expired(request)
        return request.shown()

    def _end_expired(self, request: SignatureRequest) -> None:
        for signature in request.signatures:
            if signature.status == requests.WAITS:
                signature.status = requests.EXPIRED
        self._tell("signature_request_expired", request)

    def _finish_cancel(self, body: Json) -> Json:
        request = self._known(body["signature_request_id"])
        if not (request.cancel_due and request.open):
            raise bad("nobody has asked to cancel it")
        self._end_cancelled(request)
        return {"cancelled": True}

    def _test_callback(self, _body: Json) -> Json:
        self._deliver(callback(self.api_key, "callback_test", self.clock()))
        return {"sent": bool(self.callback_url)}

    def _signer(self, body: Json) -> tuple[SignatureRequest, Signature]:
        """The next signer of an open request, or the one that is named."""
        self._settle()
        request = self._living(body["signature_request_id"])
        waiting = [signature for signature in request.signatures if signature.status == requests.WAITS]
        named = body.get("signature_id")
        chosen = next((signature for signature in waiting if named in (None, signature.id)), None)
        if not request.open or chosen is None:
            raise bad("nobody is asked to sign it")
        return request, chosen

    def _known(self, request_id: str) -> SignatureRequest:
        if request_id not in self.signature_requests:
            raise Refused(404, "not_found", "Not found.")
        return self.signature_requests[request_id]

    def _living(self, request_id: str) -> SignatureRequest:
        request = self._known(request_id)
        if request.cancelled:
            raise Refused(410, "deleted", "This resource has been deleted.")
        return request

    def _tell(self, event_type: str, request: SignatureRequest, signature: Signature | None = None) -> None:
        signature_id = signature.id if signature else None
        self._deliver(
            callback(self.api_key, event_type, self.clock(), request=request.shown(), signature_id=signature_id)
        )

    def _deliver(self, told: Json) -> None:
        if self.callback_url:
            self.webhooks.deliver(self.callback_url, *as_form(told))


def _json(request: Request) -> Json:
    try:
        document = json.loads(request.get_data())
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise bad("The request body is not valid JSON")
    return document


def _number(request: Request, name: str, default: int) -> int:
    given = request.args.get(name, str(default))
    if not given.isdecimal():
        raise bad(f"{name} is a number")
    return int(given)
