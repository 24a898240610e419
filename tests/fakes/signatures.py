"""An e-signature provider in memory, as slow to void and as forgetful of keys as the real ones may be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from dealdesk.domain.deal import Deal
from dealdesk.domain.stages import EnvelopeStatus
from dealdesk.errors import VendorRefused, VendorUnavailable
from dealdesk.ports import EnvelopeState, Person


class Trouble(StrEnum):
    """What goes wrong with the next call; after `lost answer` and `unreadable` the work is done."""

    LOST_ANSWER = "lost answer"
    UNREADABLE = "unreadable"
    FAILED = "failed"
    TIMEOUT = "timeout"
    SLOW_DOWN = "slow down"


RETRY_AFTER_SECONDS = 90
EXPIRED = "the contract has expired"

Answer = TypeVar("Answer")


@dataclass(slots=True)
class Contract:
    id: str
    key: str
    deal_id: str
    signer: Person
    status: EnvelopeStatus
    reason: str
    changed_at: datetime
    expires_at: datetime | None = None
    void_asked: str | None = None
    e_mails: int = 1


class FakeSignatures:
    """The `Signatures` port. `contracts` is everything that was ever sent, in its order."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.contracts: list[Contract] = []
        self.views: list[str] = []
        self.trouble: Trouble | None = None
        self._clock = clock

    def send(self, key: str, deal: Deal, signer: Person) -> str:
        def work() -> str:
            if "@" not in signer.email:
                raise VendorRefused(f"{signer.email!r} is no address")
            envelope_id = f"fake-{len(self.contracts) + 1}"
            now = self._clock()
            self.contracts.append(Contract(envelope_id, key, deal.id, signer, EnvelopeStatus.SENT, "", now))
            return envelope_id

        return self._through_trouble(work)

    def look_up(self, key: str, opened_at: datetime) -> EnvelopeState | None:
        def work() -> EnvelopeState | None:
            found = next((contract for contract in self.contracts if contract.key == key), None)
            return _state(found) if found else None

        return self._through_trouble(work)

    def status(self, envelope_id: str) -> EnvelopeState:
        return self._through_trouble(lambda: _state(self._known(envelope_id)))

    def void(self, envelope_id: str, reason: str) -> None:
        def work() -> None:
            contract = self._known(envelope_id)
            if contract.status is EnvelopeStatus.SENT:
                contract.void_asked = reason

        self._through_trouble(work)

    def resend(self, envelope_id: str, signer: Person) -> None:
        def work() -> None:
            self._out(envelope_id).e_mails += 1

        self._through_trouble(work)

    def recipient_view(self, envelope_id: str, signer: Person, return_url: str) -> str:
        def work() -> str:
            contract = self._out(envelope_id)
            if contract.signer != signer:
                raise VendorRefused(f"{signer.id} does not sign {envelope_id}")
            self.views.append(f"https://sign.test/{len(self.views) + 1}")
            return self.views[-1]

        return self._through_trouble(work)

    def _out(self, envelope_id: str) -> Contract:
        contract = self._known(envelope_id)
        if contract.status is not EnvelopeStatus.SENT:
            raise VendorRefused(f"{envelope_id} is {contract.status}")
        return contract

    def sign(self, envelope_id: str) -> None:
        self._end(envelope_id, EnvelopeStatus.COMPLETED)

    def decline(self, envelope_id: str, reason: str) -> None:
        self._end(envelope_id, EnvelopeStatus.DECLINED, reason)

    def expire(self, envelope_id: str) -> None:
        self._end(envelope_id, EnvelopeStatus.VOIDED, EXPIRED)

    def ends_in(self, envelope_id: str, span: timedelta) -> None:
        self._known(envelope_id).expires_at = self._clock() + span

    def finish_void(self, envelope_id: str) -> None:
        """The provider gets round to the void that was asked for."""
        self._end(envelope_id, EnvelopeStatus.VOIDED, self._known(envelope_id).void_asked or "")

    def _end(self, envelope_id: str, status: EnvelopeStatus, reason: str = "") -> None:
        contract = self._known(envelope_id)
        if contract.status is EnvelopeStatus.SENT:
            contract.status, contract.reason, contract.changed_at = status, reason, self._clock()

    def _known(self, envelope_id: str) -> Contract:
        found = next((contract for contract in self.contracts if contract.id == envelope_id), None)
        if found is None:
            raise VendorRefused(f"there is no contract {envelope_id}")
        if found.status is EnvelopeStatus.SENT and found.expires_at and found.expires_at <= self._clock():
            found.status, found.reason, found.changed_at = EnvelopeStatus.VOIDED, EXPIRED, found.expires_at
        return found

    def _through_trouble(self, work: Callable[[], Answer]) -> Answer:
        trouble, self.trouble = self.trouble, None
        if trouble in (None, Trouble.LOST_ANSWER, Trouble.UNREADABLE):
            answer = work()
            if trouble is None:
                return answer
        seconds = RETRY_AFTER_SECONDS if trouble is Trouble.SLOW_DOWN else None
        raise VendorUnavailable(f"the fake did not answer: {trouble}", retry_after_seconds=seconds)


def _state(contract: Contract) -> EnvelopeState:
    return EnvelopeState(
        contract.id, contract.status, contract.key, contract.reason, contract.changed_at, contract.expires_at
    )
