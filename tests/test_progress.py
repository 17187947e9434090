import pytest

from pql_model.progress import Stages


class Heard:
    def __init__(self):
        self.payload = []

    def stage(self, name):
        self.payload.append(name)

    def share(self, done, note=""):
        self.payload.append((done, note))

    def say(self, sentence):
        self.payload.append(sentence)


def test_listener_receives_stages_and_seconds_add_up():
    heard = Heard()
    stages = Stages(heard)
    with stages("read"):
        pass
    with stages("read"):
        stages.listener.share(0.5)
    assert heard.payload == ["read", "read", (0.5, "")]
    assert list(stages.seconds) == ["read"]
    assert stages.seconds["read"] >= 0


def test_failed_stage_is_timed():
    stages = Stages()
    with pytest.raises(ValueError, match="broken"), stages("fit"):
        raise ValueError("broken")
    assert "fit" in stages.seconds
