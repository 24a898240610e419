"""Salesforce by simple-salesforce: reads quotes and answers back, mirrors the desk's state.

The quote is the Opportunity with its products; the desk writes only to its own two objects, Deal_Desk_Deal__c and
Deal_Desk_Approval__c, by upsert on their external ids, so its writes cannot trigger the message that called it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit, urlunsplit

import requests
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceError,
    SalesforceExpiredSession,
    SalesforceGeneralError,
    SalesforceMalformedRequest,
    SalesforceMoreThanOneRecord,
    SalesforceRefusedRequest,
    SalesforceResourceNotFound,
)
from simple_salesforce.format import format_soql

from dealdesk.contracts.crm_answers import WITH_CONDITIONS, YES
from dealdesk.contracts.salesforce_ids import long_id, person_id_of
from dealdesk.domain.money import parse_decimal
from dealdesk.domain.provider_choice import NO_RULES, ProviderRules
from dealdesk.domain.quote import Billing, ChargeType, Customer, InvalidQuote, Line, Quote, Risk
from dealdesk.errors import VendorRefused, VendorUnavailable
from dealdesk.ports import CrmAnswer, Person, SubmittedQuote

API_VERSION = "62.0"
TIMEOUT_SECONDS = (3.05, 8)
SIGN_IN = "/services/oauth2/token"
SALESFORCE = ".salesforce.com"

_QUOTE = (
    "SELECT Id, Name, OwnerId, LastModifiedById, CurrencyIsoCode, AccountId, Account.Name, "
    "Account.BillingCountryCode, Risk_Tier__c, Segment__c, Region__c, New_Logo__c, Payment_Terms_Days__c, "
    "Billing_Frequency__c, Term_Months__c, Quote_Valid_Until__c, Submitted_At__c, Signer_Contact__c, "
    "Signature_Provider__c, Payment_Provider__c, Ledger__c, "
    "Signer_Contact__r.Name, Signer_Contact__r.Email FROM Opportunity WHERE Id = {}"
)
_PROVIDERS = {"signature": "Signature_Provider__c", "payment": "Payment_Provider__c", "ledger": "Ledger__c"}
_LINES = (
    "SELECT Id, ProductCode, Quantity, ListPrice, UnitPrice, Charge_Type__c, Periods__c, Unit_Cost__c "
    "FROM OpportunityLineItem WHERE OpportunityId = {} ORDER BY SortOrder"
)
_ANSWERS = (
    "SELECT Id, Approval_Key__c, Deal_Id__c, Step__c, Fingerprint__c, Decision__c, Decided_By__c, Comment__c, "
    "Conditions__c FROM Deal_Desk_Approval__c WHERE "
)
_GROUPS = "SELECT Group.DeveloperName FROM GroupMember WHERE UserOrGroupId = {}"
_SUBMITTED = "SELECT Id, Submitted_At__c FROM Opportunity WHERE Submitted_At__c >= {}"

# What the library and this module raise when an answer has not the shape that they expect.
_UNREADABLE = (ValueError, TypeError, KeyError, AttributeError)
_BUSY = {"REQUEST_LIMIT_EXCEEDED", "SERVER_UNAVAILABLE", "UNABLE_TO_LOCK_ROW"}
Answer = TypeVar("Answer")


class _Session(requests.Session):
    """Signs in where the settings say, keeps their scheme and sets a timeout: the library writes https and has none."""

    def __init__(self, login_url: str) -> None:
        super().__init__()
        self._login = urlsplit(login_url)

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        asked = urlsplit(url.decode() if isinstance(url, bytes) else url)
        kwargs.setdefault("timeout", TIMEOUT_SECONDS)
        host = self._login.netloc if asked.path == SIGN_IN else asked.netloc
        there = urlunsplit((self._login.scheme, host, asked.path, asked.query, ""))
        return super().request(method, there, *args, **kwargs)


class SalesforceCrm:
    """The `Crm` port. Signs in at `url` by JWT bearer once, and again when the session has ended."""

    def __init__(
        self, url: str, *, consumer_key: str, private_key: str, username: str, rules: ProviderRules = NO_RULES
    ) -> None:
        self._url = url
        self._consumer_key = consumer_key
        self._private_key = private_key
        self._username = username
        self._rules = rules
        self._client: Salesforce | None = None

    def read_quote(self, record_id: str) -> SubmittedQuote:
        """Raises `VendorRefused` when the Opportunity is gone or is no valid quote, saying which field."""
        records = self._ask(format_soql(_QUOTE, record_id))
        if not records:
            raise VendorRefused(f"Salesforce has no Opportunity {record_id}")
        lines = self._ask(format_soql(_LINES, record_id))
        try:
            return _submitted(records[0], lines, self._rules)
        except (InvalidQuote, ValueError, KeyError, TypeError) as error:
            raise VendorRefused(f"Opportunity {record_id} is no valid quote: {error}") from error

    def read_answer(self, approval_key: str) -> CrmAnswer | None:
        answers = self._answers(format_soql(_ANSWERS + "Approval_Key__c = {}", approval_key))
        return answers[0] if answers else None

    def answers_of(self, deal_id: str) -> list[CrmAnswer]:
        return self._answers(format_soql(_ANSWERS + "Deal_Id__c = {}", deal_id))

    def submitted_since(self, since: datetime) -> list[tuple[str, datetime]]:
        records = self._ask(format_soql(_SUBMITTED, since))
        return [(long_id(record["Id"]), _moment(record["Submitted_At__c"])) for record in records]

    def mirror(self, deal_id: str, fields: Mapping[str, object], approvals: Iterable[Mapping[str, object]]) -> None:
        names = {name: f"{name.title()}__c" for name in fields if name != "record_id"}
        record = {names[name]: _plain(value) for name, value in fields.items() if name != "record_id"}
        record["Opportunity__c"] = fields["record_id"]
        self._upsert("Deal_Desk_Deal__c", f"Deal_Id__c/{quote(deal_id)}", record)
        for approval in approvals:
            self._mirror_approval(deal_id, approval)

    def _mirror_approval(self, deal_id: str, approval: Mapping[str, object]) -> None:
        record = {f"{name.title()}__c": value for name, value in approval.items() if name != "key"}
        record |= {"Deal__r": {"Deal_Id__c": deal_id}, "Deal_Id__c": deal_id}
        self._upsert("Deal_Desk_Approval__c", f"Approval_Key__c/{quote(str(approval['key']))}", record)

    def _upsert(self, kind: str, external_id: str, record: dict[str, object]) -> None:
        done = self._call(lambda sf: sf.restful(f"sobjects/{kind}/{external_id}", method="PATCH", json=record))
        if done is not None and not (isinstance(done, dict) and done.get("success")):
            raise VendorUnavailable(f"Salesforce did not say that {kind} was written")

    def _answers(self, soql: str) -> list[CrmAnswer]:
        decided = [r for r in self._ask(soql) if r.get("Decision__c") and r.get("Decided_By__c")]
        return [self._answer(record) for record in decided]

    def _answer(self, record: Mapping[str, Any]) -> CrmAnswer:
        user = record["Decided_By__c"]
        groups = {r["Group"]["DeveloperName"].replace("_", "-") for r in self._ask(format_soql(_GROUPS, user))}
        return CrmAnswer(
            key=record["Approval_Key__c"],
            deal_id=record["Deal_Id__c"],
            step=record["Step__c"],
            fingerprint=record["Fingerprint__c"],
            approve=record["Decision__c"] in YES,
            by=person_id_of(user),
            groups=frozenset(groups),
            comment=record.get("Comment__c") or "",
            conditional=record["Decision__c"] == WITH_CONDITIONS,
            conditions=record.get("Conditions__c") or "",
        )

    def _ask(self, soql: str) -> list[dict[str, Any]]:
        return list(self._call(lambda sf: sf.query_all(soql)["records"]))

    def _call(self, call: Callable[[Salesforce], Answer]) -> Answer:
        """Runs the call, once more after a new sign-in when the session had ended, and translates what fails."""
        try:
            try:
                return call(self._signed_in())
            except SalesforceExpiredSession:
                self._client = None
                return call(self._signed_in())
        except (SalesforceError, requests.RequestException, *_UNREADABLE) as error:
            raise translated(error) from error

    def _signed_in(self) -> Salesforce:
        if self._client is None:
            self._client = Salesforce(
                consumer_key=self._consumer_key,
                privatekey=self._private_key,
                username=self._username,
                domain=_domain(self._url),
                version=API_VERSION,
                session=_Session(self._url),
                parse_float=Decimal,
            )
        return self._client


def translated(error: Exception) -> VendorUnavailable | VendorRefused:
    """The one place that says what each failure of Salesforce means for the desk."""
    codes = _codes(error)
    if isinstance(error, requests.RequestException) or codes & _BUSY:
        return VendorUnavailable(f"Salesforce did not answer: {type(error).__name__} {' '.join(sorted(codes))}")
    if isinstance(error, SalesforceGeneralError | SalesforceExpiredSession):
        return VendorUnavailable(f"Salesforce failed with {getattr(error, 'status', '')}")
    if isinstance(error, SalesforceAuthenticationFailed):
        # A rejected sign-in may be a clock, a rotation or an outage: nothing about the deal is wrong.
        return VendorUnavailable(f"Salesforce refused the sign-in: {error.code}")
    if isinstance(
        error,
        SalesforceMalformedRequest
        | SalesforceMoreThanOneRecord
        | SalesforceRefusedRequest
        | SalesforceResourceNotFound,
    ):
        return VendorRefused(f"Salesforce refused: {' '.join(sorted(codes)) or error}")
    return VendorUnavailable(f"Salesforce failed: {type(error).__name__}")


def _domain(login_url: str) -> str:
    """The library's word for where to sign in: `login`, `test` for sandboxes, or a company's own domain."""
    host = urlsplit(login_url).hostname or ""
    return host.removesuffix(SALESFORCE) if host.endswith(SALESFORCE) else "login"


def _codes(error: Exception) -> set[str]:
    content = getattr(error, "content", None)
    items = content if isinstance(content, list) else []
    return {str(item["errorCode"]) for item in items if isinstance(item, dict) and "errorCode" in item}


def _submitted(record: Mapping[str, Any], lines: list[dict[str, Any]], rules: ProviderRules) -> SubmittedQuote:
    signer = record.get("Signer_Contact__r") or {}
    contact_id = f"contact-sf-{long_id(record['Signer_Contact__c'])}" if record.get("Signer_Contact__c") else None
    valid_until = record.get("Quote_Valid_Until__c")
    account = record.get("Account") or {}
    region, currency = record.get("Region__c"), record["CurrencyIsoCode"]
    asked = {role: record.get(field) for role, field in _PROVIDERS.items()}
    submitted = Quote(
        name=record["Name"],
        owner_id=person_id_of(record["OwnerId"]),
        customer=Customer(long_id(record["AccountId"]), account["Name"], account.get("BillingCountryCode") or ""),
        currency=currency,
        risk=Risk.parse(record.get("Risk_Tier__c")),
        payment_terms_days=int(record["Payment_Terms_Days__c"]),
        billing=Billing(record["Billing_Frequency__c"]),
        term_months=int(record["Term_Months__c"]),
        lines=tuple(_line(line) for line in lines),
        contact_id=contact_id,
        segment=record.get("Segment__c"),
        region=region,
        new_logo=record.get("New_Logo__c"),
        valid_until=date.fromisoformat(valid_until) if valid_until else None,
        providers=rules.choose(asked, region=region, currency=currency),
    )
    contact = Person(contact_id, signer["Name"], signer["Email"]) if contact_id and signer.get("Email") else None
    submitted_at = record.get("Submitted_At__c")
    return SubmittedQuote(
        submitted,
        contact,
        _moment(submitted_at) if submitted_at else None,
        person_id_of(record["LastModifiedById"]),
    )


def _line(record: Mapping[str, Any]) -> Line:
    cost = record.get("Unit_Cost__c")
    return Line(
        id=long_id(record["Id"]),
        sku=record["ProductCode"],
        charge_type=ChargeType(record.get("Charge_Type__c") or "recurring"),
        quantity=_number(record["Quantity"]),
        periods=int(record.get("Periods__c") or 1),
        list_unit_price=_number(record["ListPrice"]),
        net_unit_price=_number(record["UnitPrice"]),
        unit_cost=None if cost is None else _number(cost),
    )


def _number(value: object) -> Decimal:
    """Salesforce sends 10 and 10.0 for the same number; both become one, so that fingerprints agree."""
    return parse_decimal(f"{Decimal(str(value)).normalize():f}")


def _moment(text: str) -> datetime:
    """Salesforce writes +0000 without a colon."""
    return datetime.fromisoformat(text)


def _plain(value: object) -> object:
    return value.isoformat(timespec="milliseconds") if isinstance(value, datetime) else value
