import sys
from types import SimpleNamespace

import pytest

from pql_model.memory import peak_memory_mb


@pytest.mark.skipif(sys.platform == "win32", reason="measured by psutil there")
@pytest.mark.parametrize(("platform", "peak"), [("linux", 3 * 2**10), ("darwin", 3 * 2**20)])
def test_the_unit_of_the_operating_system_becomes_mb(monkeypatch, platform, peak):
    monkeypatch.setattr("resource.getrusage", lambda who: SimpleNamespace(ru_maxrss=peak))
    monkeypatch.setattr(sys, "platform", platform)
    assert peak_memory_mb() == 3.0


def test_windows_measures_with_psutil(monkeypatch):
    process = SimpleNamespace(memory_info=lambda: SimpleNamespace(peak_wset=5 * 2**20))
    monkeypatch.setitem(sys.modules, "psutil", SimpleNamespace(Process=lambda: process))
    monkeypatch.setattr(sys, "platform", "win32")
    assert peak_memory_mb() == 5.0


def test_the_peak_only_grows():
    before = peak_memory_mb()
    block = bytearray(64 * 2**20)
    assert peak_memory_mb() >= before
    assert len(block)
