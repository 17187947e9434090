import numpy as np
import pytest
from small_model import MANIFEST, small_table

from pql_model.model import tune as tuning
from pql_model.model.booster import Params
from pql_model.model.split import Fold, Folds
from pql_model.model.tune import Problem, prior, tune

TABLE, Y = small_table(rows=300)
ROWS = np.arange(300)
FOLDS = Folds("expanding", tuple(Fold(ROWS[:end], ROWS[end : end + 75]) for end in (75, 150, 225)))


def problem(seed=7):
    return Problem(MANIFEST.matrix(TABLE), Y, MANIFEST.names, MANIFEST.categorical, FOLDS, seed)


@pytest.fixture
def quick(monkeypatch):
    """Folds scored by a formula of the parameters, so that many trials cost nothing."""

    def score(_, params, fold):
        wobble = (((fold + 1) * 7919 + params.rounds * 31) % 97) / 970
        return 0.3 + 0.4 * params.feature_fraction + wobble

    monkeypatch.setattr(tuning, "_fold_score", score)


def test_the_same_seed_twice_tries_and_chooses_the_same():
    once, twice = tune(problem(), 3), tune(problem(), 3)
    assert once == twice
    assert [trial.number for trial in once.trials] == [0, 1, 2]
    assert tune(problem(seed=8), 3).trials[1].params != once.trials[1].params


def test_the_first_trial_is_the_prior():
    assert Params(**tune(problem(), 1).trials[0].params) == prior(300)


@pytest.mark.parametrize("killed_after", [1, 12])
def test_a_study_killed_between_trials_goes_on_as_if_nothing_had_happened(quick, tmp_path, killed_after):
    def stop(done, planned, best):
        if done == killed_after:
            raise KeyboardInterrupt("killed")

    with pytest.raises(KeyboardInterrupt, match="killed"):
        tune(problem(), 15, journal=tmp_path / "a.journal", progress=stop)
    told = []
    resumed = tune(problem(), 15, journal=tmp_path / "a.journal", progress=lambda *now: told.append(now[:2]))
    assert resumed == tune(problem(), 15)
    assert told[0] == (killed_after + 1, 15)  # what was done is not done again
    assert {trial.state for trial in resumed.trials} == {"complete", "pruned"}


@pytest.mark.parametrize("killed_in", [0, 4])
def test_a_study_killed_within_a_trial_tries_it_again(quick, tmp_path, monkeypatch, killed_in):
    unbroken = tune(problem(), 12)
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
            tune(problem(), 12, journal=tmp_path / "a.journal")
    assert tune(problem(), 12, journal=tmp_path / "a.journal") == unbroken


def test_a_journal_cut_in_the_middle_of_a_line_is_taken_up(quick, tmp_path):
    journal = tmp_path / "a.journal"
    tune(problem(), 4, journal=journal)
    journal.write_bytes(journal.read_bytes()[:-9])
    assert tune(problem(), 8, journal=journal).params == tune(problem(), 8).params


@pytest.mark.parametrize(("lead", "error", "taken"), [(0.02, 0.02, False), (0.02, 0.005, True), (-0.01, 0.001, False)])
def test_a_setting_replaces_the_prior_only_if_its_lead_is_more_than_luck(monkeypatch, lead, error, taken):
    monkeypatch.setattr(tuning, "_fold_score", lambda _, params, __: 0.70 if params == prior(300) else 0.72)
    monkeypatch.setattr(tuning, "_lead", lambda *_: (lead, error))
    tuned = tune(problem(), 6)  # the best of six is lucky by 1.9 standard errors
    assert (tuned.params != prior(300)) == taken
    assert tuned.score == pytest.approx(0.72 if taken else 0.70)


def test_a_setting_has_no_lead_over_itself_and_a_large_one_over_a_setting_that_cannot_learn():
    useless = Params(rounds=1, averaged=1, min_data_in_leaf=10_000)
    learning = Params(rounds=40, averaged=1)
    assert tuning._lead(problem(), learning, learning) == (0.0, 0.0)
    lead, error = tuning._lead(problem(), learning, useless)
    assert lead > 2 * error > 0


def test_after_the_timeout_no_trial_starts_but_one_is_always_done(quick):
    assert len(tune(problem(), 10, timeout=1e-9).trials) == 1


def test_out_of_fold_margins_are_those_of_rows_that_were_not_seen():
    rows, margins = tuning.out_of_fold(problem(), Params(rounds=10, averaged=1))
    assert rows.tolist() == list(range(75, 300))
    assert margins.shape == (225,)


@pytest.mark.parametrize(("rows", "leaf"), [(10, 5), (300, 7), (1600, 40), (10**6, 40)])
def test_the_prior_has_leaves_that_a_small_table_can_fill(rows, leaf):
    assert prior(rows) == Params(min_data_in_leaf=leaf)
