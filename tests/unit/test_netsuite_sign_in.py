"""How the desk proves at NetSuite who it is: by published vectors, and by what the secret holds."""

from __future__ import annotations

import pytest

from dealdesk.adapters.netsuite_auth import MachineToMachine, Secret, TokenBased, sign_in
from dealdesk.errors import Unavailable

URL = "https://1234567-sb1.suitetalk.api.netsuite.com"
CERTIFICATE = {"client_id": "client", "certificate_id": "certificate", "private_key": "pem"}
TOKEN = {"consumer_key": "ck", "consumer_secret": "cs_secret", "token_id": "tk", "token_secret": "ts_secret"}


def test_a_call_is_signed_as_another_implementation_signs_it() -> None:
    """Made with oauthlib 4.0.1 for the sandbox 1234567_SB1: the query is signed, realm and JSON body are not."""
    signer = TokenBased("1234567-sb1", **TOKEN)

    header = signer.authorization(
        "PUT",
        f"{URL}/services/rest/record/v1/invoice/eid:deal-42?replace=item",
        nonce="fXDPLQ0Jjz0H3kqcDJYt",
        timestamp="1795378476",
    )

    assert header == (
        'OAuth realm="1234567_SB1", oauth_nonce="fXDPLQ0Jjz0H3kqcDJYt", oauth_timestamp="1795378476", '
        'oauth_version="1.0", oauth_signature_method="HMAC-SHA256", oauth_consumer_key="ck", oauth_token="tk", '
        'oauth_signature="Q9mAmwi8l5SKiGRwV3WoXKYQlwu8d2W7zYcSNopyknI%3D"'
    )


def test_no_two_calls_have_one_nonce() -> None:
    signer = TokenBased("1234567", **TOKEN)

    headers = {signer.authorization("GET", f"{URL}/services/rest/record/v1/invoice/1") for _ in range(20)}

    assert len(headers) == 20


def test_the_secret_says_how_to_sign_in_and_a_certificate_comes_first() -> None:
    assert isinstance(sign_in(URL, Secret("1234567", **CERTIFICATE)), MachineToMachine)
    assert isinstance(sign_in(URL, Secret("1234567", **TOKEN)), TokenBased)
    assert isinstance(sign_in(URL, Secret("1234567", **CERTIFICATE, **TOKEN)), MachineToMachine)


@pytest.mark.parametrize("missing", [*CERTIFICATE, *TOKEN])
def test_half_a_proof_is_none(missing: str) -> None:
    whole = CERTIFICATE if missing in CERTIFICATE else TOKEN
    half = {name: value for name, value in whole.items() if name != missing}

    with pytest.raises(Unavailable, match="neither a whole certificate nor a whole token"):
        sign_in(URL, Secret("1234567", **half))
