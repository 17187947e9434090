import numpy as np
import pandas as pd
import pytest
from small_model import MANIFEST, small_table

from pql_model.errors import NotEnoughDataError
from pql_model.model import train as fitting
from pql_model.model.booster import Params
from pql_model.model.columns import Manifest
from pql_model.model.learner import Budget, TrainingRows
from pql_model.model.lightgbm_learner import LightGBM
from pql_model.model.split import Fold, Folds
from pql_model.model.train import digest, fit_model, out_of_fold
from pql_model.time import DAY, Duration, parse_instant

HORIZON = Duration.parse("30d")


def training_rows(rows=400):
    table, y = small_table(rows)
    signed_up = parse_instant("2025-01-01") + np.arange(rows) * DAY // 2
    frame = pd.DataFrame(
        {
            "entity": table["entity"],
            "as_of": signed_up + 7 * DAY,
            "signed_up": pd.array(signed_up, dtype="Int64"),
            "converted": y == 1,
        }
    )
    return frame, MANIFEST.matrix(table)


def test_the_fit_is_calibrated_on_out_of_fold_rows():
    frame, X = training_rows()
    fit = fit_model(frame, X, MANIFEST, HORIZON, "trial", 7, Budget(1))
    assert fit.folds.kind == "expanding"
    assert fit.calibration.kind == "platt"
    p = fit.calibration.apply(fit.predictor.margin(X))
    assert abs(p.mean() - frame["converted"].mean()) < 0.06


def test_more_rows_than_tuning_needs_are_thinned_by_whole_entities(monkeypatch):
    monkeypatch.setattr(fitting, "MAX_TUNING_ROWS", 200)
    frame, X = training_rows()
    frame["entity"] = [f"a{i // 2}" for i in range(400)]
    rows = TrainingRows(X, frame["converted"].to_numpy(float), MANIFEST, 7)
    folds = fitting.tuning_folds(frame, HORIZON, "trial", 7)
    thin, folds = fitting._thinned(rows, folds, frame, HORIZON, "trial")
    assert 120 < len(thin.y) < 280
    assert len(thin.y) % 2 == 0
    assert max(fold.check.max() for fold in folds.folds) < len(thin.y)


def test_out_of_fold_margins_come_from_models_that_did_not_see_the_row():
    table, y = small_table(rows=300)
    rows = TrainingRows(MANIFEST.matrix(table), y, MANIFEST)
    at = np.arange(300)
    folds = Folds("expanding", tuple(Fold(at[:end], at[end : end + 75]) for end in (75, 150, 225)))
    learner = LightGBM(settings=(Params(rounds=10, averaged=1),))
    positions, margins = out_of_fold(learner, rows, folds)
    assert positions.tolist() == list(range(75, 300))
    first = learner.fit(rows.take(at[:75])).margin(rows.X[75:150])
    level = np.log(y.mean() / (1 - y.mean())) - np.log(y[:75].mean() / (1 - y[:75].mean()))
    np.testing.assert_allclose(margins[:75], first + level, rtol=0, atol=1e-12)


def test_without_a_column_there_is_nothing_to_fit():
    frame, X = training_rows()
    with pytest.raises(NotEnoughDataError, match="No feature or trait distinguishes one entity from another"):
        fit_model(frame, X[:, :0], Manifest(()), HORIZON, "trial", 7, Budget(1))


def test_the_digest_changes_with_anything_the_model_sees():
    frame, X = training_rows(20)
    same = digest(frame, X, MANIFEST.names, "config")
    other = X.copy()
    other[3, 0] += 1
    flipped = frame.assign(converted=~frame["converted"])
    assert digest(frame, X, MANIFEST.names, "config") == same
    assert len(same) == 16
    changed = {
        digest(frame, other, MANIFEST.names, "config"),
        digest(flipped, X, MANIFEST.names, "config"),
        digest(frame, X, MANIFEST.names, "other"),
        digest(frame, X, MANIFEST.names[::-1], "config"),
    }
    assert len(changed | {same}) == 5
