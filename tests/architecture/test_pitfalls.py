"""What goes wrong in systems like this, by number, and the tests that show that it does not here."""

from __future__ import annotations

import ast
from functools import cache

import pytest

from tests.architecture.sources import ROOT

REST, PAYMENTS = "functions/test_rest.py", "unit/domain/test_payments.py"
PROVIDERS, LEDGERS = "contract/test_payments_port.py", "contract/test_ledger_port.py"
DEALS, WEBHOOKS = "contract/test_deals_port.py", "functions/test_bad_webhooks.py"
DECISIONS, EVENTS = "functions/test_pitfalls_13_to_20.py", "functions/test_pitfalls_26_to_32.py"
POLICIES, STORED, JUDGED = (
    "functions/test_policies.py",
    "contract/test_policies_port.py",
    "unit/domain/test_pitfalls_policies.py",
)

SHOWN_BY: dict[str, dict[str, tuple[str, ...]]] = {
    "01 a second key pays a deal again": {
        REST: (
            "test_eight_keys_one_after_the_other_are_one_payment",
            "test_eight_keys_at_the_same_moment_are_one_payment_and_eight_answers",
        ),
        PROVIDERS: ("test_eight_workers_at_once_with_one_key_make_one_session",),
    },
    "02 the same key twice at once answers 500": {
        REST: ("test_eight_keys_at_the_same_moment_are_one_payment_and_eight_answers",),
        DEALS: ("test_thirty_two_threads_with_one_cause_have_one_effect",),
    },
    "03 a key works for another deal or another amount": {
        REST: (
            "test_another_persons_key_is_not_ours",
            "test_a_request_with_its_key_is_answered_again_and_changes_nothing_more",
        ),
        DEALS: ("test_the_same_key_with_another_payload_is_refused",),
        PROVIDERS: (
            "test_a_key_that_comes_with_another_amount_is_refused_and_makes_nothing",
            "test_a_key_that_comes_with_another_payment_is_refused_and_does_not_give_its_session_away",
        ),
    },
    "04 the caller chooses amount, currency or outcome of a payment": {
        REST: (
            "test_the_caller_chooses_neither_amount_nor_outcome",
            "test_a_signed_deal_is_paid_by_the_amount_of_the_deal",
        ),
        PAYMENTS: ("test_money_that_does_not_fit_is_kept_apart_and_its_link_is_used_up",),
    },
    "05 a deal pays at any stage": {
        PAYMENTS: ("test_a_deal_pays_at_no_stage_but_after_signature", "test_no_payment_passes_a_shut_gate"),
        REST: ("test_nothing_is_collected_before_signature",),
    },
    "06 a failed payment is stuck with its key": {
        REST: ("test_a_failed_payment_is_asked_again_by_a_new_key_and_not_by_the_old_one",),
        PAYMENTS: ("test_only_a_payment_that_was_given_up_or_brought_too_little_is_followed_by_another",),
        "contract/test_stripe_payments.py": (
            "test_a_refund_whose_key_a_kept_500_has_spent_is_made_with_the_facts_next_key",
        ),
    },
    "07 a call that timed out is forgotten and made again": {
        "functions/test_taking_money.py": ("test_a_worker_that_dies_while_taking_leaves_a_lease_and_then_a_look_up",),
        "functions/test_giving_back.py": ("test_a_worker_that_dies_leaves_a_lease_and_then_a_look_up",),
        "architecture/test_template.py": ("test_a_lease_outlives_every_function_that_calls_a_vendor",),
    },
    "08 keys made for each attempt": {
        PAYMENTS: ("test_the_key_comes_from_the_fact_and_not_from_the_attempt",),
        "contract/test_paypal_payments.py": ("test_the_request_id_is_made_from_the_fact_and_not_from_the_attempt",),
        PROVIDERS: ("test_after_any_doubt_the_payment_has_one_session", "test_after_any_doubt_the_money_is_taken_once"),
    },
    "09 every currency times a hundred": {
        PROVIDERS: ("test_five_thousand_yen_are_asked_as_five_thousand_yen",),
        LEDGERS: ("test_five_thousand_yen_are_not_five_hundred_thousand",),
        "unit/domain/test_semantics_3_money.py": ("test_3_5_000_yen_are_5_000_and_not_500_000",),
    },
    "10 lost answers post an invoice three times": {
        LEDGERS: (
            "test_three_tries_with_lost_answers_post_one_invoice",
            "test_a_worker_that_never_heard_of_it_finds_what_a_crashed_one_has_posted",
        ),
    },
    "11 an invoice with another total, the seller's cost, a made-up tax or the rep's address": {
        "unit/domain/test_invoices.py": (
            "test_the_lines_add_up_to_the_total_and_to_what_was_paid",
            "test_the_sellers_cost_is_nowhere_on_the_invoice",
        ),
        LEDGERS: (
            "test_the_sum_of_the_lines_is_what_the_ledger_has",
            "test_the_tax_is_the_ledgers_and_the_posted_total_is_read_back",
            "test_neither_the_sellers_cost_nor_the_rep_is_on_the_invoice",
        ),
    },
    "12 a refund, a dispute or a part flips the payment": {
        "unit/domain/test_refunds.py": (
            "test_money_that_went_back_is_an_entry_and_the_payment_stays_paid",
            "test_a_dispute_is_an_entry_and_never_flips_the_payment",
            "test_no_refund_and_no_dispute_ever_touches_a_payment",
        ),
        PAYMENTS: ("test_a_second_payment_of_a_settled_one_is_kept_apart_and_flips_nothing",),
    },
    "13 a later rule overwrites what an earlier one requires": {
        JUDGED: ("test_pitfall_13_a_later_rule_never_overwrites_what_an_earlier_one_requires",),
        DECISIONS: ("test_pitfall_13_executives_do_not_replace_finance",),
    },
    "14 one reason of many, and figures that exceed themselves": {
        DECISIONS: (
            "test_pitfall_14_every_reason_is_told_and_none_says_that_a_figure_exceeds_itself",
            "test_pitfall_14_what_was_judged_is_what_is_stored",
        ),
    },
    "15 a floor in dollars for every currency": {
        DECISIONS: ("test_pitfall_15_a_floor_in_dollars_is_converted_and_not_applied_to_yen",),
        POLICIES: ("test_pitfall_15_a_floor_is_applied_in_its_own_currency",),
    },
    "16 a change goes around the stages": {
        DECISIONS: (
            "test_pitfall_16_no_patch_goes_around_the_stages",
            "test_pitfall_16_no_discount_comes_back_after_the_payment",
        ),
    },
    "17 anyone approves": {
        DECISIONS: (
            "test_pitfall_17_an_approval_cannot_be_brought_along_already_given",
            "test_pitfall_17_only_those_asked_decide_in_their_order_and_never_the_owner",
            "test_pitfall_17_two_users_with_one_address_are_two_people",
        ),
    },
    "18 an edited or duplicated quote stays approved": {
        DECISIONS: (
            "test_pitfall_18_an_edit_after_approval_needs_a_new_one",
            "test_pitfall_18_a_duplicate_of_an_approved_quote_needs_its_own",
            "test_pitfall_18_nothing_is_collected_when_the_customer_signs_before_the_check",
        ),
    },
    "19 an absent approver strands the quote": {
        DECISIONS: (
            "test_pitfall_19_nobody_absent_inactive_or_unknown_strands_a_quote",
            "test_pitfall_19_delegations_in_a_circle_end",
        ),
    },
    "20 clients write the times that feed figures": {
        DECISIONS: ("test_pitfall_20_no_time_that_feeds_a_figure_can_be_written",),
    },
    "21 another policy decides than the stored one": {
        POLICIES: ("test_pitfall_21_the_stored_policy_is_the_one_that_decides_at_once",),
        STORED: ("test_pitfall_21_a_stored_policy_that_is_not_what_was_published_does_not_decide",),
        "contract/test_pitfalls_policies.py": (
            "test_pitfall_21_every_process_decides_by_what_was_published_last_without_a_restart",
        ),
    },
    "22 versions off by one": {
        POLICIES: (
            "test_pitfall_22_a_rollback_publishes_the_old_content_under_a_new_number",
            "test_pitfall_22_numbers_have_no_gaps_and_stand_in_their_documents",
        ),
        JUDGED: ("test_pitfall_22_a_decision_names_the_version_whose_limit_it_applied",),
    },
    "23 a policy that cannot be evaluated, and dates that are ignored": {
        JUDGED: (
            "test_pitfall_23_a_policy_that_cannot_be_evaluated_is_never_in_force",
            "test_pitfall_23_nothing_decides_outside_of_its_effective_dates",
        ),
        STORED: ("test_pitfall_23_effective_dates_are_honoured_across_policies",),
    },
    "24 the impact is that of the live policy": {
        JUDGED: ("test_pitfall_24_the_impact_is_that_of_the_draft_on_deals_as_they_were_recorded",),
        POLICIES: ("test_pitfall_24_no_history_is_taken_from_the_caller",),
    },
    "25 a step that can never fire": {
        JUDGED: ("test_pitfall_25_a_step_below_a_ceiling_that_blocks_first_is_not_published",),
        "unit/domain/test_policy_checks.py": ("test_pitfall_25_a_step_that_can_never_fire_is_said_to_be_one",),
    },
    "26 events marked as sent without being sent, or sent twice": {
        EVENTS: (
            "test_pitfall_26_what_the_bus_did_not_take_is_offered_again_and_then_arrives",
            "test_pitfall_26_what_is_relayed_twice_has_the_same_id_for_whoever_hears_it",
        ),
        "journeys/test_journey.py": ("test_everything_delivered_twice_ends_the_same_with_the_same_effects",),
    },
    "27 a signature over re-serialised JSON, in hex, or not checked without a secret": {
        WEBHOOKS: (
            "test_a_stripe_signature_over_a_reserialised_body_is_refused",
            "test_an_empty_secret_lets_nobody_in_and_is_our_failure",
        ),
        "functions/test_hubspot_webhook.py": (
            "test_a_signature_over_a_reserialised_body_is_refused",
            "test_a_signature_in_hex_is_refused_where_hubspot_sends_base64",
            "test_when_our_own_secret_is_unusable_hubspot_is_told_to_come_again_and_never_401",
        ),
        "functions/test_receive_quickbooks.py": (
            "test_only_the_base64_signature_of_the_raw_bytes_is_a_proof",
            "test_without_a_verifier_token_nothing_is_believed",
        ),
        "functions/test_receive_dropbox_sign.py": (
            "test_the_hash_is_hex_and_not_base64",
            "test_a_missing_or_empty_key_lets_nobody_in_and_is_our_failure",
        ),
        "unit/test_paypal_proof.py": (
            "test_the_signature_covers_the_raw_bytes",
            "test_without_a_webhook_id_nothing_is_genuine_and_paypal_is_asked_to_come_again",
        ),
        "architecture/test_pitfalls.py": ("test_pitfall_27_a_proof_is_compared_in_constant_time",),
    },
    "28 a replay is accepted, or a time of the future": {
        WEBHOOKS: (
            "test_a_replayed_event_says_duplicate_and_changes_nothing",
            "test_a_stripe_signature_that_is_stale_or_from_the_future_is_refused",
            "test_a_connect_message_from_the_future_or_older_than_its_retries_is_refused",
        ),
        "functions/test_hubspot_webhook.py": (
            "test_a_replayed_message_changes_nothing",
            "test_a_stale_message_and_one_from_the_future_are_refused",
        ),
        "functions/test_receive_dropbox_sign.py": (
            "test_a_callback_that_comes_again_is_noted_once_and_acknowledged_again",
            "test_an_event_from_the_future_or_long_ago_is_refused",
        ),
        "functions/test_receive_paypal.py": ("test_a_replayed_message_is_noted_once",),
        "unit/test_paypal_proof.py": (
            "test_a_message_that_is_older_than_paypal_sends_again_or_of_the_future_is_refused",
        ),
        "functions/test_receive_quickbooks.py": ("test_a_report_is_remembered_once_and_moves_nothing",),
    },
    "29 a webhook for an unknown object is lost": {
        WEBHOOKS: ("test_a_message_about_an_unknown_deal_waits_and_is_recorded_once_the_deal_exists",),
        "functions/test_hubspot_webhook.py": (
            "test_a_decision_on_a_deal_that_is_not_known_yet_is_parked_and_not_lost",
        ),
        "functions/test_receive_dropbox_sign.py": ("test_a_callback_for_an_unknown_deal_is_parked_and_acknowledged",),
        "functions/test_receive_paypal.py": (
            "test_a_message_about_a_deal_that_is_not_known_yet_is_parked",
            "test_a_message_about_a_payment_that_is_not_recorded_yet_is_parked",
        ),
    },
    "30 the rest of a batch is dropped": {
        EVENTS: (
            "test_pitfall_30_of_many_events_at_once_every_one_is_relayed",
            "test_pitfall_30_a_message_that_cannot_be_read_does_not_drop_the_rest_of_its_batch",
            "test_pitfall_26_what_the_bus_did_not_take_is_offered_again_and_then_arrives",
        ),
        WEBHOOKS: ("test_one_malformed_notification_does_not_hold_up_the_good_ones",),
        "functions/test_hubspot_webhook.py": ("test_a_bad_change_does_not_take_the_others_of_its_message_with_it",),
    },
    "31 endless retries, and a dead receiver that holds up all": {
        EVENTS: ("test_pitfall_31_an_n8n_that_is_dead_holds_up_no_deal_and_is_not_asked_for_ever",),
        "architecture/test_template.py": ("test_a_queue_outlives_its_function_and_buries_what_fails",),
    },
    "32 our own write calls us": {
        "contract/test_hubspot_crm.py": ("test_our_own_write_back_does_not_call_us",),
        "functions/test_hubspot_webhook.py": ("test_our_own_write_that_comes_back_changes_nothing",),
        WEBHOOKS: ("test_our_own_write_changes_nothing",),
        "journeys/test_journey.py": ("test_our_own_writes_do_not_call_us_back",),
    },
}


@cache
def collected_from(file: str) -> frozenset[str]:
    """The tests of a file that pytest collects; those under a mark that leaves them out do not count."""
    found = ast.parse((ROOT / "tests" / file).read_text()).body
    return frozenset(
        node.name
        for node in found
        if isinstance(node, ast.FunctionDef)
        and node.name.startswith("test_")
        and not any("skip" in ast.unparse(mark) or "xfail" in ast.unparse(mark) for mark in node.decorator_list)
    )


@pytest.mark.parametrize("pitfall", SHOWN_BY)
def test_pitfall_is_shown_to_be_none_by_tests_that_exist(pitfall: str) -> None:
    missing = {
        f"tests/{file}::{name}"
        for file, names in SHOWN_BY[pitfall].items()
        for name in names
        if name not in collected_from(file)
    }

    assert missing == set()


def test_no_pitfall_from_1_to_32_is_left_out() -> None:
    assert [int(pitfall[:2]) for pitfall in SHOWN_BY] == list(range(1, 33))


def test_a_test_that_has_a_pitfalls_number_in_its_name_is_listed_under_a_pitfall() -> None:
    listed = {name for shown in SHOWN_BY.values() for names in shown.values() for name in names}
    numbered = {name for name in collected_from(EVENTS) | collected_from(DECISIONS) if name.startswith("test_pitfall_")}

    assert numbered - listed == set()


@pytest.mark.parametrize("file", ["proofs.py", "paypal_proof.py"])
def test_pitfall_27_a_proof_is_compared_in_constant_time(file: str) -> None:
    """No `==` stands between what was given and what is expected; RSA is checked by the library that verifies."""
    tree = ast.parse((ROOT / "layers/core/dealdesk/edge" / file).read_text())
    compared = [node for node in ast.walk(tree) if isinstance(node, ast.Compare)]

    loose = [
        ast.unparse(node)
        for node in compared
        if any(isinstance(op, ast.Eq | ast.NotEq | ast.In) for op in node.ops)
        and any(word in ast.unparse(node) for word in ("digest", "secret", "expected", "theirs"))
    ]

    assert loose == []
