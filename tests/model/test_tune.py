import numpy as np
import pytest
from small_model import MANIFEST, small_table

from pql_model.model import tune as tuning
from pql_model.model.booster import Params
from pql_model.model.split import Fold, Folds
from pql_model.model.tune import Problem, tune

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
    assert Params(**tune(problem(), 1).trials[0].params) == Params()


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


def test_the_prior_is_kept_when_nothing_is_clearly_better(monkeypatch):
    def luck(_, params, fold):  # better on one fold, as much worse on another
        if params == Params():
            return 0.70
        return (0.79, 0.69, 0.65)[fold]

    monkeypatch.setattr(tuning, "_fold_score", luck)
    tuned = tune(problem(), 6)
    assert max(trial.score for trial in tuned.trials if trial.score is not None) > 0.70
    assert (tuned.params, tuned.score) == (Params(), pytest.approx(0.70))


def test_what_is_better_on_every_fold_replaces_the_prior(monkeypatch):
    def better(_, params, fold):
        return 0.70 if params == Params() else 0.75 + fold / 1000

    monkeypatch.setattr(tuning, "_fold_score", better)
    tuned = tune(problem(), 3)
    assert tuned.params != Params()
    assert tuned.score > 0.75


def test_after_the_timeout_no_trial_starts_but_one_is_always_done(quick):
    assert len(tune(problem(), 10, timeout=1e-9).trials) == 1


def test_out_of_fold_margins_are_those_of_rows_that_were_not_seen():
    rows, margins = tuning.out_of_fold(problem(), Params(rounds=10, averaged=1))
    assert rows.tolist() == list(range(75, 300))
    assert margins.shape == (225,)
