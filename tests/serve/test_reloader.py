import json
import shutil
import threading
from dataclasses import replace

import pytest
from calls import NOW, file_of

from pql_model.errors import DataError
from pql_model.serve.bundle import load_bundle, write_bundle
from pql_model.serve.reloader import Reloader


@pytest.fixture
def events():
    return []


@pytest.fixture
def reloader(copied, events):
    return Reloader(copied, lambda *event: events.append(event))


def exported(bundle, folder, version):
    about = {k: v for k, v in bundle.about.items() if k not in ("format", "feature_set")} | {"version": version}
    return write_bundle(folder, bundle.model, about, bundle.criteria, bundle.metrics, bundle.report)


def test_an_unchanged_bundle_is_not_reloaded(reloader, events):
    before = reloader.engine

    assert not reloader.reload()
    assert reloader.engine is before
    assert events == []


def test_a_touched_bundle_is_not_reloaded(reloader, copied, events):
    before, manifest = reloader.engine, copied / "BUNDLE.json"
    manifest.write_bytes(manifest.read_bytes())

    assert not reloader.reload()
    assert reloader.engine is before
    assert events == []


def test_a_new_bundle_is_loaded_while_requests_run_and_none_fails(reloader, bundle, copied, events, entity):
    versions, faults, over = set(), [], threading.Event()

    def ask():
        while not over.is_set():
            try:
                versions.add(reloader.engine.score(entity, NOW).row["model_version"])
            except Exception as error:  # noqa: BLE001 (whatever it is, it is what is looked for)
                faults.append(error)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for version in ("2", "3", "4"):
            exported(bundle, copied, version)
            assert reloader.reload()
            assert reloader.engine.score(entity, NOW).row["model_version"] == version
    finally:
        over.set()
        for thread in threads:
            thread.join()

    assert faults == []
    assert {"2", "4"} & versions
    assert events == [("reloaded", f"nimbus-boards version {version}") for version in ("2", "3", "4")]


def test_a_bundle_is_never_loaded_half_written(reloader, bundle, copied, events):
    over = threading.Event()

    def write():
        for number in range(5):
            exported(bundle, copied, f"{number}")
        over.set()

    thread = threading.Thread(target=write)
    thread.start()
    while not over.is_set():
        reloader.reload()
    thread.join()
    reloader.reload()

    assert reloader.engine.bundle.version == "4"
    assert reloader.engine.bundle.digest == load_bundle(copied).digest


def damage_a_file(folder):
    file_of(folder, "criteria.json").write_text("{}")
    (folder / "BUNDLE.json").write_bytes((folder / "BUNDLE.json").read_bytes() + b" ")


def cut_the_manifest(folder):
    (folder / "BUNDLE.json").write_text("{")


def remove_the_scope(folder):
    """A complete bundle of a model without a scope."""
    bundle = load_bundle(folder)
    bundle.model.facts.pop("scope")
    exported(bundle, folder, "9")


@pytest.mark.parametrize("spoil", [damage_a_file, cut_the_manifest, remove_the_scope])
def test_an_invalid_bundle_leaves_the_previous_one_in_service(reloader, copied, events, entity, spoil):
    before = reloader.engine
    spoil(copied)

    assert [reloader.reload(), reloader.reload()] == [False, False]
    assert reloader.engine is before
    assert reloader.engine.score(entity, NOW).row["model_version"] == "1"
    [(event, text)] = events
    assert event == "reload_failed"
    assert text.startswith("the previous model stays in service: ")


def test_a_valid_bundle_after_an_invalid_one_is_loaded(reloader, bundle, copied, events):
    cut_the_manifest(copied)
    reloader.reload()
    exported(bundle, copied, "2")

    assert reloader.reload()
    assert [result for result, _ in events] == ["reload_failed", "reloaded"]


def test_a_bundle_that_is_copied_file_by_file_is_loaded_with_the_last_file(reloader, bundle, copied, events, tmp_path):
    changed = replace(bundle, criteria={**bundle.criteria, "base_rate": 0.5})
    new = exported(changed, tmp_path / "new", "2")
    shutil.copy(new / "BUNDLE.json", copied)
    version = file_of(new, "criteria.json").parent
    before = reloader.reload()
    shutil.copytree(version, copied / version.name)

    assert (before, reloader.reload()) == (False, True)
    assert reloader.engine.bundle.version == "2"
    assert [result for result, _ in events] == ["reload_failed", "reloaded"]


def test_a_link_to_another_bundle_is_followed(bundle, copied, events, tmp_path):
    link = tmp_path / "current"
    link.symlink_to(copied)
    reloader = Reloader(link, lambda *event: events.append(event))
    other = tmp_path / "next"
    other.symlink_to(exported(bundle, tmp_path / "new", "2"))
    other.replace(link)

    assert reloader.reload()
    assert reloader.engine.bundle.version == "2"


def test_a_removed_bundle_stays_in_service(reloader, copied, events):
    shutil.rmtree(copied)

    assert not reloader.reload()
    assert events == []


def test_a_folder_without_a_bundle_is_refused(tmp_path):
    with pytest.raises(DataError, match="There is no complete bundle here"):
        Reloader(tmp_path, print)


def test_another_format_is_refused_at_the_start(copied):
    (copied / "BUNDLE.json").write_text(json.dumps("bundle"))
    with pytest.raises(DataError, match="another format"):
        Reloader(copied, print)
