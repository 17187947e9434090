import os

import pytest

from pql_model.errors import DataError
from pql_model.serve.api_keys import ApiKeys

ONE, TWO, THREE = "one-0123456789abcdef", "two-0123456789abcdef", "three-0123456789abcde"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "keys"
    path.write_text(f"# of the CRM\n{TWO}\n\n  {THREE}  \n")
    return path


def test_without_keys_requests_need_none():
    assert not ApiKeys().needed


def test_any_of_several_keys_is_allowed(file):
    keys = ApiKeys((ONE,), file)

    assert keys.needed
    assert [keys.allow(key) for key in (ONE, TWO, THREE)] == [True, True, True]
    assert [keys.allow(key) for key in (None, "", "# of the CRM", ONE[:-1], ONE + " ", ONE.upper(), "\ud800")] == [
        False
    ] * 7


def test_a_changed_file_is_reloaded(file):
    keys = ApiKeys((), file)
    file.write_text(f"{ONE}\n")

    assert (keys.reload(), keys.reload()) == (True, False)
    assert [keys.allow(key) for key in (ONE, TWO)] == [True, False]


def test_a_replaced_file_of_the_same_size_and_time_is_reloaded(file, tmp_path):
    keys, stat = ApiKeys((), file), file.stat()
    other = tmp_path / "other"
    other.write_text(file.read_text().replace(TWO, "new-0123456789abcdef"))
    os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    other.replace(file)

    assert keys.reload()
    assert not keys.allow(TWO)


def test_an_emptied_file_allows_no_key(file):
    keys = ApiKeys((), file)
    file.write_text("# all withdrawn\n")
    keys.reload()

    assert keys.needed
    assert not any(keys.allow(key) for key in (TWO, THREE, "", None))


def test_a_short_key_is_refused_and_the_previous_keys_stay(file):
    keys = ApiKeys((), file)
    file.write_text("short\n")
    with pytest.raises(
        DataError, match=r"too short. Received: 1 of 1 keys. Allowed: at least 16 characters. Fix: generate one"
    ):
        keys.reload()

    assert keys.allow(TWO)
    with pytest.raises(DataError, match="too short"):
        ApiKeys(("short",))


def test_an_unreadable_file_is_an_error(file, tmp_path):
    with pytest.raises(DataError, match="The file of API keys cannot be read: No such file"):
        ApiKeys((), tmp_path / "nowhere")
    file.write_bytes(b"\xff\xfe" * 20)
    with pytest.raises(DataError, match=r"The file of API keys cannot be read: .*utf-8"):
        ApiKeys((), file)


def test_the_repr_shows_no_key():
    keys = ApiKeys((ONE,))

    assert all(ONE.encode() not in digest for digest in keys._digests)
