import subprocess
import sys

from pql_model import export
from pql_model.workflows.serve import bundle_to_serve


def test_without_a_folder_the_champion_is_exported(trained):
    bundle = bundle_to_serve(trained.folder.parent.parent / "pql.yaml")
    assert bundle.path == trained.folder.parent.parent / "models" / "nimbus-boards"


def test_serving_a_folder_does_not_load_mlflow(trained, tmp_path):
    config = trained.folder.parent.parent / "pql.yaml"
    export(config, output=tmp_path / "boards", model="1")
    code = "import sys; from pql_model.workflows.serve import bundle_to_serve; print(bundle_to_serve('no.yaml', sys.argv[1]).name, 'mlflow' in sys.modules)"
    payload = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "boards")], capture_output=True, text=True, check=True
    )
    assert payload.stdout.split() == ["nimbus-boards", "False"]
