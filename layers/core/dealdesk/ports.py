"""What the desk needs from outside, as roles; `adapters/` has the brands that fill them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Protocol

from dealdesk.domain.chain import Recorded
from dealdesk.domain.deal import Deal
from dealdesk.domain.decision import FxRate
from dealdesk.domain.directory import Delegation, Directory, Member
from dealdesk.domain.events import CreditMemo, Event, InvoiceDraft
from dealdesk.domain.money import Money
from dealdesk.domain.quote import Quote
from dealdesk.domain.stages import EnvelopeStatus

# A webhook function never decides on a policy, and would pay for the compiler of policies in every cold start.
if TYPE_CHECKING:
    from dealdesk.domain.calendar import BusinessCalendar
    from dealdesk.domain.policy import Policy
from dealdesk.domain.policy_version import PolicyVersion


@dataclass(frozen=True, slots=True, repr=False)
class Cause:
    """The message, request or event that a change comes from: `stripe:evt_…`, `api:{key}`, `bus:{event id}`.

    With a `payload_hash`, the same cause with another payload is refused instead of taken for a replay.
    """

    source: str
    id: str
    payload_hash: str | None = None

    def __str__(self) -> str:
        return f"{self.source}:{self.id}"


class Deals(Protocol):
    """The only way to read and write deals."""

    def load(self, deal_id: str, cause: Cause | None = None, *, or_new: bool = False) -> Deal:
        """The deal as it is now, read together with the claim of `cause`.

        Raises `AlreadyHandled` for a cause that has made its change, `CauseReused` when it did so with another
        payload, and `DealUnknown` unless `or_new` asks for an empty deal instead.
        """
        ...

    def save(self, deal: Deal, events: Sequence[Event], *, cause: Cause, actor: str, now: datetime) -> Deal:
        """Claims the cause, checks the version, writes the snapshot and appends the events, all or nothing.

        Raises `AlreadyHandled`, `CauseReused`, `VersionMoved`, `TooLarge` (before anything is written), `TableBusy`.
        """
        ...

    def history(self, deal_id: str, *, until: datetime | None = None) -> list[Recorded]: ...

    def story(self, deal_id: str, *, until: datetime | None = None) -> list[tuple[Recorded, Event]]:
        """The history with the event in each record."""
        ...

    def as_of(self, deal_id: str, *, version: int | None = None, at: datetime | None = None) -> Deal:
        """The deal as it was, folded from its events."""
        ...


@dataclass(frozen=True, slots=True, repr=False)
class DealSummary:
    """A line of the list of deals."""

    deal_id: str
    name: str
    stage: str
    owner_id: str | None
    crm: str | None
    outcome: str | None
    total_minor: int | None
    currency: str | None
    updated_at: str


@dataclass(frozen=True, slots=True, repr=False)
class SilentDeal:
    deal_id: str
    waits_for: str
    due_at: str


class DealIndex(Protocol):
    def page(
        self,
        *,
        stage: str | None,
        owner: str | None,
        crm: str | None,
        updated_since: str | None,
        cursor: str | None,
        limit: int,
    ) -> tuple[list[DealSummary], str | None]:
        """Newest first, and the cursor of the next page."""
        ...

    def silent(self, now: datetime, limit: int) -> list[SilentDeal]: ...

    def rounds(self, now: datetime, most: int) -> list[str]:
        """Deals whose approval round needs a look by now, the longest waiting first."""
        ...


@dataclass(frozen=True, slots=True, repr=False)
class Person:
    """Somebody's name and address: kept apart from deals and events, which hold only the id."""

    id: str
    name: str
    email: str


class People(Protocol):
    def remember(self, person: Person) -> None: ...

    def find(self, person_id: str) -> Person | None: ...


class Approvers(Protocol):
    """The only way to read and write who approves, and who acts for whom."""

    def directory(self, cause: Cause | None = None) -> Directory:
        """Everybody whom the desk knows, as of now. Raises `AlreadyHandled` and `CauseReused` for a seen cause."""
        ...

    def version(self) -> int:
        """How often the directory was written; 0 before the first time."""
        ...

    def keep_members(
        self,
        members: Sequence[Member],
        calendars: Mapping[str, BusinessCalendar],
        *,
        seen: int,
        cause: Cause,
        by: str,
        now: datetime,
    ) -> int:
        """Writes the directory after version `seen` and returns its version.

        Raises `AlreadyHandled`, `CauseReused`, `VersionMoved`, `TooLarge`, `TableBusy`.
        """
        ...

    def keep_delegation(self, delegation: Delegation, *, cause: Cause, now: datetime) -> None:
        """Writes a delegation, new or ended. Raises as `keep_members` does."""
        ...


@dataclass(frozen=True, slots=True, repr=False)
class Counted:
    """What a deal has added to the figures, as of the event with this number. `row` is how the table has it."""

    counts: Mapping[str, Mapping[str, int]]
    version: int
    row: str


class Figures(Protocol):
    """What deals add to the desk's figures (`domain/figures.py`), and the sums by day and by quarter of an hour."""

    def added_by(self, deal_id: str) -> Counted | None:
        """None for a deal that has added nothing yet."""
        ...

    def keep(
        self,
        deal_id: str,
        counts: Mapping[str, Mapping[str, int]],
        *,
        version: int,
        before: Counted | None,
        now: datetime,
    ) -> None:
        """Puts `counts` in the place of what the deal had added `before`, there and in the sums, all or nothing.

        Raises `VersionMoved` when that is not what it has added, `TooLarge`, `TableBusy`.
        """
        ...

    def between(self, start: datetime, end: datetime) -> tuple[Mapping[str, int], datetime | None]:
        """The sums of [start, end), both on a quarter of an hour, and when the newest of them was written."""
        ...


class Policies(Protocol):
    def current(self, now: datetime) -> Policy: ...

    def binding(self, policy_id: str, version: int, now: datetime) -> Policy:
        """The policy that a deal follows now which this version decided: that one, while what was published since
        spares deals in flight, or the one in force. Raises `PolicyUnknown` for a version that never decided.
        """
        ...

    def fx_rates(self, now: datetime, into: str = "USD") -> Mapping[str, FxRate]:
        """Dated rates into the currency of a policy, by the currency of a quote."""
        ...


class PolicyBook(Protocol):
    """The only way to read and write the versions of policies."""

    def versions(self, policy_id: str, cause: Cause | None = None) -> list[PolicyVersion]:
        """Every version by its number, none for a policy that nobody knows.

        Raises `AlreadyHandled` for a cause that has made its change, and `CauseReused`.
        """
        ...

    def history(self, policy_id: str) -> list[Recorded]:
        """Everything that happened to the policy, in order; none for one that nobody has changed."""
        ...

    def keep(self, version: PolicyVersion, *, seen: int, cause: Cause, now: datetime) -> None:
        """Claims the cause and writes a version that follows number `seen`, or publishes number `seen` itself.

        The event that says so is written with it.

        Raises `AlreadyHandled`, `CauseReused`, `VersionMoved`, `TooLarge`, `TableBusy`.
        """
        ...


@dataclass(frozen=True, slots=True, repr=False)
class SubmittedQuote:
    """A quote as the CRM has it now."""

    quote: Quote
    contact: Person | None
    submitted_at: datetime | None
    last_editor: str


@dataclass(frozen=True, slots=True, repr=False)
class CrmAnswer:
    """A decided approval record as the CRM has it now, with the groups of the person who decided.

    `conditions` are as they typed them, one a line; a yes is `conditional` when they pressed the button that says so.
    """

    key: str
    deal_id: str
    step: str
    fingerprint: str
    approve: bool
    by: str
    groups: frozenset[str]
    comment: str
    conditional: bool = False
    conditions: str = ""


class Crm(Protocol):
    def read_quote(self, record_id: str) -> SubmittedQuote: ...

    def read_answer(self, approval_key: str) -> CrmAnswer | None: ...

    def answers_of(self, deal_id: str) -> list[CrmAnswer]: ...

    def submitted_since(self, since: datetime) -> list[tuple[str, datetime]]:
        """Record ids and submission times, for quotes whose message may have been lost."""
        ...

    def mirror(self, deal_id: str, fields: Mapping[str, object], approvals: Iterable[Mapping[str, object]]) -> None: ...


@dataclass(frozen=True, slots=True, repr=False)
class EnvelopeState:
    """`expires_at` is when the provider ends an unsigned contract, where it says so."""

    envelope_id: str
    status: EnvelopeStatus
    key: str
    reason: str
    changed_at: datetime
    expires_at: datetime | None = None


class Signatures(Protocol):
    def send(self, key: str, deal: Deal, signer: Person) -> str:
        """The id of the envelope sent. Not idempotent at the vendor: look it up after any doubt."""
        ...

    def look_up(self, key: str, opened_at: datetime) -> EnvelopeState | None: ...

    def status(self, envelope_id: str) -> EnvelopeState: ...

    def void(self, envelope_id: str, reason: str) -> None: ...

    def resend(self, envelope_id: str, signer: Person) -> None:
        """The signer gets the provider's e-mail once more; asked twice, at worst twice. Raises `VendorRefused` for an
        envelope that is not out.
        """
        ...

    def recipient_view(self, envelope_id: str, signer: Person, return_url: str) -> str:
        """An address at which this signer can sign, once and soon. It is never kept, and what comes back with the
        signer to `return_url` proves nothing. Raises `VendorRefused` where the provider has no such page.
        """
        ...


@dataclass(frozen=True, slots=True, repr=False)
class PaymentLink:
    session_id: str
    url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, repr=False)
class PaymentState:
    """`outcome` is `open`, `approved` (the payer agreed, nothing has moved yet), `paid`, `processing`, `expired` or
    `failed`. `payment_id` is empty for a session that the vendor no longer knows: that one is `expired`.
    """

    session_id: str
    payment_id: str
    outcome: str
    amount: Money
    reference: str
    reason: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class RefundState:
    """`outcome` is `pending`, `succeeded` or `failed`; `key` is that of the intent, as the vendor kept it."""

    refund_id: str
    key: str
    outcome: str
    amount: Money
    reason: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class DisputeState:
    """`outcome` is `open`, `won` or `lost`; `fee` is what the provider takes for it, where it says so."""

    dispute_id: str
    outcome: str
    amount: Money
    reason: str = ""
    fee: Money | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Correction:
    """What a provider says of money that it knows by `reference`: of a refund, of a dispute, or how much of it has been
    given back in all. `deal_id` is empty where the message names no deal.
    """

    reference: str
    deal_id: str = ""
    refund: RefundState | None = None
    dispute: DisputeState | None = None
    refunded: Money | None = None


class References(Protocol):
    """Which deal money belongs to, by the id that the payment provider knows it by."""

    def deal_of(self, vendor: str, reference: str) -> str | None: ...


class Payments(Protocol):
    def create_link(self, key: str, payment_id: str, deal: Deal, amount: Money, now: datetime) -> PaymentLink: ...

    def look_up(self, key: str, payment_id: str, opened_at: datetime) -> PaymentLink | None: ...

    def state(self, session_id: str) -> PaymentState: ...

    def cancel(self, session_id: str, key: str) -> PaymentState: ...

    def capture(self, session_id: str, key: str) -> PaymentState:
        """Takes what the payer has approved, once; where the vendor takes it by itself, only its state."""
        ...

    def refund(self, key: str, reference: str, amount: Money, deal_id: str) -> RefundState:
        """Gives back part or all of the settled payment with this vendor reference."""
        ...

    def look_up_refund(self, key: str, reference: str) -> RefundState | None: ...

    def refunds_of(self, reference: str) -> list[RefundState]:
        """Every refund of this money, whoever made it."""
        ...

    def disputes_of(self, reference: str) -> list[DisputeState]:
        """Every dispute about this money. What a refund gave back for one is not in its amount: it counts once."""
        ...


@dataclass(frozen=True, slots=True, repr=False)
class LedgerInvoice:
    ledger_id: str
    number: str
    total_minor: int
    due_on: date


@dataclass(frozen=True, slots=True, repr=False)
class InvoiceReport:
    """What the ledger has of an invoice of ours, when it says that somebody has touched it."""

    deal_id: str
    invoice_id: str
    ledger_id: str
    said: str


class Ledger(Protocol):
    def post(self, key: str, draft: InvoiceDraft, deal: Deal, on: date) -> LedgerInvoice: ...

    def look_up(self, draft: InvoiceDraft) -> LedgerInvoice | None: ...

    def credit(self, key: str, memo: CreditMemo, deal: Deal, on: date) -> LedgerInvoice:
        """A credit memo for lines of a posted invoice, linked to it; `total_minor` of the answer is what it credits."""
        ...

    def look_up_credit(self, memo: CreditMemo) -> LedgerInvoice | None: ...


class Notifier(Protocol):
    def notify(self, event_id: str, body: bytes, now: datetime) -> None: ...


class Parking(Protocol):
    """Where a message waits that cannot be handled yet."""

    def park(self, message: Mapping[str, object]) -> None: ...
