"""The policies that ship: `classic` is active after set-up, the others are templates to start from."""

from __future__ import annotations

import json

from dealdesk.domain.policy import Policy, parse_policy

TEMPLATES = ("classic", "saas-standard")
DEFAULT_TEMPLATE = "classic"


def template_document(name: str) -> dict[str, object]:
    """The JSON of a shipped template, a new copy each time; KeyError for a name that does not ship."""
    if name not in TEMPLATES:
        raise KeyError(f"there is no template {name!r}; use one of {', '.join(TEMPLATES)}")
    from importlib.resources import files  # takes longer to import than the whole domain

    document: dict[str, object] = json.loads(files(__package__).joinpath(f"{name}.json").read_text("utf-8"))
    return document


def load_template(name: str = DEFAULT_TEMPLATE) -> Policy:
    """A shipped template, parsed and compiled."""
    return parse_policy(template_document(name))
