"""DocuSign's twin: one account with its templates, envelopes, and Connect messages about them."""

import json
from collections.abc import Mapping, Sequence

from werkzeug.wrappers import Request, Response

from local.twins.docusign_connect import CONFIGURATION_ID, connect_headers, connect_message
from local.twins.docusign_envelopes import EXPIRED, OPEN, Envelope, drafted, invalid, stamp
from local.twins.docusign_limits import Limits
from local.twins.docusign_lists import envelopes_asked_for, page
from local.twins.docusign_login import Login
from local.twins.docusign_views import View, view_of
from local.twins.server import Action, Endpoint, Json, Refused, Twin, json_answer


class DocuSignTwin(Twin):
    """There is no idempotency: the same POST twice makes two envelopes; `transaction_ids` finds them again.

    `templates` maps a template's id to {"name": ..., "roles": [...]}.
    """

    name = "docusign"

    def __init__(
        self,
        *,
        integration_key: str,
        user_id: str,
        account_id: str,
        public_key_pem: str,
        connect_keys: Sequence[str],
        templates: Mapping[str, Json],
        connect_url: str | None = None,
    ) -> None:
        super().__init__()
        self.account_id, self.user_id = account_id, user_id
        self.connect_keys, self.connect_url, self.templates = connect_keys, connect_url, templates
        self.login = Login(integration_key, user_id, account_id, public_key_pem, lambda: self.clock())
        self.envelopes: dict[str, Envelope] = {}
        self.views: dict[str, View] = {}
        self.limits = Limits(lambda: self.clock())
        self._add_routes()
        self._add_actions()

    def clear(self) -> None:
        self.envelopes.clear()
        self.views.clear()
        self.login.tokens.clear()
        self.login.consented = True
        self.limits.clear()

    def state(self) -> Json:
        self._settle()
        return {
            "envelopes": [
                {**envelope.shown(self.account_id), "customFields": envelope.custom_fields()}
                for envelope in self.envelopes.values()
            ],
            "polls_too_often": self.limits.polls_too_often,
            "consented": self.login.consented,
        }

    def vendor_error(self, status: int, code: str, message: str) -> Response:
        return json_answer({"errorCode": code, "message": message}, status)

    def _add_routes(self) -> None:
        self.route("POST", "/oauth/token", lambda request: self.login.sign_in(request))
        self.route("GET", "/oauth/userinfo", self._user_info)
        at = "/restapi/v2.1/accounts/<account>/envelopes"
        self.route("POST", at, self._allowed(self._create))
        self.route("GET", at, self._allowed(self._list))
        self.route("GET", f"{at}/<envelope_id>", self._allowed(self._read))
        self.route("PUT", f"{at}/<envelope_id>", self._allowed(self._update))
        self.route("GET", f"{at}/<envelope_id>/custom_fields", self._allowed(self._custom_fields))
        self.route("GET", f"{at}/<envelope_id>/recipients", self._allowed(self._recipients))
        self.route("POST", f"{at}/<envelope_id>/views/recipient", self._allowed(self._recipient_view))
        self.route("GET", "/signing/<token>", self._visit_view)

    def _add_actions(self) -> None:
        self.action("deliver", self._ends("delivered", ("sent",)))
        self.action("complete", self._ends("completed", OPEN, after_delivery=True))
        self.action("decline", self._ends("declined", OPEN, after_delivery=True))
        self.action("correct", self._correct)
        self.action("void", self._ends("voided", OPEN))
        self.action("expire", self._ends("voided", OPEN, reason=EXPIRED))
        self.action("consent", self._consent)

    def _allowed(self, endpoint: Endpoint) -> Endpoint:
        """Only with a living token, only for this account; every answer tells what is left of the hour."""

        def guarded(request: Request, account: str, **params: str) -> Response:
            self.login.require_token(request)
            if account != self.account_id:
                raise Refused(
                    401,
                    "USER_DOES_NOT_BELONG_TO_SPECIFIED_ACCOUNT",
                    "The specified User is not a member of the specified Account.",
                )
            self._settle()
            answer = endpoint(request, **params)
            answer.headers.update(self.limits.call())
            return answer

        return guarded

    def _user_info(self, request: Request) -> Response:
        self.login.require_token(request)
        return json_answer(self.login.user_info(self.url))

    def _create(self, request: Request) -> Response:
        definition = _body(request)
        envelope = drafted(definition, self.templates, self.clock())
        self.envelopes[envelope.id] = envelope
        if definition.get("status") == "sent":
            self._move(envelope, "sent")
        made = {"envelopeId": envelope.id, "status": envelope.status, "uri": f"/envelopes/{envelope.id}"}
        return json_answer({**made, "statusDateTime": stamp(envelope.changed_at)}, 201)

    def _list(self, request: Request) -> Response:
        asked = request.args.to_dict()
        rows = envelopes_asked_for(self.envelopes.values(), asked, self.clock())
        return json_answer(page(rows, asked, self._shown))

    def _read(self, request: Request, envelope_id: str) -> Response:
        envelope = self._envelope(envelope_id)
        self.limits.look(envelope)
        return json_answer(self._shown(envelope, request.args))

    def _custom_fields(self, _request: Request, envelope_id: str) -> Response:
        return json_answer(self._envelope(envelope_id).custom_fields())

    def _recipients(self, _request: Request, envelope_id: str) -> Response:
        return json_answer(self._envelope(envelope_id).recipients())

    def _recipient_view(self, request: Request, envelope_id: str) -> Response:
        token, view = view_of(self._envelope(envelope_id), _body(request), self.clock())
        self.views[token] = view
        return json_answer({"url": f"{self.url}/signing/{token}"}, 201)

    def _visit_view(self, _request: Request, token: str) -> Response:
        """The first visit opens the contract, every other is sent back at once."""
        if token not in self.views:
            raise Refused(404, "NOT_FOUND", "There is no such page.")
        view = self.views[token]
        envelope = self._envelope(view.envelope_id)
        if not (view.opens(self.clock()) and envelope.status in OPEN):
            return Response("", 302, {"Location": view.back("ttl_expired")})
        if envelope.status == "sent":
            self._move(envelope, "delivered")
        return Response(f"Please review and sign: {envelope.subject}", 200)

    def _update(self, request: Request, envelope_id: str) -> Response:
        envelope, change = self._envelope(envelope_id), _body(request)
        match change:
            case {} if not change and request.args.get("resend_envelope") == "true":
                if envelope.status not in OPEN:
                    raise Refused(400, "ENVELOPE_INVALID_STATUS", "Only an envelope that is out can be sent again.")
                envelope.resent += 1
                self._report("envelope-resent", envelope)
            case {"status": "voided", **rest} if not rest.keys() - {"voidedReason"}:
                if not rest.get("voidedReason"):
                    raise invalid("voidedReason must be given to void an envelope.")
                if envelope.status not in OPEN:
                    raise Refused(
                        400,
                        "ENVELOPE_CANNOT_VOID_INVALID_STATE",
                        "Only envelopes in the 'Sent' or 'Delivered' states may be voided.",
                    )
                self._move(envelope, "voided", str(rest["voidedReason"]))
            case {"status": "sent", **rest} if not rest:
                if envelope.status != "created":
                    raise Refused(400, "ENVELOPE_INVALID_STATUS", "Only drafts can be sent.")
                if not envelope.roles:
                    raise Refused(400, "ENVELOPE_IS_INCOMPLETE", "The Envelope is not Complete. It has no recipients.")
                self._move(envelope, "sent")
            case _:
                raise invalid("An envelope is voided with a voidedReason, or a draft is sent.")
        return json_answer({"envelopeId": envelope.id})

    def _shown(self, envelope: Envelope, asked: Mapping[str, str]) -> Json:
        included = {part.strip() for part in asked.get("include", "").split(",")}
        shown = envelope.shown(self.account_id)
        if "custom_fields" in included:
            shown["customFields"] = envelope.custom_fields()
        if "recipients" in included:
            shown["recipients"] = envelope.recipients()
        return shown

    def _ends(self, status: str, before: Sequence[str], *, after_delivery: bool = False, reason: str = "") -> Action:
        """What the signer, the sender or the calendar does; nobody signs or declines what was not opened."""

        def act(body: Json) -> Json:
            envelope = self._envelope(body["envelope_id"])
            if envelope.status not in before:
                raise Refused(400, "ENVELOPE_INVALID_STATUS", f"the envelope is {envelope.status}, not {before}")
            if after_delivery and envelope.status == "sent":
                self._move(envelope, "delivered")
            self._move(envelope, status, reason or body.get("reason", ""))
            return envelope.shown(self.account_id)

        return act

    def _correct(self, body: Json) -> Json:
        """The sender puts another address to a signer; the contract goes out to it again, with the same terms."""
        envelope = self._envelope(body["envelope_id"])
        if envelope.status not in OPEN:
            raise Refused(400, "ENVELOPE_INVALID_STATUS", f"the envelope is {envelope.status}, not {OPEN}")
        envelope.roles = [{**role, "email": body["email"], "name": body["name"]} for role in envelope.roles]
        envelope.move("sent", self.clock())
        self._report("envelope-corrected", envelope)
        return envelope.shown(self.account_id)

    def _consent(self, body: Json) -> Json:
        self.login.consented = bool(body["granted"])
        return {"consented": self.login.consented}

    def _envelope(self, envelope_id: str) -> Envelope:
        if envelope_id not in self.envelopes:
            raise Refused(
                404,
                "ENVELOPE_DOES_NOT_EXIST",
                "The envelope specified either does not exist or you have no rights to it.",
            )
        return self.envelopes[envelope_id]

    def _settle(self) -> None:
        """Envelopes whose time is over end by themselves."""
        for envelope in self.envelopes.values():
            if envelope.status in OPEN and envelope.expires_at and envelope.expires_at <= self.clock():
                self._move(envelope, "voided", EXPIRED)

    def _move(self, envelope: Envelope, status: str, reason: str = "") -> None:
        envelope.move(status, self.clock(), reason)
        self._report(f"envelope-{status}", envelope)

    def _report(self, event: str, envelope: Envelope) -> None:
        if self.connect_url:
            self._tell(event, envelope, self.connect_url, CONFIGURATION_ID, self.connect_keys)
        notification = envelope.notification
        if notification and event in notification.get("events", [event]):
            keys = self.connect_keys if str(notification.get("includeHMAC", "")).lower() == "true" else ()
            self._tell(event, envelope, notification["url"], CONFIGURATION_ID + 1, keys)

    def _tell(self, event: str, envelope: Envelope, url: str, configuration_id: int, keys: Sequence[str]) -> None:
        body = connect_message(
            event,
            envelope,
            account_id=self.account_id,
            user_id=self.user_id,
            configuration_id=configuration_id,
            now=self.clock(),
        )
        self.webhooks.deliver(url, body, connect_headers(keys, self.account_id, body))


def _body(request: Request) -> Json:
    try:
        body = json.loads(request.get_data())
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Refused(400, "INVALID_REQUEST_BODY", "The request body is missing or improperly formatted.")
    return body
