import hashlib
import os
import subprocess
import sys

import numpy as np

from pql_model.decide.holdout import held_out, ties, unit_hash

MANY = [f"acc-{i:05d}" for i in range(20_000)]


def test_the_hashes_never_change():
    """A change would put other entities into every existing hold-out."""
    assert unit_hash("nimbus-boards", "acc-00007") == 0.4545306533336331
    assert unit_hash("nimbus-boards", "42") == 0.7139406241821593
    assert unit_hash("shop", "42") == 0.243791963565833
    assert unit_hash("shop", "Müller 🚀") == 0.03619462269888862


def test_a_hash_is_the_first_53_bits_of_a_sha256():
    digest = hashlib.sha256(b"hold-out\nshop\n42").hexdigest()
    assert unit_hash("shop", "42") == (int(digest[:16], 16) >> 11) / 2**53


def test_another_process_with_another_hash_seed_agrees():
    code = "from pql_model.decide.holdout import unit_hash; print(unit_hash('shop', '42'))"
    process = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": "12345"}, capture_output=True, text=True
    )
    assert float(process.stdout) == unit_hash("shop", "42")


def test_the_hold_out_has_the_requested_share():
    for share in (0.05, 0.1, 0.5):
        n, se = held_out("nimbus-boards", MANY, share).sum(), np.sqrt(20_000 * share * (1 - share))
        assert abs(n - 20_000 * share) < 4 * se


def test_order_and_other_entities_do_not_matter():
    among = dict(zip(MANY, held_out("shop", MANY, 0.1), strict=True))
    for entity in MANY[:50]:
        assert held_out("shop", [entity], 0.1)[0] == among[entity]
    assert held_out("shop", MANY[::-1], 0.1).tolist() == held_out("shop", MANY, 0.1)[::-1].tolist()


def test_a_larger_share_contains_a_smaller_one():
    small, large = held_out("shop", MANY, 0.05), held_out("shop", MANY, 0.2)
    assert not (small & ~large).any()


def test_a_share_of_zero_holds_out_nobody():
    assert held_out("shop", MANY[:3], 0.0).tolist() == [False] * 3


def test_products_and_tie_order_are_independent():
    mine, other, tie = held_out("shop", MANY, 0.2), held_out("store", MANY, 0.2), ties("shop", MANY) < 0.2
    for apart in (other, tie):
        assert abs(np.corrcoef(mine, apart)[0, 1]) < 4 / np.sqrt(20_000)


def test_the_hold_out_is_independent_of_the_name():
    """Ids that count up, that end alike, and that are hashes."""
    number = np.arange(20_000)
    held = held_out("shop", MANY, 0.1)
    for trait in (number, number % 2, number % 7, number % 10, number // 1000):
        assert abs(np.corrcoef(held, trait)[0, 1]) < 4 / np.sqrt(20_000)


def test_a_lone_surrogate_has_a_hash():
    assert 0 <= unit_hash("shop", "\ud800") < 1
