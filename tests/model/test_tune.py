from dataclasses import replace

import numpy as np
import pytest
from small_model import MANIFEST, small_table

from pql_model.model import tune as tuning
from pql_model.model.booster import Params, priors
from pql_model.model.learner import Budget, TrainingRows
from pql_model.model.lightgbm_learner import LightGBM
from pql_model.model.split import Fold, Folds
from pql_model.model.tune import SEEDS, affordable

TABLE, Y = small_table(rows=300)
ROWS = np.arange(300)
FOLDS = Folds("expanding", tuple(Fold(ROWS[:end], ROWS[end : end + 75]) for end in (75, 150, 225)))


def rows_of(seed=7):
    return TrainingRows(MANIFEST.matrix(TABLE), Y, MANIFEST, seed)


def tune(trials, seed=7, progress=None, learner=None, **budget):
    return tuning.tune(learner or LightGBM(), rows_of(seed), FOLDS, Budget(trials, **budget), progress)


@pytest.fixture
def quick(monkeypatch):
    """Folds scored by a formula of the parameters, so that many trials cost nothing."""

    def score(_, params, fold):
        wobble = (((fold + 1) * 7919 + params.rounds * 31) % 97) / 970
        return 0.3 + 0.4 * params.feature_fraction + wobble

    monkeypatch.setattr(tuning, "_fold_score", score)


def test_the_same_seed_gives_the_same_trials_and_result():
    once, twice = tune(3), tune(3)
    assert once == twice
    assert [trial.number for trial in once.trials] == [0, 1, 2]
    assert tune(3, seed=8).trials[2].params != once.trials[2].params


def test_the_first_two_trials_are_the_priors_even_with_a_smaller_budget(quick):
    tried = tune(1).trials
    assert [Params(**trial.params) for trial in tried] == list(priors(300))


@pytest.mark.parametrize(("conversions", "tried"), [(3, 2), (45, 4), (290, 29), (5_000, 30)])
def test_few_conversions_allow_few_trials(conversions, tried):
    assert affordable(30, conversions) == tried


@pytest.mark.parametrize("killed_after", [1, 11])
def test_a_study_killed_between_trials_resumes_with_the_same_result(quick, tmp_path, killed_after):
    def stop(done, planned, best):
        if done == killed_after:
            raise KeyboardInterrupt("killed")

    with pytest.raises(KeyboardInterrupt, match="killed"):
        tune(12, journal=tmp_path / "a.journal", progress=stop)
    payload = []
    resumed = tune(12, journal=tmp_path / "a.journal", progress=lambda *now: payload.append(now[:2]))
    assert resumed == tune(12)
    assert payload[0] == (killed_after + 1, 12)  # what was done is not done again
    assert {trial.state for trial in resumed.trials} == {"complete", "pruned"}


@pytest.mark.parametrize("killed_in", [0, 4])
def test_a_study_killed_within_a_trial_repeats_it(quick, tmp_path, monkeypatch, killed_in):
    unbroken = tune(12)
    plain, calls = tuning._one_trial, []

    def killed(study, work):
        calls.append(1)
        if len(calls) == killed_in + 1:
            study.ask()  # open, and never told
            raise KeyboardInterrupt("killed")
        plain(study, work)

    with monkeypatch.context() as patch:
        patch.setattr(tuning, "_one_trial", killed)
        with pytest.raises(KeyboardInterrupt, match="killed"):
            tune(12, journal=tmp_path / "a.journal")
    assert tune(12, journal=tmp_path / "a.journal") == unbroken


def test_a_journal_cut_in_the_middle_of_a_line_is_resumed(quick, tmp_path):
    journal = tmp_path / "a.journal"
    tune(4, journal=journal)
    journal.write_bytes(journal.read_bytes()[:-9])
    assert tune(8, journal=journal).params == tune(8).params


def scored(monkeypatch, first, second, others, lead=(0.0, 0.01)):
    """Folds on which the two priors and every other setting score as given."""
    known = dict(zip(priors(300), (first, second), strict=True))
    monkeypatch.setattr(tuning, "_fold_score", lambda _, p, __: known.get(replace(p, averaged=3), others))
    monkeypatch.setattr(tuning, "_lead", lambda *_: lead)
    return tune(6)


def test_the_best_trial_is_averaged_with_the_priors_unless_it_clearly_beats_them(monkeypatch):
    alike = scored(monkeypatch, 0.70, 0.70, 0.72, lead=(0.02, 0.02))
    assert alike.learner.settings[:2] == priors(300)
    assert len(alike.learner.settings) == 5
    clearly = scored(monkeypatch, 0.70, 0.70, 0.72, lead=(0.02, 0.005))  # the best of six is lucky by 1.9 errors
    assert len(clearly.learner.settings) == 3
    assert not set(clearly.learner.settings) & set(priors(300))
    assert clearly.score == pytest.approx(0.72)


def test_a_trial_that_beats_no_prior_is_not_averaged(monkeypatch):
    averaged = scored(monkeypatch, 0.72, 0.71, 0.70)
    assert averaged.learner.settings == priors(300)
    assert Params(**averaged.params) == replace(priors(300)[0], averaged=SEEDS)


def test_settings_between_the_two_priors_join_both(monkeypatch):
    averaged = scored(monkeypatch, 0.72, 0.70, 0.71)
    assert averaged.learner.settings == priors(300)  # a prior is the best: nothing can beat it by luck
    best_found = scored(monkeypatch, 0.70, 0.69, 0.71).learner.settings
    assert best_found[:2] == priors(300)


def test_a_setting_has_no_lead_over_itself_and_a_large_one_over_a_setting_that_cannot_learn():
    useless = Params(rounds=1, averaged=1, min_data_in_leaf=10_000)
    learning = Params(rounds=40, averaged=1)
    problem = tuning._Problem(LightGBM(), rows_of(), FOLDS)
    assert tuning._lead(problem, learning, learning) == (0.0, 0.0)
    lead, error = tuning._lead(problem, learning, useless)
    assert lead > 2 * error > 0


def test_after_the_timeout_no_trial_starts_but_the_priors_are_always_tried(quick):
    assert len(tune(10, timeout=1e-9).trials) == 2


@pytest.mark.parametrize(("rows", "leaf"), [(10, 5), (300, 7), (1600, 40), (10**6, 40)])
def test_the_priors_have_leaves_that_a_small_table_can_fill(rows, leaf):
    forest, stumps = priors(rows)
    assert forest == Params(min_data_in_leaf=leaf)
    assert (stumps.num_leaves, stumps.extra_trees, stumps.min_data_in_leaf) == (2, False, leaf)


def test_fixed_parameters_hold_in_every_trial_and_setting(quick):
    tuned = tune(8, learner=LightGBM(fixed={"num_leaves": 4, "lambda_l1": 0.5}))
    assert all("num_leaves" not in trial.params for trial in tuned.trials)
    assert {(s.num_leaves, s.lambda_l1) for s in tuned.learner.settings} == {(4, 0.5)}
    assert tuned.params["num_leaves"] == 4


def test_own_ranges_bound_every_trial_also_the_priors(quick):
    own = LightGBM(search={"rounds": [50, 60], "max_depth": [2, 3]})
    tuned = tune(8, learner=own)
    assert all(50 <= trial.params["rounds"] <= 60 for trial in tuned.trials)
    assert all(2 <= trial.params["max_depth"] <= 3 for trial in tuned.trials)
    assert {type(trial.params["max_depth"]) for trial in tuned.trials} == {int}
    assert all(50 <= setting.rounds <= 60 for setting in tuned.learner.settings)


def test_with_nothing_left_to_search_only_the_priors_are_tried(quick):
    every = {name: value for name, value in vars(Params()).items() if name != "averaged"}
    tuned = tune(8, learner=LightGBM(fixed=every))
    assert len(tuned.trials) == 1  # both priors are the same setting then
    assert set(tuned.learner.settings) == {Params()}
