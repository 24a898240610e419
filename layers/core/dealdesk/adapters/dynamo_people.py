"""Names and addresses, apart from deals and events, so that they can be exported and erased."""

from __future__ import annotations

from pynamodb.exceptions import PynamoDBException

from dealdesk.adapters import codec
from dealdesk.adapters.rows import bound_to
from dealdesk.errors import TableBusy
from dealdesk.ports import Person


class DynamoPeople:
    """The `People` port. Raises `TableBusy` when the table does not answer."""

    def __init__(self, table_name: str) -> None:
        self._row = bound_to(table_name)

    def remember(self, person: Person) -> None:
        try:
            self._row(f"PERSON#{person.id}", "PERSON", body=codec.dump(person)).save()
        except PynamoDBException as error:
            raise TableBusy(f"the table did not answer: {error.cause_response_code}") from error

    def find(self, person_id: str) -> Person | None:
        try:
            row = self._row.get(f"PERSON#{person_id}", "PERSON", consistent_read=True)
        except self._row.DoesNotExist:
            return None
        except PynamoDBException as error:
            raise TableBusy(f"the table did not answer: {error.cause_response_code}") from error
        return codec.parse(str(row.body), Person)
