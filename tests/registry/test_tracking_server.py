"""A product on a tracking server with a database and proxied artifacts, from training to `mlflow models serve`."""

import json
import subprocess
import sys
import urllib.error
import urllib.request

import mlflow
import numpy as np
import pytest
from mlflow_server import environment, free_port, mlflow_server, running
from products import trial_files

from pql_model.config.load import load_config
from pql_model.registry.tracking import Tracking
from pql_model.workflows.train import train

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def served(tmp_path_factory, shared_folder):
    """Tracking URI, home, and two trainings; the second was promoted."""
    home = tmp_path_factory.mktemp("served")
    with (
        mlflow_server(tmp_path_factory.mktemp("server"), shared_folder.empty_store()) as uri,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("MLFLOW_TRACKING_URI", uri)
        config = trial_files(home)
        yield uri, home, [train(config, trials=2, promote=promote) for promote in ("never", "force")]


def test_two_trainings_are_versions_of_one_model_and_the_promoted_one_loads_by_alias(served):
    uri, home, (_, second) = served
    tracking = Tracking(load_config(home / "pql.yaml"), uri)
    assert [(v.version, v.aliases) for v in tracking.versions()] == [("2", ("challenger", "champion")), ("1", ())]
    champion = tracking.load("champion")
    assert champion.model.predictor.save() == second.registered.model.predictor.save()
    assert champion.run_id == second.registered.run_id
    assert tracking.read_file(champion.run_id, "model_card.md") == (second.folder / "model_card.md").read_bytes()


def test_artifacts_go_through_the_server_and_not_into_the_folder_of_the_training(served):
    uri, home, (first, _) = served
    tracking = Tracking(load_config(home / "pql.yaml"), uri)
    assert tracking.client.get_run(first.registered.run_id).info.artifact_uri.startswith("mlflow-artifacts:/")
    assert not (home / "mlruns").exists()
    assert not (home / "mlflow.db").exists()


def test_nothing_is_in_the_experiment_default(served):
    uri, _, _ = served
    assert mlflow.MlflowClient(uri, uri).search_runs(["0"]) == []


def test_plain_mlflow_loads_the_champion_from_another_folder(served, tmp_path):
    uri, _, (_, second) = served
    table = second.prepared.table[second.prepared.split.test]
    table.to_parquet(tmp_path / "table.parquet")
    code = (
        "import sys, mlflow, pandas as pd\n"
        "model = mlflow.pyfunc.load_model('models:/small-trial@champion')\n"
        "print(model.predict(pd.read_parquet(sys.argv[1]))['probability'].to_json(orient='values'))\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "table.parquet")],
        cwd=tmp_path,
        env=environment(tmp_path, MLFLOW_TRACKING_URI=uri),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert process.returncode == 0, process.stderr[-2000:]
    expected = second.registered.model.probability(table)
    np.testing.assert_allclose(json.loads(process.stdout), expected, rtol=0, atol=1e-9)


def test_mlflow_models_serve_answers_with_scored_rows_and_names_missing_columns(served, tmp_path):
    uri, _, (_, second) = served
    table = second.prepared.table[second.prepared.split.test].head(5)
    url = f"http://127.0.0.1:{free_port()}"
    serve = ["models", "serve", "-m", "models:/small-trial@champion", "--env-manager", "local"]
    where = ["--host", "127.0.0.1", "--port", url.rsplit(":", 1)[1]]
    env = environment(tmp_path, MLFLOW_TRACKING_URI=uri)
    with running([*serve, *where], f"{url}/ping", tmp_path / "serve.log", env):
        rows = ask(url, table)["predictions"]
        with pytest.raises(urllib.error.HTTPError, match="400") as refused:
            ask(url, table.drop(columns=second.registered.model.manifest.names[:1]))
    assert [row["entity"] for row in rows] == table["entity"].tolist()
    expected = second.registered.model.probability(table)
    np.testing.assert_allclose([row["probability"] for row in rows], expected, rtol=0, atol=1e-9)
    assert second.registered.model.manifest.names[0] in refused.value.read().decode()


def ask(url, table):
    body = json.dumps({"dataframe_split": json.loads(table.to_json(orient="split", index=False))})
    request = urllib.request.Request(f"{url}/invocations", body.encode(), headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)
