"""What stands at the end, counted at the vendors and read from the table, never by the desk's own word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from dealdesk.adapters import codec
from dealdesk.domain import events as e
from dealdesk.domain.chain import Recorded
from dealdesk.domain.deal import Deal, waits_for
from dealdesk.domain.decision import Outcome
from dealdesk.domain.stages import Stage
from dealdesk.errors import DealUnknown
from local.people import CONTRACTS, INVOICES, PATHS, Json
from operate import dead_letters, figures, snapshots
from operate.compare import compare
from operate.installation import Installation
from operate.vendors import vendors_of
from tests.chaos.cast import Cast, State

REFUSED = (401, 403)


def is_over(deal: Deal) -> bool:
    """Whether it waits for nothing but, at most, for somebody who is named in the CRM."""
    return waits_for(deal) is None and (deal.stage is Stage.CLOSED or bool(whom_it_waits_for(deal)))


def whom_it_waits_for(deal: Deal) -> str:
    """The person, and why; empty when nobody is asked."""
    failed = [f"{intent.effect.value} failed: {intent.failed}" for intent in deal.intents if intent.failed]
    if deal.problem or failed:
        return f"{deal.owner_id}: {'; '.join([deal.problem, *failed])}"
    if deal.stage is Stage.EVALUATED and deal.decision and deal.decision.outcome is Outcome.BLOCKED:
        return f"{deal.owner_id}: blocked by the policy"
    return ""


def all_findings(at: Installation, cast: Cast, told_to_n8n: frozenset[str]) -> list[str]:
    """Every promise that does not hold; `told_to_n8n` are the types of events that n8n is to hear."""
    seen: dict[str, Json] = {}

    def state(twin: str) -> Json:
        return seen.setdefault(twin, cast.state(twin))

    deals, histories = {}, {}
    found: list[str] = []
    for deal_id in cast.deals:
        try:
            deals[deal_id], histories[deal_id] = at.deals.load(deal_id), at.deals.history(deal_id)
        except DealUnknown:
            found.append(f"{deal_id} was submitted, and the desk does not know it")
    for deal in deals.values():
        found += _end(deal)
    found += effects(cast, deals, state)
    found += money(histories, state)
    found += _whole(at)
    found += _agreed(at, deals, histories)
    found += told(histories, state("n8n"), told_to_n8n)
    found += mirrored(deals, state)
    found += _letters(at)
    found += (fault.what for fault in figures.faults(at))
    return found


def _end(deal: Deal) -> Iterator[str]:
    if not is_over(deal):
        yield f"{deal.id} stays {deal.stage.value}, version {deal.version}, and waits for {waits_for(deal) or 'nobody'}"


def effects(cast: Cast, deals: Mapping[str, Deal], state: State) -> Iterator[str]:
    """Each deal has its contract, its money and its invoice once, and no vendor holds one of nobody's."""
    counted: Counter[str] = Counter()
    for deal_id, deal in deals.items():
        path = PATHS[cast.deals[deal_id].path]
        number = deal.invoice.draft.number if deal.invoice else ""
        counts = cast.people(cast.deals[deal_id].path, state).effects(deal_id, number)
        failed = whom_it_waits_for(deal)
        wanted = cast.effects_wanted(deal_id)
        wrong = any(count > wanted for count in counts) if failed else any(count != wanted for count in counts)
        if wrong:
            yield f"{deal_id} has {counts} contracts, payments and invoices at {path}; each is to be {wanted}"
        counted.update(dict(zip((path.signature, path.payment, path.ledger), counts, strict=True)))
    for vendor, held in _held(state).items():
        if held != counted[vendor]:
            yield f"{vendor} holds {held} things, the deals have {counted[vendor]} of them"


def _held(state: State) -> dict[str, int]:
    """All contracts, payments and invoices that there are."""
    money_at = {"stripe": len(list(_stripe(state))), "paypal": len(list(_paypal(state)))}
    contracts = {vendor: len(state(vendor)[name]) for vendor, name in CONTRACTS.items()}
    return contracts | money_at | {vendor: len(state(vendor).get(name, [])) for vendor, name in INVOICES.items()}


def money(histories: Mapping[str, list[Recorded]], state: State) -> Iterator[str]:
    """What the providers collected is what the desk recorded, deal by deal and currency by currency."""
    collected: Counter[tuple[str, str]] = Counter()
    for deal_id, currency, minor in (*_stripe(state), *_paypal(state)):
        collected[deal_id, currency] += minor
    recorded: Counter[tuple[str, str]] = Counter()
    for deal_id, history in histories.items():
        for record in history:
            event = codec.parse_event(record.type, record.data)
            if isinstance(event, e.PaymentSucceeded | e.PaymentUnmatched):
                recorded[deal_id, event.amount.currency] += event.amount.amount_minor
    for key in sorted({*collected, *recorded}):
        if collected[key] != recorded[key]:
            yield f"{key[0]}: {collected[key]} {key[1]} were collected and {recorded[key]} recorded (minor units)"


def _stripe(state: State) -> Iterator[tuple[str, str, int]]:
    for session in state("stripe")["sessions"]:
        if session["payment_status"] == "paid":
            yield session["metadata"]["deal_id"], session["currency"].upper(), session["amount_total"]


def _paypal(state: State) -> Iterator[tuple[str, str, int]]:
    """A capture's `custom_id` ends in the deal's id; all currencies here have two decimals."""
    for capture in state("paypal")["captures"]:
        if capture["status"] == "COMPLETED":
            whole, _, cents = capture["amount"]["value"].partition(".")
            deal_id = str(capture["custom_id"]).rpartition(",")[2]
            yield deal_id, capture["amount"]["currency_code"], int(whole) * 100 + int(cents.ljust(2, "0"))


def _whole(at: Installation) -> Iterator[str]:
    """Every deal's events are gapless and true, and its rows are what they say; the same for policies."""
    yield from snapshots.policy_faults(at)
    for deal_id in snapshots.deal_ids(at):
        finding = snapshots.examine(at, deal_id)
        for fault in (*finding.broken, *finding.stale):
            yield f"{deal_id}: {fault}"


def _agreed(at: Installation, deals: Mapping[str, Deal], histories: Mapping[str, list[Recorded]]) -> Iterator[str]:
    """Each thing is at its vendor as the desk has it, asked by the desk's own adapters."""
    vendors = vendors_of(at)
    for deal_id, deal in deals.items():
        for line in compare(deal, histories[deal_id], vendors):
            if not line.agrees:
                yield f"{deal_id}, {line.what}: the desk has {line.desk}; {line.vendor}"


def told(histories: Mapping[str, list[Recorded]], n8n: Json, types: frozenset[str]) -> Iterator[str]:
    """n8n heard of every event that its rule names, and never two things under one key."""
    heard = {call["body"]["id"] for call in n8n["events"]}
    for key in n8n["conflicting"]:
        yield f"n8n heard different things as {key}"
    for history in histories.values():
        for record in history:
            if record.type in types and record.id not in heard:
                yield f"n8n never heard of {record.id}, {record.type}"


def mirrored(deals: Mapping[str, Deal], state: State) -> Iterator[str]:
    """The CRM shows every deal as it stands."""
    shown = {row["Deal_Id__c"]: row["Stage__c"] for row in state("salesforce").get("Deal_Desk_Deal__c", [])}
    for row in state("hubspot").get("deals", []):
        shown[f"hs-{row['id']}"] = row["properties"].get("deal_desk_stage")
    for deal_id, deal in deals.items():
        if shown.get(deal_id) != deal.stage.value:
            yield f"{deal_id} is {deal.stage.value}, and the CRM shows {shown.get(deal_id)}"


def refused(deliveries: Mapping[str, list[Json]]) -> Iterator[str]:
    """Every webhook was the vendor's own."""
    for twin, tries in deliveries.items():
        statuses = Counter(one["status"] for one in tries if one["status"] in REFUSED)
        for status, number in sorted(statuses.items()):
            yield f"{number} genuine webhooks of {twin} were refused with {status}"


def _letters(at: Installation) -> Iterator[str]:
    for name, queue in dead_letters.queues(at).items():
        if number := dead_letters.count(queue.dead_url):
            yield f"{number} dead letters lie in {name} and do not go away"
