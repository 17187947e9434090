import pytest

from pql_model.progress import Stages


class Heard:
    def __init__(self):
        self.told = []

    def stage(self, name):
        self.told.append(name)

    def share(self, done, note=""):
        self.told.append((done, note))

    def say(self, sentence):
        self.told.append(sentence)


def test_a_listener_hears_stages_and_seconds_add_up():
    heard = Heard()
    stages = Stages(heard)
    with stages("read"):
        pass
    with stages("read"):
        stages.listener.share(0.5)
    assert heard.told == ["read", "read", (0.5, "")]
    assert list(stages.seconds) == ["read"]
    assert stages.seconds["read"] >= 0


def test_a_stage_that_fails_is_timed_all_the_same():
    stages = Stages()
    with pytest.raises(ValueError, match="broken"), stages("fit"):
        raise ValueError("broken")
    assert "fit" in stages.seconds
