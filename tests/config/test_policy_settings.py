"""The policy of `pql.yaml`."""

from __future__ import annotations

import pytest
from configs import SMALL, fault

from pql_model.config.load import parse_config


class TestPolicy:
    def message(self, keys):
        return fault(SMALL + f"policy: {{{keys}}}\n")

    def test_missing_keys_have_defaults(self):
        policy = parse_config(SMALL + "policy: {definition: recommended}\n").policy

        assert policy.bands == {"high": 0.25, "medium": 0.1, "low": 0.03}
        assert (str(policy.cool_down), policy.stay, policy.hold_out) == ("14d", 0.8, 0.0)
        assert (policy.exclude, policy.hand_raise, policy.definition) == ({}, [], "recommended")

    def test_every_key_can_be_set(self):
        policy = parse_config(
            SMALL
            + "policy: {capacity: {leads: 5, per: 1d}, bands: {hot: 0.5}, exclude: {plan: [free, 3]}, cool_down: 1w, "
            "stay: 1, hold_out: 0.5, hand_raise: [{event: contact, at_least: 1}]}\n"
        ).policy

        assert (policy.bands, policy.exclude, str(policy.cool_down)) == ({"hot": 0.5}, {"plan": ["free", "3"]}, "7d")
        assert (policy.stay, policy.hold_out, policy.hand_raise[0].event) == (1, 0.5, "contact")

    @pytest.mark.parametrize("bands", ["{a: 0.1, b: 0.2}", "{a: 0.1, b: 0.1}", "{a: 1}", "{a: 1.5}", "{a: 0.2, b: 0}"])
    def test_bands_are_descending_probabilities(self, bands):
        message = self.message(f"probability: 0.2, bands: {bands}")

        assert message.startswith("bands are probabilities between 0 and 1, the highest first. Received: {'a'")

    def test_no_band_takes_the_name_of_the_lowest(self):
        assert self.message("probability: 0.2, bands: {very_low: 0.1}") == (
            "`very_low` is the band below the last one: leave it out"
        )

    @pytest.mark.parametrize(
        ("keys", "message"),
        [
            ("stay: 0", "input should be greater than 0. Received: 0"),
            ("stay: 1.1", "input should be less than or equal to 1. Received: 1.1"),
            ("hold_out: -0.1", "input should be greater than or equal to 0. Received: -0.1"),
            ("hold_out: 0.6", "input should be less than or equal to 0.5. Received: 0.6"),
            (
                "cool_down: soon",
                "`soon` is not a duration. Allowed: a whole number and a unit: 90s, 30m, 12h, 7d or 4w",
            ),
            ("definition: ours", "input should be 'recommended' or 'in_force'. Received: 'ours'"),
        ],
    )
    def test_a_value_out_of_its_range_is_refused(self, keys, message):
        ours = "" if keys.startswith("definition") else "probability: 0.2, "

        assert self.message(ours + keys) == message

    def test_in_force_needs_a_definition(self):
        assert self.message("definition: in_force") == (
            "`policy: {definition: in_force}` needs the rule in force under `definition:`"
        )

    def test_hand_raise_needs_mapped_values(self):
        assert self.message("probability: 0.2, hand_raise: [{event: x, measure: sum, value: mb, at_least: 1}]") == (
            "`policy: {hand_raise: ...}` reads the value `mb`, which no table has in `values`"
        )
