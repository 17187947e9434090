import numpy as np
import pytest
from scipy.special import expit

from pql_model.statistics.clustered_logistic import clustered_logistic
from pql_model.statistics.estimate import Z95


def with_intercept(*columns):
    return np.column_stack([np.ones(len(columns[0])), *columns])


def test_repeating_every_row_of_a_cluster_changes_neither_coefficients_nor_errors():
    rng = np.random.default_rng(2)
    x = rng.normal(size=300)
    X, y, cluster = with_intercept(x), rng.random(300) < expit(x), np.arange(300)
    once = clustered_logistic(X, y, cluster)
    thrice = clustered_logistic(np.tile(X, (3, 1)), np.tile(y, 3), np.tile(cluster, 3))
    assert thrice.coefficients == pytest.approx(once.coefficients, abs=1e-6)
    assert thrice.covariance == pytest.approx(once.covariance, rel=1e-5)


def test_the_interval_holds_the_truth_as_often_as_it_says():
    hits, rng = 0, np.random.default_rng(5)
    for _ in range(300):
        of_cluster = rng.normal(size=150)
        cluster = np.repeat(np.arange(150), 3)
        x = of_cluster[cluster] + 0.3 * rng.normal(size=450)
        y = (rng.random(150) < expit(0.7 * of_cluster - 1))[cluster]  # one outcome for all rows of a cluster
        fit = clustered_logistic(with_intercept(of_cluster[cluster], x - of_cluster[cluster]), y, cluster)
        hits += abs(fit.coefficients[1] - 0.7) <= Z95 * fit.standard_error(1)
    assert 0.91 <= hits / 300 <= 0.985


@pytest.mark.parametrize("y", [np.zeros(40), np.ones(40), np.arange(40) >= 20])
def test_outcomes_that_determine_nothing_have_no_fit(y):
    assert clustered_logistic(with_intercept(np.arange(40.0)), y, np.arange(40)) is None


def test_equal_columns_share_the_coefficient():
    rng = np.random.default_rng(3)
    x = rng.normal(size=2000)
    fit = clustered_logistic(with_intercept(x, x), rng.random(2000) < expit(x), np.arange(2000))
    assert fit.coefficients[1:] == pytest.approx([0.5, 0.5], abs=0.1)
