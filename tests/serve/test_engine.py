"""The service's answer is the batch's, to the last digit that matters."""

import json
import math
from dataclasses import replace

import pandas as pd
import pytest
from calls import NOW
from pydantic import TypeAdapter

import pql_model
from pql_model.config.definition import Definition
from pql_model.criteria.evaluate import BoundCriterion, BoundDefinition
from pql_model.decide.decider import KEY, Decider
from pql_model.errors import InputError
from pql_model.features.incoming import read_entity
from pql_model.serve.engine import ScoringEngine
from pql_model.sources.scalars import is_bot
from pql_model.time import iso, parse_instant

EQUAL = ("as_of", "band", "meets_definition", "meets_in_force", "model_version", "feature_set")
"""`is_pql` may differ: the batch has a capacity."""
CLOSE = ("probability", "score", "usage", "fit", "timing")
AS_OF = ("2025-07-01", "2025-10-01T12:00:00Z", "2026-01-01T07:33:25Z")
LATER = parse_instant("2026-12-01")


@pytest.fixture(scope="module")
def home(trained):
    return trained.folder.parent.parent


@pytest.fixture(scope="module")
def decider(bundle):
    """The demo's, with a definition that an account of trained age can still come to meet."""
    rule = {
        "all": [
            {"event": "Board Created", "at_least": 2, "within": "first 14d"},
            {"event": "Teammate Invited", "at_least": 1, "within": "last 7d"},
        ]
    }
    decider = Decider.of_facts(bundle.model.facts)
    return replace(decider, in_force=BoundDefinition(TypeAdapter(Definition).validate_python(rule)))


@pytest.fixture(scope="module")
def open_engine(bundle, decider):
    facts = {**bundle.model.facts, KEY: decider.to_dict()}
    return ScoringEngine(replace(bundle, model=replace(bundle.model, facts=facts)))


@pytest.fixture(scope="module")
def scored(home, decider, tmp_path_factory):
    """Rows of `pql score` at three instants; its state files are deleted again."""
    path = tmp_path_factory.mktemp("scores") / "scores.parquet"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Decider, "of_facts", lambda *_: decider)
        rows = pd.concat([pql_model.score(home / "pql.yaml", as_of=at, output=path, model="1").rows for at in AS_OF])
    for left in (home / ".pql").glob("decisions-*.parquet"):
        left.unlink()
    return rows.assign(as_of=[iso(at.value // 1000) for at in rows["as_of"]]).set_index(["entity", "as_of"], drop=False)


@pytest.fixture(scope="module")
def requests(home, scored):
    """Requests as a caller would send them: raw rows, without invalid times and without bots by user agent."""
    log = pd.read_parquet(home / "events.parquet")
    agent = log["user_agent"].fillna("").str.contains("(?i)bot|crawl|spider|headless|monitor|curl|python")
    log = log[~agent & pd.to_datetime(log["occurred"], errors="coerce", utc=True, format="ISO8601").notna()]
    accounts = pd.read_csv(home / "accounts.csv", dtype=str).drop_duplicates("account_id").set_index("account_id")
    traits = [name for name in accounts.columns if name != "created_at"]
    result = {}
    for name, as_of in scored.index:
        rows = log[log["account_id"].str.strip() == name]
        result[name, as_of] = {
            "entity": name,
            "signed_up": accounts.loc[name, "created_at"],
            "as_of": as_of,
            "traits": {t: None if pd.isna(accounts.loc[name, t]) else accounts.loc[name, t] for t in traits},
            "events": [
                {
                    "event": r.action,
                    "time": r.occurred,
                    "id": r.event_id,
                    "user": None if pd.isna(r.user_id) else r.user_id,
                    "values": None if pd.isna(r.size_mb) else {"megabytes": r.size_mb},
                }
                for r in rows.itertuples()
            ],
        }
    return result


def plain(value):
    return json.loads(value) if isinstance(value, str) and value[:1] in "[{" else value


def test_raw_events_give_the_rows_of_the_batch(open_engine, scored, requests):
    assert len(requests) >= 55
    assert sum(bool(request["events"]) for request in requests.values()) >= 40
    largest = 0.0
    for at, request in requests.items():
        answer, row = open_engine.score(json.loads(json.dumps(request)), LATER).row, scored.loc[at]
        largest = max(largest, *(abs(answer[key] - row[key]) for key in CLOSE))
        assert {key: answer[key] for key in EQUAL} == {key: row[key] for key in EQUAL}, at
        for key in ("reasons", "criteria_met", "nearest_missing", "next_step", "contact", "contacts"):
            close(answer[key], plain(row[key]), f"{at}.{key}")
    assert largest < 1e-9
    assert scored["meets_definition"].nunique() == 2
    assert any(plain(text) for text in scored["nearest_missing"].dropna())
    assert scored["contact"].notna().any()


def close(mine, theirs, where):
    """Equal, numbers to 1e-9."""
    if isinstance(mine, dict):
        assert isinstance(theirs, dict), where
        assert mine.keys() == theirs.keys(), where
        for key in mine:
            close(mine[key], theirs[key], f"{where}.{key}")
    elif isinstance(mine, list):
        assert len(mine) == len(theirs), where
        for k, (one, other) in enumerate(zip(mine, theirs, strict=True)):
            close(one, other, f"{where}[{k}]")
    elif isinstance(mine, float) and theirs is not None:
        assert math.isclose(mine, theirs, rel_tol=0, abs_tol=1e-9), where
    else:
        assert pd.isna(theirs) if mine is None else mine == theirs, where


def test_finished_features_of_an_uncovered_age_are_refused(engine):
    low, high = engine.scope.ages
    given = dict.fromkeys(engine._position)
    name = "any.days_since_signup.ever"
    for age in (low, high, None):
        assert engine.score({"entity": "a", "features": {**given, name: age}}, NOW).row["probability"] > 0
    for age in (low - 0.1, high + 0.1):
        with pytest.raises(
            InputError, match=rf"^`features.{name}` cannot be used.*{age:.1f} days .*Allowed: {low:g} to {high:g} days"
        ):
            engine.score({"entity": "a", "features": {**given, name: age}}, NOW)


def test_finished_features_and_raw_events_give_the_same_row(engine, requests):
    request = max(requests.values(), key=lambda r: len(r["events"]))
    raw = engine.score(request, LATER).row
    incoming = read_entity(request, engine.scope.rules, LATER)
    numbers = engine._online.compute(incoming.events, incoming.signed_up, incoming.as_of)
    features = {f.name: None if n != n else n for f, n in zip(engine._features, numbers, strict=True)}
    finished = {key: request[key] for key in ("entity", "as_of", "traits")} | {"features": features}

    answer = engine.score(finished, LATER).row
    assert raw["contact"] == raw["contacts"][0]
    assert answer == {**raw, "contact": None, "contacts": None}  # finished features have no users


def test_conditions_on_absent_features_are_undecided(bundle, decider):
    """As in a table without the column: an undecided condition is not an unmet one."""
    criterion = BoundCriterion.from_dict(
        {"id": "c1", "text": "at least 2 `Teleported` so far", "event": "Teleported", "at_least": 2}
    )
    definition = BoundDefinition(Definition.model_validate({"all": [{"event": "Teleported", "at_least": 2}]}))
    rule = replace(decider.rule, leads=None, per=None, definition="in_force")
    facts = {
        KEY: replace(
            decider,
            rule=rule,
            criteria=(criterion,),
            in_force=definition,
            recommended=None,
            in_force_verdict=None,
            hold_out=0.0,
        ).to_dict()
    }
    engine = ScoringEngine(replace(bundle, model=replace(bundle.model, facts=bundle.model.facts | facts)))
    given = {c.name: 1.0 for c in bundle.model.manifest.columns if c.kind == "feature"}
    given["any.days_since_signup.ever"] = 8.0

    def decided(**more):
        row = engine.score({"entity": "a", "features": {**given, **more}}, NOW).row
        return row["is_pql"], row["meets_definition"], row["criteria_met"], row["nearest_missing"] is None

    assert decided() == (None, None, None, True)
    assert decided(**{"Teleported.count.ever": None}) == (False, False, [], False)
    assert decided(**{"Teleported.count.ever": 2.0}) == (True, True, [{"id": "c1", "text": criterion.text}], True)


def test_the_order_of_events_and_of_traits_does_not_matter(engine, requests):
    request = max(requests.values(), key=lambda r: len(r["events"]))
    turned = {**request, "events": request["events"][::-1], "traits": dict(reversed(request["traits"].items()))}

    assert engine.score(turned, LATER).row == engine.score(request, LATER).row


def test_an_entity_without_events_is_scored(engine, entity):
    answer = engine.score({**entity, "events": [], "traits": None}, NOW)

    assert 0 < answer.row["probability"] < 1
    assert answer.set_aside == {}


def test_an_unknown_event_counts_as_activity_and_is_reported(engine, entity):
    strange = {"event": "Teleported", "time": "2026-01-03T09:00:00Z"}

    assert engine.score({**entity, "events": [strange, strange]}, NOW).unknown_events == {"Teleported": 2}


def test_unknown_values_and_traits_are_reported(engine, entity):
    """A name that is misspelt would otherwise be a value that is missing, and another number."""
    event = {**entity["events"][0], "values": {"megabites": 3, "megabytes": 2}}
    answer = engine.score({**entity, "traits": {"compnay_size": "1-10", "region": None}, "events": [event]}, NOW)

    assert (answer.payload["unknown_values"], answer.payload["unknown_traits"]) == ({"megabites": 1}, ["compnay_size"])
    assert engine.score(entity, NOW).payload["unknown_traits"] == []


def test_unseen_categories_and_missing_traits_are_scored(engine, entity):
    for traits in (
        {"company_size": "a billion"},
        {},
        {"company_size": None},
        {"company_size": 3.5, "nobody asked": "x"},
    ):
        assert 0 < engine.score({**entity, "traits": traits}, NOW).row["probability"] < 1


def test_events_that_are_set_aside_change_nothing_and_are_counted(engine, entity):
    before = engine.score(entity, NOW)
    rows = [
        {"event": "Board Created", "time": "2025-12-31T23:59:59Z"},
        {"event": "Board Created", "time": entity["as_of"]},
        {"event": "Board Created", "time": "2026-01-03", "known_at": "2026-01-09"},
        {"event": "Board Created", "time": "2026-01-03", "user": "googlebot"},
    ]
    after = engine.score({**entity, "events": [*entity["events"], *rows]}, NOW)

    assert is_bot("googlebot")
    assert after.row == before.row
    assert after.set_aside == {"bot": 1, "before_signup": 1, "after_as_of": 1, "known_later": 1}


@pytest.mark.parametrize(("as_of", "age"), [("2026-01-07T23:59:59Z", "6.99999"), ("2026-01-17", "16")])
def test_an_uncovered_age_is_refused(engine, entity, as_of, age):
    with pytest.raises(
        InputError,
        match=rf"`as_of` cannot be used. Received: {as_of}, {age} days after the sign-up. Allowed: 7 to 15 days",
    ):
        engine.score({**entity, "as_of": as_of}, NOW)


def test_an_excluded_entity_is_refused(engine, entity):
    with pytest.raises(InputError, match=r"`traits.email_domain` cannot be used. Received: nimbus.test"):
        engine.score({**entity, "traits": {"email_domain": " nimbus.test "}}, NOW)
    with pytest.raises(InputError, match=r"`traits.email_domain` cannot be used. Received: nimbus.test"):
        engine.score({"entity": "a", "features": {}, "traits": {"email_domain": "nimbus.test"}}, NOW)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"features": {}}, "`entity` is missing"),
        ({"entity": "a", "features": []}, "`features` cannot be used. Received: a list"),
        ({"entity": "a", "features": {}}, "are missing"),
        ({"entity": "a", "features": {}, "events": []}, "`events`"),
    ],
)
def test_invalid_features_are_named(engine, raw, words):
    with pytest.raises(InputError, match=words):
        engine.score(raw, NOW)


@pytest.mark.parametrize("value", ["1", 10**400, -(10**4000), 1e301, [1], {}, math.nan, math.inf], ids=range(8))
def test_a_feature_that_is_not_a_number_is_refused(engine, value):
    own = [c.name for c in engine.model.manifest.columns if c.kind == "feature"]
    given = dict.fromkeys(own, 1.0)
    with pytest.raises(InputError, match=r"cannot be used\. Received: .* Allowed: a finite number"):
        engine.score({"entity": "a", "features": {**given, own[0]: value}}, NOW)
    with pytest.raises(InputError, match="an unknown feature"):
        engine.score({"entity": "a", "features": {**given, "x" * 100_000: value}}, NOW)
