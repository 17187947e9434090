import json


def test_features_prints_one_json_object_and_writes_table_and_manifest(run, config, tmp_path):
    code, out, err = run("features", "-c", config, "-o", tmp_path / "f.csv", "--as-of", "2025-11-20", "--json")
    payload = json.loads(out)
    assert code == 0, err
    assert payload["rows"] > 0
    assert (tmp_path / "f.csv").is_file()
    assert json.loads((tmp_path / "f.manifest.json").read_text())["hash"] == payload["hash"]


def test_features_as_text_names_the_files(run, config, tmp_path):
    code, out, _ = run("features", "-c", config, "-o", tmp_path / "f.parquet")
    assert code == 0
    assert "rows with" in out


def test_another_file_is_refused(run, config, tmp_path):
    code, _, err = run("features", "-c", config, "-o", tmp_path / "f.json")
    assert code == 2
    assert "Features are written as parquet or csv" in err
