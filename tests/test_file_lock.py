import subprocess
import sys
import threading
import time

import pytest

from pql_model.file_lock import file_lock

HOLDS = """
import sys, time
from pathlib import Path
from pql_model.file_lock import file_lock
with file_lock(Path(sys.argv[1])) as ours:
    print(ours, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other(tmp_path):
    """Another process that holds the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(tmp_path / "a.lock")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "True\n"
    yield process
    process.kill()
    process.wait()


def test_a_free_lock_is_acquired_and_released(tmp_path):
    for _ in range(2):
        with file_lock(tmp_path / "new" / "a.lock") as ours:
            assert ours


def test_a_lock_of_another_process_blocks_until_that_process_is_killed(other, tmp_path):
    with file_lock(tmp_path / "a.lock") as ours:
        assert not ours
    payload = []

    def waiting():
        payload.append("waiting")
        other.kill()

    with file_lock(tmp_path / "a.lock", waiting) as ours:
        assert ours
    assert payload == ["waiting"]


def test_threads_of_one_process_take_turns(tmp_path):
    inside, most = [], []

    def work():
        with file_lock(tmp_path / "a.lock", lambda: None):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.02)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1, 1, 1]


def test_a_lock_is_released_after_an_error(tmp_path):
    with pytest.raises(OSError, match="disk full"), file_lock(tmp_path / "a.lock"):
        raise OSError("disk full")
    with file_lock(tmp_path / "a.lock") as ours:
        assert ours


def test_locks_with_different_names_are_independent(tmp_path):
    with file_lock(tmp_path / "a.lock"), file_lock(tmp_path / "b.lock") as ours:
        assert ours


def test_a_folder_instead_of_a_lock_file_is_an_error_and_not_a_wait(tmp_path):
    (tmp_path / "a.lock").mkdir()
    with pytest.raises(OSError, match=r"a\.lock"), file_lock(tmp_path / "a.lock", lambda: None):
        pass
