"""What the suite of the Signatures port works on: an adapter with its twin, or the fake, and the people around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from unittest.mock import patch

import time_machine

from dealdesk.adapters.docusign import DocusignSignatures
from dealdesk.adapters.dropbox_sign import DropboxSignSignatures
from dealdesk.ports import Signatures
from local.twins.docusign import DocuSignTwin
from local.twins.dropbox_sign import DropboxSignTwin
from local.twins.server import Fault, RunningTwin, Twin
from tests.fakes.signatures import RETRY_AFTER_SECONDS, FakeSignatures, Trouble

ACCOUNT = "a0000000-0000-4000-8000-000000000001"
TEMPLATE = "7e000000-0000-4000-8000-000000000001"
API_KEY = "k" * 64

# Shorter than an adapter is ready to wait in production, longer than any twin takes.
PATIENCE_SECONDS = 0.4
FAULTS: dict[Trouble, dict[str, Any]] = {
    Trouble.LOST_ANSWER: {"kind": "drop_answer", "status": 0},
    Trouble.UNREADABLE: {"kind": "drop_answer", "status": 200},
    Trouble.FAILED: {"kind": "status", "status": 500},
    Trouble.TIMEOUT: {"kind": "timeout", "seconds": 2 * PATIENCE_SECONDS},
    Trouble.SLOW_DOWN: {"kind": "status", "status": 429, "headers": {"Retry-After": str(RETRY_AFTER_SECONDS)}},
}


class Bench(Protocol):
    """`another_worker` knows nothing of what the first one did, as after a crash."""

    port: Signatures

    def another_worker(self) -> Signatures: ...

    def trouble(self, trouble: Trouble) -> None: ...

    def sign(self, envelope_id: str) -> None: ...

    def decline(self, envelope_id: str, reason: str) -> None: ...

    def expire(self, envelope_id: str) -> None: ...

    def finish_void(self, envelope_id: str) -> None: ...

    def sent(self) -> int: ...

    def e_mails(self, envelope_id: str) -> int:
        """How often the signer was written to once more."""
        ...

    def ends_in(self, envelope_id: str, span: timedelta) -> None:
        """The provider lets the contract live for so long, from now."""
        ...

    def later(self, **span: float) -> None: ...


@dataclass
class _OnAClock:
    clock: time_machine.Traveller

    def later(self, **span: float) -> None:
        self.clock.shift(timedelta(**span))


class FakeBench(_OnAClock):
    def __init__(self, clock: time_machine.Traveller) -> None:
        super().__init__(clock)
        self._fake = FakeSignatures(lambda: datetime.now(UTC))
        self.port: Signatures = self._fake
        self.sign, self.decline = self._fake.sign, self._fake.decline
        self.expire, self.finish_void = self._fake.expire, self._fake.finish_void

    def another_worker(self) -> Signatures:
        return self._fake

    def trouble(self, trouble: Trouble) -> None:
        self._fake.trouble = trouble

    def sent(self) -> int:
        return len(self._fake.contracts)

    def e_mails(self, envelope_id: str) -> int:
        return next(contract.e_mails for contract in self._fake.contracts if contract.id == envelope_id) - 1

    def ends_in(self, envelope_id: str, span: timedelta) -> None:
        self._fake.ends_in(envelope_id, span)


class _TwinBench(_OnAClock):
    """`api` is in the path of every call that has to do with contracts; `id_name` is the twin's word for the id."""

    twin: Twin
    api: str
    id_name: str

    def __init__(self, clock: time_machine.Traveller, adapter: Callable[[], Signatures], patience: str) -> None:
        super().__init__(clock)
        self.another_worker = adapter
        self.port = adapter()
        self._patience = patience

    def trouble(self, trouble: Trouble) -> None:
        self.twin.faults.append(Fault(match=self.api, **FAULTS[trouble]))

    def impatient(self) -> Any:
        return patch(self._patience, (3.05, PATIENCE_SECONDS))

    def _act(self, name: str, envelope_id: str, **more: str) -> None:
        self.twin.act(name, {self.id_name: envelope_id, **more})

    def decline(self, envelope_id: str, reason: str) -> None:
        self._act("decline", envelope_id, reason=reason)

    def expire(self, envelope_id: str) -> None:
        self._act("expire", envelope_id)


class DocusignBench(_TwinBench):
    api, id_name = "/restapi/", "envelope_id"

    def __init__(
        self, clock: time_machine.Traveller, running: Callable[[Twin], RunningTwin], key_pair: tuple[str, str]
    ) -> None:
        self.twin: DocuSignTwin = DocuSignTwin(
            integration_key="1f000000-0000-4000-8000-000000000001",
            user_id="d0000000-0000-4000-8000-000000000001",
            account_id=ACCOUNT,
            public_key_pem=key_pair[1],
            connect_keys=["connect-key"],
            templates={TEMPLATE: {"name": "Order form", "roles": ["signer"]}},
        )
        running(self.twin)

        def adapter() -> DocusignSignatures:
            return DocusignSignatures(
                self.twin.url,
                integration_key="1f000000-0000-4000-8000-000000000001",
                user_id="d0000000-0000-4000-8000-000000000001",
                account_id=ACCOUNT,
                private_key=key_pair[0],
                template_id=TEMPLATE,
            )

        super().__init__(clock, adapter, "dealdesk.adapters.docusign_login.TIMEOUT_SECONDS")

    def sign(self, envelope_id: str) -> None:
        self._act("complete", envelope_id)

    def finish_void(self, envelope_id: str) -> None:
        """DocuSign voids at once."""

    def sent(self) -> int:
        return len(self.twin.state()["envelopes"])

    def e_mails(self, envelope_id: str) -> int:
        return self.twin.envelopes[envelope_id].resent

    def texts(self, envelope_id: str) -> dict[str, str]:
        """What stands in the contract, by the field of the template."""
        (role,) = self.twin.envelopes[envelope_id].roles
        return {tab["tabLabel"]: tab["value"] for tab in role["tabs"]["textTabs"]}

    def ends_in(self, envelope_id: str, span: timedelta) -> None:
        self.twin.envelopes[envelope_id].expire_after_days = span.days


class DropboxSignBench(_TwinBench):
    api, id_name = "/v3/", "signature_request_id"

    def __init__(self, clock: time_machine.Traveller, running: Callable[[Twin], RunningTwin]) -> None:
        fields = ["deal_total", "payment_terms", "term"]
        self.twin: DropboxSignTwin = DropboxSignTwin(
            api_key=API_KEY,
            templates={TEMPLATE: {"title": "Order form", "roles": ["signer"], "custom_fields": fields}},
        )
        running(self.twin)

        def adapter() -> DropboxSignSignatures:
            return DropboxSignSignatures(self.twin.url, api_key=API_KEY, template_id=TEMPLATE, test_mode=True)

        super().__init__(clock, adapter, "dealdesk.adapters.dropbox_sign.TIMEOUT_SECONDS")

    def sign(self, envelope_id: str) -> None:
        self._act("sign", envelope_id)

    def finish_void(self, envelope_id: str) -> None:
        self.later(seconds=3)

    def sent(self) -> int:
        return len(self.twin.state()["signature_requests"])

    def e_mails(self, envelope_id: str) -> int:
        return sum(
            signature.reminded_at is not None for signature in self.twin.signature_requests[envelope_id].signatures
        )

    def ends_in(self, envelope_id: str, span: timedelta) -> None:
        """Only requests of the API's other ways of sending can be given an end; this one is given one by hand."""
        ends = (datetime.now(UTC) + span).replace(microsecond=0)
        self.twin.signature_requests[envelope_id].expires_at = ends

    def texts(self, envelope_id: str) -> dict[str, str]:
        fields = self.twin.signature_requests[envelope_id].custom_fields
        return {field["name"]: field["value"] for field in fields}
