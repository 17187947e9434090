import json
import pickle
import shutil

import numpy as np
import pytest
from small_model import MANIFEST, small_model, small_table

from pql_model.errors import DataError
from pql_model.model.artifact import FittedModel
from pql_model.serve.bundle import load_bundle, write_bundle

ABOUT = {"name": "tiny", "version": "3"}


def written(folder, **about):
    return write_bundle(folder, small_model(), {**ABOUT, **about}, {"found": [1]}, {"auc": 0.8}, "<p>Größe</p>")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return written(tmp_path_factory.mktemp("tiny") / "models" / "tiny")


@pytest.fixture
def folder(tiny, tmp_path):
    return shutil.copytree(tiny, tmp_path / "tiny")


def test_round_trip_of_a_bundle(tiny):
    bundle, model = load_bundle(tiny), small_model()
    X = MANIFEST.matrix(small_table(rows=50, seed=3)[0])

    assert (bundle.name, bundle.version, bundle.criteria, bundle.metrics) == ("tiny", "3", {"found": [1]}, {"auc": 0.8})
    assert bundle.report == "<p>Größe</p>"
    assert bundle.about["feature_set"] == model.manifest.hash
    assert "sha256" not in bundle.about
    assert np.array_equal(bundle.model.predictor.margin(X), model.predictor.margin(X))
    assert [path.name for path in tiny.parent.iterdir()] == ["tiny"]


def test_every_file_is_text(tiny):
    for path in tiny.rglob("*"):
        if path.is_file():
            assert path.suffix in (".json", ".txt", ".html")
            assert path.read_bytes().decode("utf-8")


def test_nothing_is_unpickled(tiny, monkeypatch):
    def forbidden(*_, **__):
        raise AssertionError("something was unpickled")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, forbidden)

    assert load_bundle(tiny).name == "tiny"


def test_a_bundle_replaces_the_previous_one_completely(folder):
    before = load_bundle(folder)
    (folder / "left over.json").write_text("{}")
    after = load_bundle(written(folder, version="4"))

    assert (before.version, after.version) == ("3", "4")
    assert before.digest != after.digest
    assert not (folder / "left over.json").exists()
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]


def test_a_bundle_that_is_replaced_while_it_is_being_read_is_refused(folder, monkeypatch):
    load = FittedModel.load
    monkeypatch.setattr(FittedModel, "load", lambda path: (written(folder, version="4"), load(path))[1])

    with pytest.raises(DataError, match="was replaced while it was being read"):
        load_bundle(folder)


def test_the_same_model_has_the_same_digest(tiny, tmp_path):
    assert load_bundle(written(tmp_path / "again")).digest == load_bundle(tiny).digest


@pytest.mark.parametrize("name", ["model/booster_0.txt", "model/calibration.json", "criteria.json", "report.html"])
def test_an_altered_file_is_refused(folder, name):
    path = folder / name
    path.write_bytes(path.read_bytes().replace(b"1", b"2", 1) + b" ")

    with pytest.raises(
        DataError, match=rf"`{name}` of this bundle was altered after it was written.*Fix: export it again"
    ):
        load_bundle(folder)


@pytest.mark.parametrize("name", ["model/booster_1.txt", "metrics.json"])
def test_a_missing_file_is_refused(folder, name):
    (folder / name).unlink()

    with pytest.raises(DataError, match=rf"This bundle is incomplete: .*{name}"):
        load_bundle(folder)


def test_a_folder_without_a_manifest_is_refused(folder, tmp_path):
    (folder / "BUNDLE.json").unlink()

    for path in (folder, tmp_path / "nowhere", folder / "report.html"):
        with pytest.raises(DataError, match=r"There is no complete bundle here: BUNDLE.json is missing"):
            load_bundle(path)


def test_a_damaged_manifest_is_refused(folder):
    text = (folder / "BUNDLE.json").read_text()
    for half in (
        text[: len(text) // 2],
        "",
        '{"format": 1}',
        '{"format": 1, "sha256": {}}',
        '{"format": 1, "sha256": [1]}',
    ):
        (folder / "BUNDLE.json").write_text(half)
        with pytest.raises(DataError, match="This bundle is incomplete"):
            load_bundle(folder)


@pytest.mark.parametrize(
    ("manifest", "received"), [('{"format": 2}', "format 2"), ("{}", "format None"), ("[1]", "format list")]
)
def test_another_format_is_refused(folder, manifest, received):
    (folder / "BUNDLE.json").write_text(manifest)

    with pytest.raises(
        DataError, match=rf"another format\. Received: .*{received}\. Allowed: 1\. Fix: export it again"
    ):
        load_bundle(folder)


@pytest.mark.parametrize("name", ["../secret.json", "/etc/hostname", "model/../../secret.json"])
def test_a_file_outside_the_folder_is_not_read(folder, name):
    (folder.parent / "secret.json").write_text("{}")
    manifest = json.loads((folder / "BUNDLE.json").read_text())
    manifest["sha256"][name] = "0"
    (folder / "BUNDLE.json").write_text(json.dumps(manifest))

    with pytest.raises(DataError, match="lists a file outside its folder"):
        load_bundle(folder)


def test_a_folder_with_other_files_is_left_unchanged(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    for path in (tmp_path, tmp_path / "thesis.tex"):
        with pytest.raises(DataError, match="holds something other than a bundle"):
            written(path)

    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_failed_write_leaves_the_previous_bundle(folder):
    before = load_bundle(folder).digest
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_bundle(folder, small_model(), ABOUT, {"found": float("nan")}, {}, "")

    assert load_bundle(folder).digest == before
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]
