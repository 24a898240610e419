"""Vendors' twins on loopback, and a receiver for their webhooks."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

import pytest
import requests
from simple_salesforce.api import Salesforce
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from local.twins.quickbooks import QuickBooksTwin
from local.twins.salesforce import SalesforceTwin
from local.twins.server import Json, RunningTwin

CONSUMER_KEY = "3MVG9.deal-desk"
USERNAME = "desk@acme.example"
ORGANIZATION_SEED: dict[str, list[Json]] = {
    "User": [
        {"Id": "0057F0000000201", "Name": "Ren Rep", "Email": "ren@acme.example", "IsActive": True},
        {"Id": "0057F0000000202", "Name": "Fin Ance", "Email": "fin@acme.example", "IsActive": True},
    ],
    "Account": [{"Id": "0017F0000000301", "Name": "Express & Logistics", "BillingCountryCode": "US"}],
    "Contact": [
        {
            "Id": "0037F0000000401",
            "Name": "Zoë O'Neil",
            "Email": "zoe@express.example",
            "AccountId": "0017F0000000301",
        }
    ],
    "Group": [{"Id": "00G7F0000000501", "DeveloperName": "Deal_Desk_Finance", "Name": "Finance"}],
    "GroupMember": [{"GroupId": "00G7F0000000501", "UserOrGroupId": "0057F0000000202"}],
    "Opportunity": [
        {
            "Id": "0067F0000000101",
            "Name": "Express <SLA> & more",
            "StageName": "Prospecting",
            "CurrencyIsoCode": "USD",
            "Amount": 120000,
            "AccountId": "0017F0000000301",
            "OwnerId": "0057F0000000201",
            "Signer_Contact__c": "0037F0000000401",
        },
        {"Id": "0067F0000000102", "Name": "O'Neil renewal", "StageName": "Prospecting", "Amount": 10},
    ],
}
BOOKS_SEED: dict[str, list[Json]] = {
    "Customer": [
        {"Id": "1", "DisplayName": "Express & Logistics"},
        {"Id": "2", "DisplayName": "Zoë O'Neil GmbH", "CurrencyRef": {"value": "EUR"}},
    ],
    "Item": [{"Id": "11", "Name": "Subscription", "Type": "Service"}],
}


@dataclass
class Receiver:
    """An endpoint of the product; `answers` are used up first, then everything is accepted with 200."""

    url: str = ""
    answers: list[tuple[int, str]] = field(default_factory=list)
    default: tuple[int, str] = (200, "")
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def receive(self, request: Request) -> Response:
        self.bodies.append(request.get_data())
        self.headers.append(dict(request.headers))
        status, body = self.answers.pop(0) if self.answers else self.default
        return Response(body, status)


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    application = Request.application(receiver.receive)
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=_Quiet)
    receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield receiver
    server.shutdown()
    thread.join()
    server.server_close()


class OnLoopback(requests.Session):
    """Sends what the client addresses to https://anything to the twin; remembers the status of answers."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._target = urlsplit(url)
        self.statuses: list[int] = []

    def request(self, method, url, *args, **kwargs):  # type: ignore[no-untyped-def]
        there = urlsplit(url)._replace(scheme=self._target.scheme, netloc=self._target.netloc)
        answer = super().request(method, urlunsplit(there), *args, **kwargs)
        self.statuses.append(answer.status_code)
        return answer


@pytest.fixture
def salesforce(key_pair: tuple[str, str], running: Callable[..., RunningTwin]) -> SalesforceTwin:
    twin = SalesforceTwin(consumer_key=CONSUMER_KEY, public_key_pem=key_pair[1], username=USERNAME)
    twin.load(ORGANIZATION_SEED)
    running(twin)
    return twin


@pytest.fixture
def session(salesforce: SalesforceTwin) -> Iterator[OnLoopback]:
    with OnLoopback(salesforce.url) as session:
        yield session


@pytest.fixture
def client(salesforce: SalesforceTwin, session: OnLoopback, key_pair: tuple[str, str]) -> Salesforce:
    """The library the product uses, signed in with a JWT."""
    client = Salesforce(
        username=USERNAME, consumer_key=CONSUMER_KEY, privatekey=key_pair[0], session=session, version="62.0"
    )
    assert salesforce.login.tokens
    return client


@pytest.fixture
def quickbooks(running: Callable[..., RunningTwin]) -> QuickBooksTwin:
    twin = QuickBooksTwin(client_id="app", client_secret="s3cret", realm_id="4620", refresh_token="RT1-first")
    twin.load(BOOKS_SEED)
    running(twin)
    return twin
