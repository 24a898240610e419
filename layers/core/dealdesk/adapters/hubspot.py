"""HubSpot by hubspot-api-client: reads quotes and answers back, mirrors the desk's state.

The quote is the deal with its line items. The desk writes its own properties of the deal, all named deal_desk_…, and
one record of its custom object for each approval, by upsert on the approval's key. It never writes what its webhook
listens to, and writes nothing that is there already.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import hubspot

from dealdesk.adapters import hubspot_quote
from dealdesk.adapters.hubspot_calls import Gone, asked_of
from dealdesk.adapters.hubspot_history import CONDITIONS, DECIDED_ON, decision_of, last_editor_of
from dealdesk.adapters.hubspot_quote import Record, read_terms
from dealdesk.contracts.crm_answers import WITH_CONDITIONS, YES
from dealdesk.contracts.hubspot import DECISION, SUBMITTED, moment_of, person_id_of, record_id_of
from dealdesk.domain.provider_choice import NO_RULES, ProviderRules
from dealdesk.domain.quote import InvalidQuote
from dealdesk.errors import VendorRefused, VendorUnavailable
from dealdesk.ports import CrmAnswer, SubmittedQuote

BATCH, BATCH_WITH_HISTORY, PAGE = 100, 50, 500
SEARCH_PAGE = 200
KEY = "approval_key"
SIGNER_LABEL, PRIMARY_LABEL = "signer", "primary"
APPROVAL = (KEY, "deal_id", "step", "label", "fingerprint", "status", "summary", DECISION, "comment", CONDITIONS)


class HubspotCrm:
    """The `Crm` port. `approval_type` is the id of the custom object for approvals, like 2-3465404."""

    def __init__(self, url: str, *, access_token: str, approval_type: str, rules: ProviderRules = NO_RULES) -> None:
        crm = hubspot.Client.create(access_token=access_token, host=url.rstrip("/"), retry=False).crm
        # Each property of the client makes a connection pool anew.
        self._basic, self._batch, self._search = crm.objects.basic_api, crm.objects.batch_api, crm.objects.search_api
        self._owners = crm.owners.owners_api
        self._links, self._link_batch = crm.associations.v4.basic_api, crm.associations.v4.batch_api
        self._approval_type = approval_type
        self._rules = rules

    def read_quote(self, record_id: str) -> SubmittedQuote:
        """Raises `VendorRefused` when the deal is gone or is no valid quote, saying which property."""
        names = list(hubspot_quote.DEAL)
        deal = asked_of(
            self._basic.get_by_id, "deals", record_id, properties=names, properties_with_history=names, archived=False
        )
        lines = self._linked(record_id, "line_items", hubspot_quote.LINE)
        company = self._linked(record_id, "companies", hubspot_quote.COMPANY, PRIMARY_LABEL)
        contact = self._linked(record_id, "contacts", hubspot_quote.CONTACT, SIGNER_LABEL)
        quotes = self._linked(record_id, "quotes", hubspot_quote.QUOTE)
        owner_id = self._owner(deal.properties.get("hubspot_owner_id"), record_id)
        if len(company) != 1:
            raise VendorRefused(f"deal {record_id} needs one primary company")
        try:
            signer = contact[0] if len(contact) == 1 else None
            quote, person = read_terms(_record(deal), lines, company[0], signer, quotes, owner_id, self._rules)
        except (InvalidQuote, ValueError) as error:
            raise VendorRefused(f"deal {record_id} is no valid quote: {error}") from error
        editor = last_editor_of(deal.properties_with_history or {}, lines)
        return SubmittedQuote(quote, person, moment_of(deal.properties.get(SUBMITTED)), editor or owner_id)

    def read_answer(self, approval_key: str) -> CrmAnswer | None:
        try:
            record = asked_of(
                self._basic.get_by_id,
                self._approval_type,
                approval_key,
                id_property=KEY,
                properties=list(APPROVAL),
                properties_with_history=[DECISION, CONDITIONS, *DECIDED_ON],
            )
        except Gone:
            return None
        return self._answer(record)

    def answers_of(self, deal_id: str) -> list[CrmAnswer]:
        try:
            linked = self._links_of(record_id_of(deal_id), self._approval_type)
        except Gone:
            return []
        records = self._read(self._approval_type, list(linked), APPROVAL, history=[DECISION, CONDITIONS, *DECIDED_ON])
        answers = [self._answer(record) for record in records]
        return [answer for answer in answers if answer is not None and answer.deal_id == deal_id]

    def submitted_since(self, since: datetime) -> list[tuple[str, datetime]]:
        """By search, whose index lags some seconds behind: a later sweep sees what this one does not."""
        wanted = {"propertyName": SUBMITTED, "operator": "GTE", "value": str(int(since.timestamp() * 1000))}
        asked: dict[str, object] = {
            "filterGroups": [{"filters": [wanted]}],
            "sorts": [{"propertyName": SUBMITTED, "direction": "ASCENDING"}],
            "properties": [SUBMITTED],
            "limit": SEARCH_PAGE,
        }
        found: list[tuple[str, datetime]] = []
        while True:
            page = asked_of(self._search.do_search, "deals", asked)
            moments = [(str(deal.id), moment_of(deal.properties.get(SUBMITTED))) for deal in page.results]
            found.extend((record_id, moment) for record_id, moment in moments if moment)
            if not page.paging or not page.paging.next:
                return found
            asked["after"] = page.paging.next.after

    def mirror(self, deal_id: str, fields: Mapping[str, object], approvals: Iterable[Mapping[str, object]]) -> None:
        record_id = str(fields["record_id"])
        wanted = {f"deal_desk_{name}": _text(value) for name, value in fields.items() if name != "record_id"}
        wanted["deal_desk_deal_id"] = deal_id
        shown = asked_of(self._basic.get_by_id, "deals", record_id, properties=list(wanted), archived=False)
        if changed := _changed(shown.properties, wanted):
            asked_of(self._basic.update, "deals", record_id, {"properties": changed})
        keyed = {str(approval["key"]): _approval(deal_id, approval) for approval in approvals}
        for keys in _chunks(list(keyed), BATCH):
            self._mirror_approvals(record_id, {key: keyed[key] for key in keys})

    def _mirror_approvals(self, record_id: str, wanted: Mapping[str, Mapping[str, str]]) -> None:
        """Upserts what differs; links all of them, since a worker may have died between the two."""
        read = self._read(self._approval_type, list(wanted), APPROVAL, key=KEY)
        known = {record.properties[KEY]: record for record in read}
        ids = {key: record.id for key, record in known.items()}
        changed = {
            key: properties
            for key, properties in wanted.items()
            if key not in known or _changed(known[key].properties, properties)
        }
        if changed:
            inputs = [{"idProperty": KEY, "id": key, "properties": properties} for key, properties in changed.items()]
            upserted = asked_of(self._batch.upsert, self._approval_type, {"inputs": inputs})
            _require_whole(upserted, len(inputs))
            ids |= {record.properties[KEY]: record.id for record in upserted.results}
        links = [{"from": {"id": approval}, "to": {"id": record_id}} for approval in ids.values()]
        asked_of(self._link_batch.create_default, self._approval_type, "deals", {"inputs": links})

    def _answer(self, record: Any) -> CrmAnswer | None:
        given, decision = record.properties, decision_of(record.properties_with_history or {})
        if decision is None:
            return None
        return CrmAnswer(
            key=given[KEY],
            deal_id=given["deal_id"],
            step=given["step"],
            fingerprint=given["fingerprint"],
            approve=decision.value in YES,
            by=person_id_of(decision.updated_by_user_id),
            groups=self._groups(decision.updated_by_user_id),
            comment=given.get("comment") or "",
            conditional=decision.value == WITH_CONDITIONS,
            conditions=given.get(CONDITIONS) or "",
        )

    def _groups(self, user_id: int) -> frozenset[str]:
        """The teams that the person is in now; somebody who has left the account is in none."""
        try:
            owner = asked_of(self._owners.get_by_id, user_id, id_property="userId", archived=False)
        except Gone:
            return frozenset()
        return frozenset(team.name.replace("_", "-") for team in owner.teams or [])

    def _owner(self, owner_id: str | None, record_id: str) -> str:
        if not owner_id:
            raise VendorRefused(f"deal {record_id} has no owner")
        try:
            owner = asked_of(self._owners.get_by_id, owner_id, id_property="id", archived=False)
        except Gone:
            owner = asked_of(self._owners.get_by_id, owner_id, id_property="id", archived=True)
        user_id = owner.user_id or owner.user_id_including_inactive
        if not user_id:
            raise VendorRefused(f"the owner of deal {record_id} is no user of the account")
        return person_id_of(user_id)

    def _linked(self, record_id: str, kind: str, names: Sequence[str], label: str = "") -> list[Record]:
        """The records of a kind that belong to the deal; with a `label`, those that bear it, else all."""
        linked = self._links_of(record_id, kind)
        chosen = [record for record, labels in linked.items() if label and label in labels] or list(linked)
        return [_record(record) for record in self._read(kind, chosen, names)]

    def _links_of(self, record_id: str, kind: str) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        after: str | None = None
        while True:
            more = {} if after is None else {"after": after}
            page = asked_of(self._links.get_page, "deals", record_id, kind, limit=PAGE, **more)
            for link in page.results:
                found[str(link.to_object_id)] = {(type_.label or "").lower() for type_ in link.association_types}
            if not page.paging or not page.paging.next:
                return found
            after = page.paging.next.after

    def _read(
        self, kind: str, ids: Sequence[str], names: Sequence[str], *, history: Sequence[str] = (), key: str = ""
    ) -> list[Any]:
        """The records that exist, by their ids or by the unique property `key`."""
        by_key = {"idProperty": key} if key else {}
        kept = {"propertiesWithHistory": list(history), "properties": list(names), **by_key}
        found: list[Any] = []
        for chunk in _chunks(ids, BATCH_WITH_HISTORY if history else BATCH):
            asked = {**kept, "inputs": [{"id": one} for one in chunk]}
            found.extend(asked_of(self._batch.read, kind, asked, archived=False).results)
        return found


def _require_whole(batch: Any, asked: int) -> None:
    """A batch may succeed in part, with status 207. Raises for what did not."""
    errors = getattr(batch, "errors", None) or []
    if errors or len(batch.results) != asked:
        told = "; ".join(str(error.message) for error in errors)[:300]
        raise VendorUnavailable(f"HubSpot took only part of a batch: {told}")


def _record(found: Any) -> Record:
    return Record(str(found.id), found.properties)


def _approval(deal_id: str, approval: Mapping[str, object]) -> dict[str, str]:
    given = {name: _text(value) for name, value in approval.items() if name != "key"}
    return given | {KEY: str(approval["key"]), "deal_id": deal_id}


def _changed(shown: Mapping[str, str | None], wanted: Mapping[str, str]) -> dict[str, str]:
    """What has to be written so that the record shows what is wanted."""
    return {name: value for name, value in wanted.items() if not _same(shown.get(name) or "", value)}


def _same(shown: str, wanted: str) -> bool:
    """HubSpot writes a time without its zeros, and cuts white space off the ends of a text."""
    moment = moment_of(wanted)
    return shown.strip() == wanted.strip() or (moment is not None and moment_of(shown) == moment)


def _text(value: object) -> str:
    """A value as HubSpot takes it; the empty text clears a property."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return str(value)


def _chunks(items: Sequence[str], size: int) -> Iterable[Sequence[str]]:
    return (items[start : start + size] for start in range(0, len(items), size))
