"""The guides tell a stranger which secret, webhook and parameters each vendor needs, as the code has them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from local.build import read_template
from local.tokens import local_secrets
from tests.architecture.sources import ROOT

GUIDES = ROOT / "docs" / "guides"
TEMPLATE = read_template(ROOT / "template.yaml")
VENDORS = [
    "salesforce",
    "hubspot",
    "docusign",
    "dropbox_sign",
    "stripe",
    "paypal",
    "quickbooks",
    "netsuite",
    "sap",
    "n8n",
]
JSON_BLOCK = re.compile(r"```json\n(.*?)```", re.DOTALL)


def guide(vendor: str) -> str:
    return (GUIDES / f"{vendor}.md").read_text()


def webhooks() -> dict[str, str]:
    """The path of each vendor's webhook, by the vendor."""
    events = [
        event["Properties"]["Path"]
        for resource in TEMPLATE["Resources"].values()
        for event in resource.get("Properties", {}).get("Events", {}).values()
        if event["Type"] == "Api" and event["Properties"]["Path"].startswith("/webhooks/")
    ]
    return {path.split("/")[2].replace("-", "_"): path.partition("{")[0] for path in events}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    path: Path = tmp_path_factory.mktemp("keys") / "jwt.pem"
    return {name: dict(secret) for name, secret in local_secrets(path).items()}


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_guide_shows_the_secret_with_all_that_the_desk_reads_of_it(
    vendor: str, made: dict[str, dict[str, Any]]
) -> None:
    shown = [json.loads(block) for block in JSON_BLOCK.findall(guide(vendor))]

    assert f"`{{SecretPrefix}}/{vendor}`" in guide(vendor)
    assert any(made[vendor].keys() <= secret.keys() for secret in shown)


@pytest.mark.parametrize("vendor", sorted(webhooks()))
def test_a_guide_names_the_address_of_its_webhook(vendor: str) -> None:
    assert webhooks()[vendor] in guide(vendor)


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_guide_says_what_to_create(vendor: str) -> None:
    headings = [line[3:] for line in guide(vendor).splitlines() if line.startswith("## ")]

    assert "The secret" in headings
    assert {"What to create", "Private app", "Integration user and connected app"} & set(headings)


@pytest.mark.parametrize("parameter", [name for name in TEMPLATE["Parameters"] if name.endswith("Url")])
def test_a_parameter_for_an_address_is_explained_in_its_guide_and_listed_for_operators(parameter: str) -> None:
    name = re.sub("(Oauth)?Url$", "", parameter)
    vendor = re.sub("(?<=[a-z])(?=[A-Z])", "_", name).lower()

    assert f"`{parameter}`" in (GUIDES / "operations.md").read_text()
    assert vendor == "public" or parameter in guide(vendor)


@pytest.mark.parametrize("vendor", VENDORS)
def test_every_secret_is_in_the_list_of_what_to_make_before_the_first_deal(vendor: str) -> None:
    rows = [
        line for line in (GUIDES / "operations.md").read_text().splitlines() if line.endswith("the guide of each |")
    ]

    assert f"`{vendor}`" in rows[0]
