import numpy as np
import pandas as pd

from pql_model.evaluation.age import GROUPS, age_groups, age_only, ages
from pql_model.time import DAY


def test_the_age_is_counted_from_the_sign_up():
    frame = pd.DataFrame({"as_of": [10 * DAY, 3 * DAY], "signed_up": pd.array([7 * DAY, None], dtype="Int64")})
    np.testing.assert_array_equal(ages(frame), [3.0, np.nan])


def test_each_landmark_of_a_trial_is_a_group():
    assert age_groups(np.array([14.0, 3.0, 7.0, 3.0])).tolist() == [2, 0, 1, 0]


def test_ages_of_freemium_fall_into_groups_of_equal_size():
    groups = age_groups(np.random.default_rng(1).uniform(0, 400, 4000))
    assert np.bincount(groups).tolist() == [4000 // GROUPS] * GROUPS


def test_unknown_ages_are_one_group():
    assert age_groups(np.array([np.nan, np.nan])).tolist() == [-1, -1]


def test_age_only_predicts_the_rate_of_training_rows_of_the_same_age():
    age = np.repeat([3.0, 7.0], 500)
    y = np.r_[np.arange(500) < 50, np.arange(500) < 200]
    predicted = age_only(age, y, np.array([3.0, 7.0, np.nan]))
    np.testing.assert_allclose(predicted, [0.1, 0.4, 0.25], atol=0.001)
