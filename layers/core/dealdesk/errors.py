"""Everything the desk may refuse, and why.

```
Refusal
├── NotFound               the thing asked for is not here
│   ├── DealUnknown
│   └── PolicyUnknown
├── Forbidden              signed in, but not allowed to do this
│   ├── ApproverNotEntitled
│   ├── ApproverConflicted
│   └── PublisherIsAuthor
├── Conflict               somebody moved first, or the deal is not where this is possible
│   ├── VersionMoved
│   ├── TermsChanged
│   ├── WrongStage
│   ├── CertificateInvalid
│   ├── CauseReused        the same key came with another payload
│   └── LeaseHeld          another worker is carrying the same intent out right now
├── Malformed              the input cannot be read
│   ├── WrongContentType
│   ├── PreconditionMissing    a change came without the version that was seen
│   ├── TooLarge               more than a message, an item or a transaction may hold
│   ├── PolicyHasErrors        what the checks found keeps the policy from being published
│   └── SignatureRefused       a message whose proof is missing, wrong, stale or from the future
├── Unavailable            try again: the table, or a vendor, cannot answer now
│   ├── TableBusy
│   └── VendorUnavailable
└── VendorRefused          a vendor understood the request and will never accept it
AlreadyHandled             not a failure: this cause has made its change before
```
`edge/answers.py` holds the one table that says what REST answers and what a queue does for each.
"""

from __future__ import annotations


class Refusal(Exception):
    """Refused because of what the message says; `pointer` names the place in the input, where there is one."""

    def __init__(self, message: str, *, pointer: str | None = None) -> None:
        super().__init__(message)
        self.pointer = pointer


class NotFound(Refusal):
    """The thing asked for is not here."""


class DealUnknown(NotFound):
    """No deal has this id (yet: a vendor's message may arrive before our own record)."""


class PolicyUnknown(NotFound):
    """No policy has this id, or the policy has no such version."""


class Forbidden(Refusal):
    """Signed in, but not allowed."""


class ApproverNotEntitled(Forbidden):
    """The approver is not in the group that the step asks for."""


class ApproverConflicted(Forbidden):
    """Nobody approves a deal that they own or edited."""


class PublisherIsAuthor(Forbidden):
    """Nobody publishes a policy that they wrote."""


class Conflict(Refusal):
    """The state does not allow this now."""


class VersionMoved(Conflict):
    """Somebody changed the deal since it was read."""


class TermsChanged(Conflict):
    """The terms are no longer those that the approver saw."""


class WrongStage(Conflict):
    """The deal is not at a stage where this is possible."""


class CertificateInvalid(Conflict):
    """No valid approval covers the terms as they are now."""


class CauseReused(Conflict):
    """The same key came again with another payload."""


class LeaseHeld(Conflict):
    """Another worker carries this intent out; look again when its lease has ended."""


class Malformed(Refusal):
    """The input cannot be read."""


class TooLarge(Malformed):
    """More than one item or transaction of the table can hold."""


class PolicyHasErrors(Malformed):
    """The policy has errors: `problems` are their JSON pointers with what is wrong there."""

    def __init__(self, message: str, problems: tuple[tuple[str, str], ...]) -> None:
        super().__init__(message)
        self.problems = problems


class WrongContentType(Malformed):
    """The message is of a media type that this route does not read."""


class PreconditionMissing(Malformed):
    """A change came without the version that its author saw."""


class SignatureRefused(Malformed):
    """A message whose proof is missing, wrong, stale or from the future."""


class Unavailable(Refusal):
    """Try again later."""


class TableBusy(Unavailable):
    """The table throttled, or transactions kept colliding."""


class VendorUnavailable(Unavailable):
    """A vendor timed out, was busy or failed; whether it did the work is not known."""

    def __init__(self, message: str, *, retry_after_seconds: int | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class VendorRefused(Refusal):
    """A vendor understood the request and will not accept it however often it is sent."""


class AlreadyHandled(Exception):
    """This cause has made its change before.

    `version` is the deal's version right after that change, so that the first answer can be given again.
    """

    def __init__(self, deal_id: str, version: int) -> None:
        super().__init__(f"handled before, at version {version} of deal {deal_id}")
        self.deal_id = deal_id
        self.version = version
