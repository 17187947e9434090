import json
from dataclasses import replace

import pytest

from pql_model.config.load import load_config
from pql_model.decide.build import build_decider, check_policy, idle_exclusions
from pql_model.decide.decider import KEY, Decider, InForceStatus
from pql_model.errors import DataError
from pql_model.time import DAY


@pytest.fixture(scope="module")
def config(trained):
    return load_config(trained.folder.parent.parent / "pql.yaml")


def with_policy(config, **raw):
    return type(config).model_validate({**config.model_dump(by_alias=True, exclude_none=True), "policy": raw})


def built(trained, config):
    data, test = trained.prepared, trained.prepared.split.test
    probability = trained.registered.model.held_back.probability(data.table)[test]
    return build_decider(config, data.snapshots.frame[test], data.table[test], probability, trained.findings.results)


def test_a_trained_model_contains_its_decider(trained, config):
    model = trained.registered.model
    decider = Decider.of_facts(json.loads(json.dumps(model.facts)))
    of_tested = built(trained, config)
    assert decider == replace(of_tested, rule=decider.rule, slopes=decider.slopes)
    assert decider.rule.probability != of_tested.rule.probability  # that of the served model, out of fold
    result = trained.findings.results
    assert [c.id for c in decider.criteria] == [c.id for c in result.criteria]
    assert decider.recommended.id == result.recommended.id
    assert decider.definition == decider.recommended
    verdict = result.in_force.verdict
    assert decider.in_force_verdict == InForceStatus(verdict.verdict, verdict.sentence, verdict.stale)
    assert set(decider.slopes) <= {c.feature.family for c in decider.criteria if c.feature is not None}
    assert decider.slopes
    assert "rule" in model.facts[KEY]


def test_band_results_cover_every_test_row(trained, config):
    results = built(trained, config).band_results
    assert [r["name"] for r in results] == ["high", "medium", "low", "very_low"]
    assert sum(r["rows"] for r in results) == int(trained.prepared.split.test.sum())


def test_the_decider_has_the_settings_of_the_policy(trained, config):
    changed = with_policy(
        config,
        definition="recommended",
        bands={"hot": 0.5},
        stay=0.5,
        cool_down="3d",
        hold_out=0.1,
        exclude={"company_size": ["1-10"]},
        hand_raise=[{"event": "Teammate Invited", "at_least": 9}],
    )
    decider = built(trained, changed)
    assert (decider.stay, decider.cool_down, decider.hold_out, decider.name) == (0.5, 3 * DAY, 0.1, "nimbus-boards")
    assert (decider.bands.names, decider.rule.definition) == (("hot", "very_low"), "recommended")
    assert [c.text for c in decider.exclude] == ["`company_size` is 1-10"]
    assert [c.text for c in decider.hand_raise] == ["at least 9 `Teammate Invited` so far"]
    assert 0 < decider.rule.probability < 1


def test_excluded_and_held_out_rows_do_not_count_towards_the_level(trained, config):
    def level(**more):
        return built(trained, with_policy(config, capacity={"leads": 5, "per": "7d"}, **more)).rule.probability

    sizes = sorted(trained.prepared.table["trait.company_size"].dropna().unique())
    assert level(hold_out=0.5) < level()
    assert level(exclude={"company_size": sizes[:2]}) < level()
    assert 0 <= level(exclude={"company_size": sizes}) <= 1


def test_an_excluded_value_that_no_row_has_is_listed(trained, config):
    changed = with_policy(config, probability=0.2, exclude={"company_size": ["1-10", "1 - 10"]})
    assert idle_exclusions(changed, trained.prepared.table) == [("company_size", "1 - 10")]
    assert idle_exclusions(with_policy(config, probability=0.2), trained.prepared.table) == []


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (
            {"hand_raise": [{"event": "Teammate Invite", "at_least": 1}]},
            r"The hand_raise names event `Teammate Invite`, which the data do not have, did you mean `Teammate Invited`\?",
        ),
        (
            {"exclude": {"company size": ["x"]}},
            r"The exclude names trait `company size`.*did you mean `company_size`\?.*policy: {exclude",
        ),
    ],
)
def test_a_policy_with_an_unknown_name_is_refused(config, raw, message):
    with pytest.raises(DataError, match=message):
        check_policy(with_policy(config, probability=0.2, **raw), ["Teammate Invited"], ["company_size"])


def test_a_policy_with_known_names_passes(config):
    check_policy(with_policy(config, probability=0.2, exclude={"company_size": []}), [], [])
