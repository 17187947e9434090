from records import config_in, record
from small_model import small_model

from pql_model.registry.tracking import CHALLENGER, Tracking


def test_a_training_run_becomes_a_version_that_comes_back_with_its_files(tmp_path, with_store):
    tracking = Tracking(config_in(with_store(tmp_path)))
    run = tracking.log(small_model(), record(tmp_path))
    registered = tracking.register(run, {"verdict": "ready"})
    assert tracking.load(CHALLENGER).version == registered.version == "1"
    assert tracking.read_file(registered.run_id, "card.md") == b"card"
    assert tracking.read_file(registered.run_id, "other.md") is None
