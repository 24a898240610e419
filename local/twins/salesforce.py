"""Salesforce's twin: one organisation whose reps submit quotes and whose approvers decide."""

from collections.abc import Mapping, Sequence

from werkzeug.wrappers import Response

from local.twins.salesforce_login import Login
from local.twins.salesforce_outbound import HEADERS, MESSAGE_LIMIT, acknowledged, envelope
from local.twins.salesforce_records import Record, Records
from local.twins.salesforce_rest import USAGE, RestApi
from local.twins.salesforce_schema import SCHEMA, as_id, long_id, rest_datetime
from local.twins.salesforce_values import SalesforceRefused
from local.twins.server import Json, Refused, Twin, WebhookSender, json_answer

INTEGRATION_USER = long_id("0057F0000000001")
ORGANIZATION = long_id("00D7F0000000001")
SUBMITTED_STAGE = "Negotiation/Review"

DECISIONS = ("Approve", "Approve with conditions", "Reject")


class SalesforceTwin(Twin):
    """One organisation with one connected app and one integration user; no `outbound_url`, no messages."""

    name = "salesforce"

    def __init__(
        self,
        *,
        consumer_key: str,
        public_key_pem: str,
        username: str,
        integration_user_id: str = INTEGRATION_USER,
        organization_id: str = ORGANIZATION,
        outbound_url: str = "",
    ) -> None:
        super().__init__()
        self.organization_id, self.outbound_url = organization_id, outbound_url
        self.webhooks = WebhookSender(acknowledged)
        self.records = Records(lambda: self.clock())
        self.login = Login(
            consumer_key, public_key_pem, username, integration_user_id, organization_id, lambda: self.clock()
        )
        self._rest = RestApi(self.records, self.login, self._dispatch)
        self._seeds: list[Mapping[str, Sequence[Record]]] = []
        self.clear()
        self.route("POST", "/services/oauth2/token", self.login.sign_in)
        for method, rule, endpoint in self._rest.routes():
            self.route(method, rule, endpoint)
        self.action("submit", lambda body: self._submit([body["opportunity_id"]], body))
        self.action("submit_many", lambda body: self._submit(body["opportunity_ids"], body))
        self.action("decide", self._decide)
        self.action("create", self._create)
        self.action("edit", self._edit)

    def load(self, records: Mapping[str, Sequence[Record]]) -> None:
        """Import records by object; ids of 15 or 18 characters are kept, missing ones made."""
        with self.lock:
            self._import(records)
            self._seeds.append(records)

    def clear(self) -> None:
        self.records.clear()
        self.login.tokens.clear()
        self._rest.pages.clear()
        name, email = "Deal Desk", "deal.desk@example.com"
        self._import({"User": [{"Id": self.login.user_id, "Name": name, "Email": email, "IsActive": True}]})
        for seed in self._seeds:
            self._import(seed)

    def state(self) -> Json:
        return {name: list(table.values()) for name, table in self.records.tables.items()}

    def vendor_error(self, status: int, code: str, message: str) -> Response:
        return json_answer([{"message": message, "errorCode": code}], status, USAGE)

    def refusal(self, refused: Refused) -> Response:
        fields = {"fields": refused.fields} if isinstance(refused, SalesforceRefused) else {}
        error = {"message": refused.message, "errorCode": refused.code, **fields}
        return json_answer([error], refused.status, USAGE)

    def _import(self, records: Mapping[str, Sequence[Record]]) -> None:
        for name, rows in records.items():
            for row in rows:
                self.records.seed(SCHEMA[name], row, self.login.user_id)

    def _submit(self, opportunity_ids: Sequence[str], body: Json) -> Json:
        """A rep submits quotes, as their owner or as `user_id`; one message tells of all of them."""
        if len(opportunity_ids) > MESSAGE_LIMIT:
            raise Refused(400, "TOO_MANY", f"one message carries up to {MESSAGE_LIMIT} notifications")
        submitted = {
            "Submitted_At__c": rest_datetime(self.clock().replace(microsecond=0)),
            "StageName": body.get("stage_name", SUBMITTED_STAGE),
        }
        opportunities = [self.records.find(SCHEMA["Opportunity"], one) for one in opportunity_ids]
        for opportunity in opportunities:
            user_id = self._user(str(body.get("user_id", opportunity["OwnerId"])))
            self.records.update(SCHEMA["Opportunity"], opportunity["Id"], submitted, user_id)
        self._tell("Opportunity", opportunities)
        return {"submitted": [opportunity["Id"] for opportunity in opportunities]}

    def _decide(self, body: Json) -> Json:
        """An approver decides in the CRM; the desk's package turns the decision into a message."""
        if body["decision"] not in DECISIONS:
            raise Refused(400, "INVALID_DECISION", f"the decision is one of {', '.join(DECISIONS)}")
        sobject = SCHEMA["Deal_Desk_Approval__c"]
        approval = self.records.keyed(sobject, "Approval_Key__c", body["approval_key"])
        if approval is None:
            raise Refused(404, "NOT_FOUND", f"no approval with the key {body['approval_key']}")
        user_id = self._user(body["user_id"])
        decision = {
            "Decision__c": body["decision"],
            "Decided_By__c": user_id,
            "Decided_At__c": rest_datetime(self.clock().replace(microsecond=0)),
            "Comment__c": body.get("comment"),
            "Conditions__c": body.get("conditions"),
        }
        self.records.update(sobject, approval["Id"], decision, user_id)
        self._tell(sobject.name, [approval])
        return approval

    def _create(self, body: Json) -> Json:
        """A person makes a record; nobody is told."""
        sobject = SCHEMA[body["type"]]
        made = self.records.create(sobject, body["fields"], self._user(body["user_id"]))
        return self.records.find(sobject, made)

    def _edit(self, body: Json) -> Json:
        """A person edits a record; nobody is told."""
        sobject = SCHEMA[body["type"]]
        self.records.update(sobject, body["id"], body["fields"], self._user(body["user_id"]))
        return self.records.find(sobject, body["id"])

    def _user(self, user_id: str) -> str:
        return str(self.records.find(SCHEMA["User"], as_id(user_id) or "")["Id"])

    def _tell(self, name: str, records: Sequence[Record]) -> None:
        if self.outbound_url:
            message = envelope(self.organization_id, self.url, SCHEMA[name], records)
            self.webhooks.deliver(self.outbound_url, message, HEADERS)
