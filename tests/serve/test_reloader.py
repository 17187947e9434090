import json
import shutil
import threading
from dataclasses import replace

import pytest
from calls import NOW

from pql_model.errors import DataError
from pql_model.serve.bundle import load_bundle, write_bundle
from pql_model.serve.reloader import Reloader


@pytest.fixture
def payload():
    return []


@pytest.fixture
def holder(copied, payload):
    return Reloader(copied, lambda result, words: payload.append((result, words)))


def exported(bundle, folder, version):
    about = {k: v for k, v in bundle.about.items() if k not in ("format", "feature_set")} | {"version": version}
    return write_bundle(folder, bundle.model, about, bundle.criteria, bundle.metrics, bundle.report)


def test_an_unchanged_bundle_is_left_alone(holder, payload):
    before = holder.engine

    assert not holder.look()
    assert holder.engine is before
    assert payload == []


def test_a_bundle_that_was_only_touched_is_left_alone(holder, copied, payload):
    before, manifest = holder.engine, copied / "BUNDLE.json"
    manifest.write_bytes(manifest.read_bytes())

    assert not holder.look()
    assert holder.engine is before
    assert payload == []


def test_a_new_bundle_is_taken_over_while_requests_run_and_none_fails(holder, bundle, copied, payload, entity):
    versions, faults, over = set(), [], threading.Event()

    def ask():
        while not over.is_set():
            try:
                versions.add(holder.engine.score(entity, NOW).row["model_version"])
            except Exception as error:  # noqa: BLE001 (whatever it is, it is what is looked for)
                faults.append(error)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for version in ("2", "3", "4"):
            exported(bundle, copied, version)
            assert holder.look()
            assert holder.engine.score(entity, NOW).row["model_version"] == version
    finally:
        over.set()
        for thread in threads:
            thread.join()

    assert faults == []
    assert {"2", "4"} & versions
    assert payload == [("reloaded", f"nimbus-boards version {version}") for version in ("2", "3", "4")]


def test_a_bundle_that_is_looked_at_while_it_is_written_is_never_half_taken_over(holder, bundle, copied, payload):
    over = threading.Event()

    def write():
        for number in range(5):
            exported(bundle, copied, f"{number}")
        over.set()

    thread = threading.Thread(target=write)
    thread.start()
    while not over.is_set():
        holder.look()
    thread.join()
    holder.look()

    assert holder.engine.bundle.version == "4"
    assert holder.engine.bundle.digest == load_bundle(copied).digest


def damage_a_file(folder):
    (folder / "criteria.json").write_text("{}")
    (folder / "BUNDLE.json").write_bytes((folder / "BUNDLE.json").read_bytes() + b" ")


def cut_the_manifest(folder):
    (folder / "BUNDLE.json").write_text("{")


def forget_the_intake(folder):
    """A whole bundle of a model that knows nothing of its product."""
    bundle = load_bundle(folder)
    bundle.model.facts.pop("intake")
    exported(bundle, folder, "9")


@pytest.mark.parametrize("spoil", [damage_a_file, cut_the_manifest, forget_the_intake])
def test_a_broken_new_bundle_leaves_the_old_in_force(holder, copied, payload, entity, spoil):
    before = holder.engine
    spoil(copied)

    assert [holder.look(), holder.look()] == [False, False]
    assert holder.engine is before
    assert holder.engine.score(entity, NOW).row["model_version"] == "1"
    [(result, words)] = payload
    assert result == "reload_failed"
    assert words.startswith("the old model stays in force: ")


def test_a_sound_bundle_after_a_broken_one_is_taken_over(holder, bundle, copied, payload):
    cut_the_manifest(copied)
    holder.look()
    exported(bundle, copied, "2")

    assert holder.look()
    assert [result for result, _ in payload] == ["reload_failed", "reloaded"]


def test_a_bundle_that_is_copied_file_by_file_is_taken_over_with_the_last(holder, bundle, copied, payload, tmp_path):
    changed = replace(bundle, criteria={**bundle.criteria, "base_rate": 0.5})
    new = exported(changed, tmp_path / "new", "2")
    shutil.copy(new / "BUNDLE.json", copied)
    before = holder.look()
    shutil.copy(new / "criteria.json", copied)

    assert (before, holder.look()) == (False, True)
    assert holder.engine.bundle.version == "2"
    assert [result for result, _ in payload] == ["reload_failed", "reloaded"]


def test_a_link_to_another_bundle_is_followed(bundle, copied, payload, tmp_path):
    link = tmp_path / "current"
    link.symlink_to(copied)
    holder = Reloader(link, lambda result, words: payload.append((result, words)))
    other = tmp_path / "next"
    other.symlink_to(exported(bundle, tmp_path / "new", "2"))
    other.replace(link)

    assert holder.look()
    assert holder.engine.bundle.version == "2"


def test_a_bundle_that_went_away_leaves_the_old_in_force(holder, copied, payload):
    shutil.rmtree(copied)

    assert not holder.look()
    assert payload == []


def test_there_must_be_a_bundle_to_begin_with(tmp_path):
    with pytest.raises(DataError, match="There is no bundle here"):
        Reloader(tmp_path, print)


def test_what_is_no_json_is_no_manifest(copied):
    (copied / "BUNDLE.json").write_text(json.dumps("bundle"))
    with pytest.raises(DataError, match="another format"):
        Reloader(copied, print)
