import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from calls import file_of
from small_model import MANIFEST, small_model, small_table

from pql_model.errors import DataError
from pql_model.model.artifact import FittedModel
from pql_model.serve.bundle import digest_of, load_bundle, write_bundle

ROOT = Path(__file__).resolve().parents[2]
ABOUT = {"name": "tiny", "version": "3"}


def written(folder, **about):
    return write_bundle(folder, small_model(), {**ABOUT, **about}, {"found": [1]}, {"auc": 0.8}, "<p>Größe</p>")


def signed(about):
    return json.dumps({**about, "digest": digest_of(about)})


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
    assert not {"sha256", "digest"} & bundle.about.keys()
    assert np.array_equal(bundle.model.predictor.margin(X), model.predictor.margin(X))
    assert [path.name for path in tiny.parent.iterdir()] == ["tiny"]


def test_every_file_is_text(tiny):
    for path in tiny.rglob("*"):
        if path.is_file() and path.name != ".lock":
            assert path.suffix in (".json", ".txt", ".html")
            assert path.read_bytes().decode("utf-8")


def test_nothing_is_unpickled(tiny, monkeypatch):
    def forbidden(*_, **__):
        raise AssertionError("something was unpickled")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, forbidden)

    assert load_bundle(tiny).name == "tiny"


def test_a_bundle_replaces_the_previous_one(folder):
    before, old = load_bundle(folder), file_of(folder, "report.html").parent
    (folder / "notes.md").write_text("ours")
    after = load_bundle(write_bundle(folder, small_model(), {**ABOUT, "version": "4"}, {}, {}, "<p>new</p>"))

    assert (before.version, after.version, after.report) == ("3", "4", "<p>new</p>")
    assert before.digest != after.digest
    assert not old.exists()
    assert (folder / "notes.md").exists()
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]


def test_a_bundle_that_is_replaced_while_it_is_being_read_is_read_again(folder, monkeypatch):
    load, versions = FittedModel.load, iter("456789ab")

    def replaced(path):
        if (version := next(versions)) in until:
            write_bundle(folder, small_model(), {**ABOUT, "version": version}, {}, {}, version)
        return load(path)

    monkeypatch.setattr(FittedModel, "load", replaced)
    until = "4"
    assert load_bundle(folder).version == "4"
    until = "6789a"
    with pytest.raises(DataError, match="was replaced while it was being read"):
        load_bundle(folder)


KILLED = """
import os, sys
from pathlib import Path
from small_model import small_model
from pql_model.serve.bundle import digest_of, load_bundle, write_bundle

folder = Path(sys.argv[1])
model = small_model()

def write(version):
    write_bundle(folder, model, {"name": "tiny", "version": version}, {}, {}, version)

def note(event, arguments):
    if armed and event in ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree", "open") and (
        event != "open" or "w" in str(arguments[1])
    ):
        steps.append(event)
        if len(steps) == last:
            os._exit(9)

armed, steps, last = False, [], 0
write("before")
sys.addaudithook(note)
for last in range(1, 200):
    child = os.fork()
    if child == 0:
        armed = True
        write(f"after {last}")
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    bundle = load_bundle(folder)
    print(code, bundle.version, bundle.report == bundle.version, flush=True)
    if code == 0:
        break
"""


@pytest.mark.kill
@pytest.mark.skipif(os.name == "nt", reason="os.fork")
def test_a_writer_that_is_killed_at_any_step_leaves_a_complete_bundle_and_the_next_one_sweeps(tmp_path):
    folder = tmp_path / "tiny"
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    process = subprocess.run(
        [sys.executable, "-c", KILLED, str(folder)],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=120,
    )
    lines = [line.rsplit(" ", 1) for line in process.stdout.splitlines()]

    assert process.returncode == 0, process.stderr
    assert len(lines) > 15  # steps of one writer
    assert {complete for _, complete in lines} == {"True"}
    assert lines[-1][0] == f"0 after {len(lines)}"  # the last one was left to finish
    assert len({version for version, _ in lines}) > 3  # some were killed after the exchange
    assert sorted(path.name for path in folder.iterdir() if path.name != ".lock") == sorted(
        [file_of(folder, "report.html").parent.name, "BUNDLE.json"]
    )


def test_what_earlier_versions_left_is_swept(folder):
    litter = [folder / "model", folder / f".draft-{'0' * 32}", folder.parent / f".tiny-old-{'a' * 32}"]
    others = [folder.parent / ".tiny-old-mine", folder.parent / f".other-{'a' * 32}"]
    for path in (*litter, *others):
        path.mkdir()
    write_bundle(folder, small_model(), ABOUT, {}, {}, "")

    assert [path.exists() for path in (*litter, *others)] == [False] * 3 + [True] * 2


def test_a_writer_that_was_killed_before_its_first_bundle_can_be_repeated(tmp_path):
    (tmp_path / "tiny" / f".draft-{'0' * 32}" / "model").mkdir(parents=True)
    (tmp_path / "tiny" / ".lock").touch()

    assert load_bundle(written(tmp_path / "tiny")).version == "3"


def test_a_damaged_version_is_written_again(folder):
    file_of(folder, "report.html").write_text("other")

    assert load_bundle(written(folder)).report == "<p>Größe</p>"


@pytest.mark.parametrize(
    ("old", "new"),
    [('"3"', '"4"'), ('"tiny"', '"tinz"'), ('"format"', '"extra": 1, "format"'), ('"digest": "', '"digest": "0')],
)
def test_an_altered_manifest_is_refused(folder, old, new):
    manifest = folder / "BUNDLE.json"
    assert old in manifest.read_text()
    manifest.write_text(manifest.read_text().replace(old, new, 1))

    with pytest.raises(DataError, match=r"`BUNDLE.json` of this bundle was altered after it was written"):
        load_bundle(folder)


def test_the_same_model_has_the_same_digest(tiny, tmp_path):
    assert load_bundle(written(tmp_path / "again")).digest == load_bundle(tiny).digest


@pytest.mark.parametrize("name", ["model/booster_0.txt", "model/calibration.json", "criteria.json", "report.html"])
def test_an_altered_file_is_refused(folder, name):
    path = file_of(folder, name)
    path.write_bytes(path.read_bytes().replace(b"1", b"2", 1) + b" ")

    with pytest.raises(
        DataError, match=rf"`{name}` of this bundle was altered after it was written.*Fix: export it again"
    ):
        load_bundle(folder)


@pytest.mark.parametrize("name", ["model/booster_1.txt", "metrics.json"])
def test_a_missing_file_is_refused(folder, name):
    file_of(folder, name).unlink()

    with pytest.raises(DataError, match=rf"This bundle is incomplete: .*{name}"):
        load_bundle(folder)


def test_a_folder_without_a_manifest_is_refused(folder, tmp_path):
    (folder / "BUNDLE.json").unlink()

    for path in (folder, tmp_path / "nowhere", tmp_path / "notes.md"):
        with pytest.raises(DataError, match=r"There is no complete bundle here: BUNDLE.json is missing"):
            load_bundle(path)


def test_a_damaged_manifest_is_refused(folder):
    text = (folder / "BUNDLE.json").read_text()
    for half in (
        text[: len(text) // 2],
        "",
        '{"format": 2}',
        '{"format": 2, "sha256": {}}',
        '{"format": 2, "sha256": [1]}',
        signed({"format": 2, "sha256": {}}),
        signed({"format": 2, "sha256": [1]}),
        signed({"format": 2, "sha256": 1}),
    ):
        (folder / "BUNDLE.json").write_text(half)
        with pytest.raises(DataError, match="This bundle is incomplete"):
            load_bundle(folder)


@pytest.mark.parametrize(
    ("manifest", "received"), [('{"format": 1}', "format 1"), ("{}", "format None"), ("[1]", "format list")]
)
def test_another_format_is_refused(folder, manifest, received):
    (folder / "BUNDLE.json").write_text(manifest)

    with pytest.raises(
        DataError, match=rf"another format\. Received: .*{received}\. Allowed: 2\. Fix: export it again"
    ):
        load_bundle(folder)


@pytest.mark.parametrize("name", ["../secret.json", "/etc/hostname", "model/../../secret.json"])
def test_a_file_outside_the_folder_is_not_read(folder, name):
    (folder.parent / "secret.json").write_text("{}")
    manifest = json.loads((folder / "BUNDLE.json").read_text())
    del manifest["digest"]
    manifest["sha256"][name] = "0"
    (folder / "BUNDLE.json").write_text(signed(manifest))

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
