"""Stripe's idempotency keys: the first answer is kept, and given again to whoever asks the same."""

from dataclasses import dataclass, field

from werkzeug.wrappers import Request

from local.twins.stripe_params import StripeRefused

KEY_CHARS = 255
HEADER = "Idempotency-Key"


@dataclass(frozen=True, slots=True)
class Kept:
    """The first execution under a key."""

    path: str
    params: list[tuple[str, str]]
    status: int
    answer: bytes
    request_id: str
    at: float


@dataclass(slots=True)
class IdempotencyKeys:
    """Source: docs.stripe.com/api/idempotent_requests; `busy` maps a key to the request that executes under it."""

    kept: dict[str, Kept] = field(default_factory=dict)
    busy: dict[str, Request] = field(default_factory=dict)

    def begin(self, request: Request) -> None:
        """The first of concurrent requests holds the key until it is answered."""
        if key := key_of(request):
            self.busy.setdefault(key, request)

    def end(self, request: Request) -> None:
        key = key_of(request)
        if self.busy.get(key) is request:
            del self.busy[key]

    def earlier(self, request: Request) -> Kept | None:
        """The answer to give again; refuses a key that is too long, in use, or was used for something else."""
        key = key_of(request)
        if not key:
            return None
        if len(key) > KEY_CHARS:
            raise StripeRefused(400, f"Idempotency keys are at most {KEY_CHARS} characters, got {len(key)}.")
        if self.busy.get(key) is not request:
            raise StripeRefused(
                409,
                "There is currently another in-progress request using this Idempotent Key (that probably means "
                f"you submitted twice, and the other request is still going through): {key}. "
                "Please try again later.",
                code="idempotency_key_in_use",
                kind="idempotency_error",
            )
        kept = self.kept.get(key)
        if kept is not None and (kept.path, kept.params) != (request.path, _params(request)):
            same = (
                "with the same parameters they were first used with"
                if kept.path == request.path
                else f"for the same endpoint they were first used for ('{request.path}' vs '{kept.path}')"
            )
            raise StripeRefused(
                400,
                f"Keys for idempotent requests can only be used {same}. Try using a key other than '{key}' "
                "if you meant to execute a different request.",
                kind="idempotency_error",
            )
        return kept

    def keep(self, request: Request, status: int, answer: bytes, request_id: str, at: float) -> None:
        if key := key_of(request):
            entry = Kept(request.path, _params(request), status, answer, request_id, at)
            self.kept.setdefault(key, entry)

    def prune(self, before: float) -> int:
        """Forget what was first used before; says how many keys."""
        old = [key for key, kept in self.kept.items() if kept.at <= before]
        for key in old:
            del self.kept[key]
        return len(old)


def key_of(request: Request) -> str:
    """Only POST takes a key; on other methods it has no effect."""
    return request.headers.get(HEADER, "") if request.method == "POST" else ""


def _params(request: Request) -> list[tuple[str, str]]:
    return sorted(request.form.items(multi=True))
