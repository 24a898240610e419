"""Finds envelopes as DocuSign's status list does: by transaction, by custom field, by the time of a change."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from local.twins.docusign_envelopes import Envelope, invalid
from local.twins.server import Json

TRANSACTION_LIFE = timedelta(days=7)
DEFAULT_COUNT = 1_000
FILTERS = frozenset({"transaction_ids", "envelope_ids", "custom_field", "status", "from_date", "to_date"})
PARAMETERS = FILTERS | {"count", "include", "start_position"}


def envelopes_asked_for(envelopes: Iterable[Envelope], asked: Mapping[str, str], now: datetime) -> list[Envelope]:
    """Those that pass every filter; refuses a question without a date, envelope ids or transaction ids.

    A transaction id finds its envelope for 7 days. Source: the `Envelopes: listStatusChanges` reference.
    """
    if unknown := asked.keys() - PARAMETERS:
        raise invalid(f"Unknown query parameters: {', '.join(sorted(unknown))}.")
    if not asked.keys() & {"from_date", "envelope_ids", "transaction_ids"}:
        raise invalid(
            "Query parameter 'from_date' must be set to a valid DateTime, or 'envelope_ids' or "
            "'transaction_ids' must be specified."
        )
    filters = {name: _filter(name, asked[name], now) for name in asked.keys() & FILTERS}
    return [envelope for envelope in envelopes if all(passes(envelope) for passes in filters.values())]


def page(
    rows: Sequence[Envelope], asked: Mapping[str, str], show: Callable[[Envelope, Mapping[str, str]], Json]
) -> Json:
    """Sizes and positions are texts; an empty page has no `envelopes` at all."""
    start, count = _number(asked, "start_position", 0), _number(asked, "count", DEFAULT_COUNT)
    shown = rows[start : start + count]
    answer: Json = {
        "resultSetSize": str(len(shown)),
        "totalSetSize": str(len(rows)),
        "startPosition": str(start),
        "endPosition": str(max(start, start + len(shown) - 1)),
        "nextUri": "",
        "previousUri": "",
    }
    if shown:
        answer["envelopes"] = [show(envelope, asked) for envelope in shown]
    if "transaction_ids" in asked:
        answer["envelopeTransactionStatuses"] = [
            {"envelopeId": row.id, "status": row.status, "transactionId": row.transaction_id} for row in shown
        ]
    return answer


def _filter(name: str, given: str, now: datetime) -> Callable[[Envelope], bool]:
    wanted = given.lower().split(",")
    match name:
        case "transaction_ids":
            oldest = now - TRANSACTION_LIFE
            return lambda row: row.transaction_id in wanted and row.moments["created"] > oldest
        case "envelope_ids":
            return lambda row: row.id in wanted
        case "custom_field":
            pair = tuple(given.split("=", 1))
            return lambda row: any((text["name"], text["value"]) == pair for text in row.text_fields)
        case "status":
            return lambda row: "any" in wanted or row.status in wanted
    moment = _moment(given, name)
    return lambda row: row.changed_at >= moment if name == "from_date" else row.changed_at <= moment


def _moment(text: str, name: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise invalid(f"Query parameter '{name}' must be set to a valid DateTime.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _number(asked: Mapping[str, str], name: str, default: int) -> int:
    given = asked.get(name, str(default))
    if not given.isdecimal():
        raise invalid(f"Query parameter '{name}' must be a number.")
    return int(given)
