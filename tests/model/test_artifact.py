import json
import pickle

import numpy as np
import pytest
from small_model import small_model, small_table

from pql_model.errors import DataError, FeatureMismatchError
from pql_model.model.artifact import FittedModel, reference_quantiles


@pytest.fixture(scope="module")
def model():
    return small_model()


@pytest.fixture
def folder(model, tmp_path):
    model.save(tmp_path / "model")
    return tmp_path / "model"


def test_a_saved_model_reads_back_bit_for_bit(model, folder):
    table, _ = small_table(seed=5)
    again = FittedModel.load(folder)
    assert np.array_equal(again.probability(table), model.probability(table))
    assert again.predictor.texts() == [(folder / f"booster_{k}.txt").read_text() for k in range(2)]
    assert (again.manifest, again.calibration, again.reference, again.facts) == (
        model.manifest,
        model.calibration,
        model.reference,
        model.facts,
    )


def test_saving_what_was_loaded_writes_the_same_bytes(folder, tmp_path):
    FittedModel.load(folder).save(tmp_path / "again")
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {
        p.name: p.read_bytes() for p in (tmp_path / "again").iterdir()
    }


def test_the_folder_holds_text_and_json_only(folder):
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["booster_0.txt", "booster_1.txt", "calibration.json", "manifest.json", "model.json"]
    assert all(
        path.read_text(encoding="utf-8").isprintable() or path.suffix in (".txt", ".json") for path in folder.iterdir()
    )
    assert not any(path.read_bytes().startswith(b"\x80") for path in folder.iterdir())


def test_loading_unpickles_nothing(folder, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("something was unpickled")

    monkeypatch.setattr(pickle, "load", refuse)
    monkeypatch.setattr(pickle, "loads", refuse)
    table, _ = small_table(rows=5)
    assert FittedModel.load(folder).probability(table).shape == (5,)


@pytest.mark.parametrize("name", ["booster_1.txt", "calibration.json", "manifest.json", "model.json"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(DataError, match=f"This folder does not hold a complete model: .*{name}"):
        FittedModel.load(folder)


@pytest.mark.parametrize("name", ["booster_0.txt", "calibration.json", "manifest.json"])
def test_an_altered_file_is_refused(folder, name):
    path = folder / name
    path.write_text(path.read_text().replace("0", "1", 1))
    with pytest.raises(DataError, match=f"was changed after it was saved. Received: .*{name}"):
        FittedModel.load(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"format": 3}', b'{"format": 3, "sha256": 3}'])
def test_an_invalid_model_file_is_refused(folder, content):
    (folder / "model.json").write_bytes(content)
    with pytest.raises(DataError, match="This folder does not hold a complete model"):
        FittedModel.load(folder)


def test_another_format_is_refused(folder):
    about = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**about, "format": 99}))
    with pytest.raises(DataError, match=r"This model has a different format. Received: 99. Allowed: 3"):
        FittedModel.load(folder)


def test_a_table_without_a_column_is_refused(model):
    table, _ = small_table(rows=5)
    with pytest.raises(FeatureMismatchError, match=r"lacks 1 of 5 columns: trait.seats"):
        model.probability(table.drop(columns="trait.seats"))


def test_an_empty_table_has_no_probabilities(model):
    table, _ = small_table(rows=5)
    assert model.probability(table[:0]).shape == (0,)


def test_the_score_is_the_percentile_in_the_reference_population(model):
    probability = model.probability(small_table()[0])
    assert model.score(np.array([0.0, 1.0])).tolist() == [0.0, 100.0]
    assert 49 <= model.score(np.array([np.median(probability)]))[0] <= 51
    order = np.argsort(probability)
    assert (np.diff(model.score(probability)[order]) >= 0).all()


def test_equal_probabilities_share_the_middle_of_their_percentiles():
    assert reference_quantiles(np.array([0.1, 0.1, 0.3]))[0] == 0.1
    assert len(reference_quantiles(np.array([0.2]))) == 1001
