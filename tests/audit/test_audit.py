import numpy as np
import pandas as pd
import pytest

from pql_model.audit.audit import audit, audit_changes, quarantined
from pql_model.model.columns import Manifest, ModelColumn
from pql_model.sources.event_timing import EventTiming
from pql_model.sources.leak_evidence import LeakEvidence
from pql_model.sources.trait_changes import TraitChanges

SIZES = (100, 300, 1000)  # conversions, a tenth of the entities
PLANTED = {
    "trait.logins": "separates_too_well",
    "trait.plan": "separates_too_well",
    "trait.manager": "filled_for_converters",
    "trait.campaign": "missing_for_converters",
    "Invoice+Paid.count.ever": "separates_too_well",
}


def outcomes(conversions, rng):
    return rng.permutation(np.repeat([True, False], [conversions, 9 * conversions]))


def guilty(y, rng):
    n = len(y)

    def filled(share_of_converters, share_of_others):
        return rng.random(n) < np.where(y, share_of_converters, share_of_others)

    return pd.DataFrame(
        {
            "entity": [f"a{i}" for i in range(n)],
            "trait.logins": rng.normal(0, 1, n) + 2.8 * y,
            "trait.plan": np.where(filled(0.96, 0.02), "Pro", rng.choice(["Free", "Basic"], n)),
            "trait.manager": np.where(filled(0.9, 0.01), "A. Ito", None),
            "trait.campaign": np.where(filled(0.1, 0.97), "spring", None),
            "Invoice+Paid.count.ever": rng.normal(0, 1, n) + 4.0 * y,
        }
    )


def honest(y, rng):
    """Traits and behaviours with a ROC-AUC of about 0.75, and pure noise."""
    n = len(y)
    columns = {f"trait.strong_{i}": rng.normal(0, 1, n) + 0.95 * y for i in range(3)}
    columns |= {f"trait.noise_{i}": rng.normal(0, 1, n) for i in range(5)}
    columns["trait.industry"] = np.where(rng.random(n) < np.where(y, 0.7, 0.25), "software", "other")
    columns["trait.phone_given"] = np.where(rng.random(n) < np.where(y, 0.8, 0.4), "yes", None)
    columns["Invited.count.ever"] = rng.poisson(np.where(y, 4, 1)).astype(float)
    columns["Upload.count.ever"] = rng.poisson(2, n).astype(float)
    return pd.DataFrame({"entity": [f"a{i}" for i in range(n)], **columns})


def manifest_of(table):
    def column(name):
        if not name.startswith("trait."):
            return ModelColumn(name, "feature")
        if pd.api.types.is_numeric_dtype(table[name]):
            return ModelColumn(name, "number")
        return ModelColumn(name, "category", tuple(sorted(table[name].dropna().unique())))

    return Manifest(tuple(column(name) for name in table.columns if name != "entity"))


@pytest.mark.parametrize("conversions", SIZES)
def test_every_kind_of_planted_leak_is_caught(conversions):
    rng = np.random.default_rng(conversions)
    y = outcomes(conversions, rng)
    table = guilty(y, rng)
    findings = audit(table, y, manifest_of(table), {}, [])
    assert {f.column: f.kind for f in findings} == PLANTED
    assert all(f.auc > 0.9 and f.action == "quarantined" for f in findings if f.column != "trait.campaign")


@pytest.mark.parametrize("conversions", SIZES)
def test_honest_strong_traits_are_spared(conversions):
    rng = np.random.default_rng(conversions)
    y = outcomes(conversions, rng)
    table = honest(y, rng)
    assert audit(table, y, manifest_of(table), {}, []) == []


@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_found_in_an_honest_world(seed):
    rng = np.random.default_rng(seed)
    y = outcomes(int(rng.integers(15, 200)), rng)
    table = honest(y, rng)
    assert audit(table, y, manifest_of(table), {}, []) == []


def test_a_date_is_named_because_it_is_undated_itself():
    rng = np.random.default_rng(1)
    y = outcomes(100, rng)
    table = honest(y, rng)
    manifest = manifest_of(table)
    table = table.assign(**{"trait.zip": "8000", "trait.last_login": "2026-01-05"})
    unused = {"last_login": "a date or time, undated itself: it may know the future", "zip": "constant"}
    findings = audit(table, y, manifest, unused, [])
    assert [f.to_dict() for f in findings] == [
        {
            "column": "trait.last_login",
            "reason": "a date or time, undated itself: it may know the future",
            "kind": "undated_time",
            "auc": None,
            "action": "quarantined",
        }
    ]


@pytest.mark.parametrize("name", ["logins", "trait.logins"])
def test_allow_accepts_either_name_of_a_column(name):
    rng = np.random.default_rng(100)
    y = outcomes(100, rng)
    table = guilty(y, rng)[["entity", "trait.logins", "trait.manager"]]
    findings = audit(table, y, manifest_of(table), {}, [name])
    assert {f.column: f.action for f in findings} == {"trait.logins": "allowed", "trait.manager": "quarantined"}
    assert quarantined(findings) == ["trait.manager"]


def test_a_trait_is_judged_by_whether_its_entity_ever_converted():
    # 40 % of the entities convert, each only in the last of its ten snapshots
    rng = np.random.default_rng(3)
    ever = rng.random(500) < 0.4
    entity = np.repeat([f"a{i}" for i in range(500)], 10)
    converted = np.repeat(ever, 10) & (np.tile(np.arange(10), 500) == 9)
    table = pd.DataFrame({"entity": entity, "trait.manager": np.repeat(np.where(ever, "A. Ito", None), 10)})
    findings = audit(table, converted, manifest_of(table), {}, [])
    assert [(f.column, f.kind) for f in findings] == [("trait.manager", "filled_for_converters")]


def test_the_reason_contains_the_figure():
    rng = np.random.default_rng(100)
    y = outcomes(100, rng)
    table = guilty(y, rng)[["entity", "trait.manager"]]
    (finding,) = audit(table, y, manifest_of(table), {}, [])
    assert finding.reason == "filled for 87% of those who converted and 1.3% of the others: written after the outcome"


def test_an_unused_trait_filled_only_for_converters_is_named():
    rng = np.random.default_rng(1)
    y = outcomes(100, rng)
    table = honest(y, rng)
    manifest = manifest_of(table)
    table["trait.contract"] = np.where(y, [f"C-{i}" for i in range(len(y))], None)
    findings = audit(table, y, manifest, {"contract": "an identifier or free text"}, [])
    assert [(f.column, f.kind, f.action) for f in findings] == [
        ("trait.contract", "filled_for_converters", "quarantined")
    ]


def order_of(entities, **columns):
    return pd.DataFrame({"signed_up": np.nan, "position": np.nan, **columns}, index=entities)


def test_the_row_order_is_judged_if_known():
    rng = np.random.default_rng(1)
    y = outcomes(100, rng)
    table = honest(y, rng)
    entities = table["entity"].to_numpy()
    by_outcome = np.argsort(np.argsort(y))
    for position, kinds in ((by_outcome, ["row_order"]), (np.arange(len(y)), []), (np.nan, [])):
        evidence = LeakEvidence(order=order_of(entities, position=position))
        assert [f.kind for f in audit(table, y, manifest_of(table), {}, [], evidence)] == kinds


def test_rows_sorted_by_sign_up_are_honest_even_if_the_rate_drifts():
    rng = np.random.default_rng(2)
    n = 2000
    y = rng.random(n) < np.linspace(0.3, 0.02, n)
    table = pd.DataFrame({"entity": [f"a{i}" for i in range(n)], "trait.number": np.arange(n)})
    manifest = Manifest((ModelColumn("trait.number", "number"),))
    rows = np.arange(n)
    dated = LeakEvidence(order=order_of(table["entity"], position=rows, signed_up=rows))
    assert audit(table, y, manifest, {}, [], dated) == []
    undated = audit(table, y, manifest, {}, [], LeakEvidence(order=order_of(table["entity"], position=rows)))
    assert [f.kind for f in undated] == ["row_order", "identifier"]


def test_the_act_of_buying_is_quarantined_with_all_its_features():
    rng = np.random.default_rng(3)
    y = outcomes(100, rng)
    table = honest(y, rng)
    around = [EventTiming("Upload", 500, 5, 90, 2.0), EventTiming("Invited", 400, 0, 80, 75.0)]
    findings = audit(table, y, manifest_of(table), {}, [], LeakEvidence(event_timing=around))
    assert [(f.column, f.kind) for f in findings] == [("Invited", "act_of_buying")]
    assert quarantined(findings) == ["Invited.count.ever"]


def changes(trait="seats", converters=100, converters_changed=40, others=900, others_changed=27):
    return TraitChanges(trait, converters, converters_changed, others, others_changed)


def test_a_trait_whose_change_follows_the_outcome_is_quarantined():
    (found,) = audit_changes([changes()], [])
    assert (found.column, found.kind, found.action) == ("trait.seats", "changes_between_extracts", "quarantined")
    assert found.reason == (
        "changed between the two extracts for 40.0% of those who converted and 3.0% of the others: it follows the outcome"
    )
    assert found.auc == pytest.approx(0.685)
    assert audit_changes([changes()], ["seats"])[0].action == "allowed"


def test_a_trait_that_changes_for_everybody_alike_is_named_and_kept():
    (found,) = audit_changes([changes(converters_changed=5, others_changed=40)], [])
    assert (found.kind, found.action, found.auc) == ("changes_between_extracts", "kept", None)


def test_a_trait_that_hardly_ever_changes_is_not_named():
    assert audit_changes([changes(converters_changed=1, others_changed=3)], []) == []
    assert audit_changes([changes(converters=0, converters_changed=0)], []) == []


def test_the_more_serious_of_two_findings_about_a_column_is_kept():
    rng = np.random.default_rng(100)
    y = outcomes(100, rng)
    table = guilty(y, rng)[["entity", "trait.logins"]]
    evidence = LeakEvidence(trait_changes=[changes("logins")])
    assert [f.kind for f in audit(table, y, manifest_of(table), {}, [], evidence)] == ["separates_too_well"]
