import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from pql_model.decide.decider import Decider
from pql_model.decide.rows import decided_rows

SCRIPT = """
import sys
import mlflow
import pandas as pd
model = mlflow.pyfunc.load_model(sys.argv[1])
table = pd.read_parquet(sys.argv[2])
model.predict(table).to_parquet(sys.argv[3])
try:
    model.predict(table.drop(columns=sys.argv[4]))
except mlflow.exceptions.MlflowException as error:
    print(error)
"""


@pytest.fixture(scope="module")
def table(trained):
    """The test rows as they were trained."""
    return trained.prepared.table[trained.prepared.split.test].reset_index(drop=True)


@pytest.fixture(scope="module")
def scored(trained, table, tmp_path_factory):
    """Rows scored by plain MLflow in another process that may not unpickle, and its answer to a missing column."""
    folder = tmp_path_factory.mktemp("plain")
    table.to_parquet(folder / "table.parquet")
    home = trained.folder.parent.parent
    paths = [str(folder / name) for name in ("table.parquet", "scored.parquet")]
    missing = trained.registered.model.manifest.names[1]
    model = f"models:/nimbus-boards/{trained.registered.version}"
    if trained.promotion.promoted:
        model = "models:/nimbus-boards@champion"
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": f"sqlite:///{home / 'mlflow.db'}",
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT, model, *paths, missing], env=environment, capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr
    return pd.read_parquet(paths[1]), missing, process.stdout


def test_plain_mlflow_gives_the_probabilities_of_the_model_that_is_served(trained, table, scored):
    assert trained.promotion.promoted  # so it was loaded as the champion
    assert scored[0]["entity"].tolist() == table["entity"].tolist()
    served = trained.registered.model.probability(table)
    np.testing.assert_allclose(scored[0]["probability"], served, rtol=0, atol=1e-12)


def test_plain_mlflow_gives_scored_rows(table, scored):
    assert list(scored[0].columns) == [
        "entity",
        "as_of",
        "probability",
        "score",
        "expected_value",
        "expected_value_low",
        "expected_value_high",
        "band",
        "is_pql",
        "usage",
        "fit",
        "timing",
        "reasons",
        "criteria_met",
        "meets_definition",
        "meets_in_force",
        "nearest_missing",
        "next_step",
        "contact",
        "contacts",
        "suppressed",
        "feature_set",
    ]
    assert scored[0]["as_of"].tolist() == table["as_of"].tolist()


def test_a_table_without_a_feature_column_is_refused_by_name(scored):
    _, missing, answer = scored
    assert f"Model is missing inputs ['{missing}']" in answer


def test_plain_mlflow_decides_as_the_library_does(trained, table, scored):
    model = trained.registered.model
    own = decided_rows(model, table, Decider.of_facts(model.facts)).rows
    flags, texts = ["is_pql", "meets_definition", "meets_in_force"], ["criteria_met", "nearest_missing", "next_step"]
    columns = ["band", *flags, *texts, "suppressed"]
    pd.testing.assert_frame_equal(scored[0][columns], own[columns], check_dtype=False)
    assert scored[0]["is_pql"].any()
    assert scored[0]["meets_definition"].any()
    assert scored[0][["contact", "contacts"]].isna().all(axis=None)  # a feature table has no users
