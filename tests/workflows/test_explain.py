import json

import pandas as pd
import pytest
from products import freemium_files, weekly_counts

from pql_model.config.load import load_config
from pql_model.errors import DataError, ModelNotFoundError
from pql_model.explain.reason_text import AGE
from pql_model.features.catalogue import offer_features
from pql_model.features.table import feature_table
from pql_model.snapshots.eligibility import eligibility
from pql_model.snapshots.grid import scoring_grid
from pql_model.sources.coverage import newest_event
from pql_model.sources.duckdb_session import open_session
from pql_model.sources.read import read_sources
from pql_model.sources.select_entity import select_entity
from pql_model.time import DAY
from pql_model.workflows import explain as pipeline
from pql_model.workflows.explain import explain_entity
from pql_model.workflows.prepare import has_users, trait_names
from pql_model.workflows.score import score

AS_OF = "2025-11-20"
FIELDS = {
    "entity",
    "as_of",
    "probability",
    "score",
    "usage",
    "fit",
    "timing",
    "base",
    "reasons",
    "behaviours",
    "at_risk",
    "why_not",
    "meets_definition",
    "model",
}


@pytest.fixture(scope="module")
def config(trained):
    return trained.folder.parent.parent / "pql.yaml"


@pytest.fixture(scope="module")
def scored(config, tmp_path_factory):
    """What `pql score` says of everyone at risk, the best first."""
    return score(config, as_of=AS_OF, output=tmp_path_factory.mktemp("scores") / "s.parquet").rows


@pytest.fixture(scope="module")
def best(config, scored):
    return explain_entity(config, scored["entity"][0], as_of=AS_OF)


@pytest.mark.parametrize("place", [0, 0.4, 1])
def test_an_explanation_agrees_with_pql_score(config, scored, place):
    row = scored.iloc[round(place * (len(scored) - 1))]
    payload = explain_entity(config, row["entity"], as_of=AS_OF).to_dict()
    assert payload["probability"] == pytest.approx(row["probability"], abs=1e-12, rel=0)
    for name in ("score", "usage", "fit", "timing"):
        assert payload[name] == pytest.approx(row[name], abs=1e-12, rel=0)
    assert payload["reasons"] == json.loads(row["reasons"])
    assert (payload["meets_definition"], payload["meets_in_force"]) == (row["meets_definition"], row["meets_in_force"])
    for name in ("criteria_met", "nearest_missing", "next_step", "contact", "contacts"):
        assert payload[name] == (None if pd.isna(row[name]) else json.loads(row[name])), name
    assert (payload["at_risk"], payload["why_not"]) == (True, None)
    assert payload["model"]["version"] == row["model_version"]


def test_the_json_has_every_field_of_the_contract_and_adds_up(best, trained):
    payload = json.loads(json.dumps(best.to_dict(), allow_nan=False))
    assert set(payload) >= FIELDS
    assert set(payload["behaviours"][0]) == {"behaviour", "part", "contribution", "effect", "words"}
    margin = sum(payload[part] for part in ("base", "usage", "fit", "timing"))
    assert sum(b["contribution"] for b in payload["behaviours"]) + payload["base"] == pytest.approx(margin, abs=1e-6)
    calibration = trained.registered.model.calibration
    assert payload["probability"] == pytest.approx(float(calibration.apply([margin])[0]), abs=1e-9)
    assert payload["steps"][-1]["probability"] == payload["probability"]
    test = trained.registered.model.facts["test"]
    assert payload["base_rate"] == test["conversions"] / test["rows"]


def test_the_conditions_are_those_of_the_recommended_definition_beside_the_one_in_force(config, scored, trained):
    without = scored.loc[~scored["meets_in_force"].astype(bool), "entity"].iloc[0]
    payload = explain_entity(config, without, as_of=AS_OF).to_dict()
    recommended = trained.findings.results.recommended
    assert payload["definition"]["source"] == "recommended"
    assert payload["conditions"] == payload["definition"]["conditions"]
    assert len(payload["conditions"]) == len(recommended.definition.criteria)
    assert payload["definition"]["meets"] == payload["meets_definition"]
    assert payload["in_force"]["meets"] is payload["meets_in_force"] is False
    (condition,) = payload["in_force"]["conditions"]
    assert condition["held"] is False
    assert condition["words"].endswith("; needs at least 2")
    assert "`Board Created`" in condition["words"]
    verdict = trained.findings.results.in_force.verdict
    assert payload["in_force"]["verdict"] == {
        "verdict": verdict.verdict,
        "sentence": verdict.sentence,
        "stale": verdict.stale,
    }


def test_only_the_events_of_the_entity_go_through_the_features(config, scored, monkeypatch):
    seen = []

    def spy(sources, snapshots, *rest):
        seen.append((sources.events.table.entity.nunique().execute(), snapshots.count().execute()))
        return computed(sources, snapshots, *rest)

    computed = pipeline.feature_table
    monkeypatch.setattr(pipeline, "feature_table", spy)
    explain_entity(config, scored["entity"][0], as_of=AS_OF)
    assert seen == [(1, 1)]


def test_a_converted_entity_is_explained_at_its_last_instant_before(config):
    paid = pd.read_csv(config.parent / "subscriptions.csv").sort_values("paid_at")
    who, when = paid.drop_duplicates("account_id").iloc[5][["account_id", "paid_at"]]
    payload = explain_entity(config, who, as_of="2026-01-15").to_dict()
    assert (payload["at_risk"], payload["why_not"]) == (False, "converted")
    assert str(when)[:10] in payload["why_not_words"]
    assert 0 < payload["probability"] < 1


@pytest.mark.parametrize(("days", "reason"), [(1, "too_young"), (40, "too_old")])
def test_an_entity_of_another_age_is_explained_with_the_reason(config, days, reason):
    accounts, paid = (pd.read_csv(config.parent / f"{name}.csv") for name in ("accounts", "subscriptions"))
    never = accounts[~accounts["account_id"].isin(paid["account_id"]) & (accounts["email_domain"] != "nimbus.test")]
    who = never.sort_values("created_at").iloc[10]
    as_of = pd.to_datetime(who["created_at"], utc=True) + pd.Timedelta(days=days)
    payload = explain_entity(config, who["account_id"], as_of=as_of.isoformat()).to_dict()
    assert (payload["at_risk"], payload["why_not"]) == (False, reason)
    assert payload["why_not_words"].endswith("the model covers days 7 to 15 only")
    assert payload["behaviours"]


def test_an_entity_has_no_explanation_before_its_sign_up(config, scored):
    payload = explain_entity(config, scored["entity"][0], as_of="2020-01-01").to_dict()
    assert (payload["why_not"], payload["probability"], payload["behaviours"]) == ("not_signed_up_yet", None, [])
    assert payload["meets_definition"] is payload["definition"] is payload["in_force"] is payload["contact"] is None
    json.dumps(payload, allow_nan=False)


def test_as_of_defaults_to_the_newest_event_and_the_id_is_stripped(config, scored, tmp_path):
    result = explain_entity(config, f" {scored['entity'][0]}\n")
    assert result.eligibility.as_of == score(config, output=tmp_path / "newest.parquet").as_of


@pytest.mark.parametrize("files", [lambda home: freemium_files(home, accounts=40)[0], weekly_counts])
def test_an_entity_has_the_same_features_alone_and_among_others_also_where_rows_arrive_late(files, tmp_path):
    config = load_config(files(tmp_path))
    with open_session("1GB") as con:
        sources = read_sources(con, config)
        as_of = newest_event(sources.events.table) - 20 * DAY
        events = [row["event"] for row in sources.events.table.select("event").distinct().to_pyarrow().to_pylist()]
        signup = config.entities.columns.signed_up is not None
        features = list(dict.fromkeys([*offer_features(config, events, signup, has_users(config)), AGE]))
        traits = trait_names(sources.entities.traits)
        among = feature_table(sources, con.create_table("grid", scoring_grid(config, sources, as_of)), features, traits)
        for name in among["entity"].iloc[[0, 7, 39]]:
            mine = select_entity(con, config, sources, name)
            row = con.create_table("row", eligibility(config, mine, as_of)[1], overwrite=True)
            alone = feature_table(mine, row, features, traits)
            expected = among[among["entity"] == name].reset_index(drop=True)
            pd.testing.assert_frame_equal(alone, expected, check_exact=True, check_dtype=False)
            assert alone["any.count.ever"].iloc[0] > 0


def test_an_unknown_entity_is_refused_with_the_nearest_names(config, scored):
    name = scored["entity"][0]
    with pytest.raises(DataError, match=rf"has no entity `{name[:-1]}`, did you mean `.*{name[:-1]}"):
        explain_entity(config, name[:-1])


def test_an_invalid_time_and_an_unknown_model_are_refused(config, scored):
    with pytest.raises(DataError, match=r"`as_of` is not a time\. Received: soon"):
        explain_entity(config, scored["entity"][0], as_of="soon")
    with pytest.raises(ModelNotFoundError, match="There is no 99 of the model"):
        explain_entity(config, scored["entity"][0], model="99")
