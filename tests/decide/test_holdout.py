import hashlib
import os
import subprocess
import sys

import numpy as np

from pql_model.decide.holdout import held_out, place, ties

MANY = [f"acc-{i:05d}" for i in range(20_000)]


def test_the_places_are_these_and_stay_these():
    """Whoever changes them puts others into everybody's hold-out."""
    assert place("nimbus-boards", "acc-00007") == 0.4545306533336331
    assert place("nimbus-boards", "42") == 0.7139406241821593
    assert place("shop", "42") == 0.243791963565833
    assert place("shop", "Müller 🚀") == 0.03619462269888862


def test_a_place_is_the_first_53_bits_of_a_sha256():
    digest = hashlib.sha256(b"hold-out\nshop\n42").hexdigest()
    assert place("shop", "42") == (int(digest[:16], 16) >> 11) / 2**53


def test_another_process_with_another_hash_seed_agrees():
    code = "from pql_model.decide.holdout import place; print(place('shop', '42'))"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": "12345"}, capture_output=True, text=True
    )
    assert float(done.stdout) == place("shop", "42")


def test_the_share_is_the_share():
    for share in (0.05, 0.1, 0.5):
        n, se = held_out("nimbus-boards", MANY, share).sum(), np.sqrt(20_000 * share * (1 - share))
        assert abs(n - 20_000 * share) < 4 * se


def test_the_order_and_the_neighbours_do_not_matter():
    among = dict(zip(MANY, held_out("shop", MANY, 0.1), strict=True))
    for entity in MANY[:50]:
        assert held_out("shop", [entity], 0.1)[0] == among[entity]
    assert held_out("shop", MANY[::-1], 0.1).tolist() == held_out("shop", MANY, 0.1)[::-1].tolist()


def test_a_larger_share_holds_all_of_a_smaller_one():
    small, large = held_out("shop", MANY, 0.05), held_out("shop", MANY, 0.2)
    assert not (small & ~large).any()


def test_nobody_is_held_out_of_a_share_of_zero():
    assert held_out("shop", MANY[:3], 0.0).tolist() == [False] * 3


def test_two_products_and_the_order_of_ties_hold_out_others():
    mine, other, tie = held_out("shop", MANY, 0.2), held_out("store", MANY, 0.2), ties("shop", MANY) < 0.2
    for apart in (other, tie):
        assert abs(np.corrcoef(mine, apart)[0, 1]) < 4 / np.sqrt(20_000)


def test_the_hold_out_goes_with_nothing_in_a_name():
    """Ids that count up, that end alike, and that are hashes."""
    number = np.arange(20_000)
    held = held_out("shop", MANY, 0.1)
    for trait in (number, number % 2, number % 7, number % 10, number // 1000):
        assert abs(np.corrcoef(held, trait)[0, 1]) < 4 / np.sqrt(20_000)


def test_a_lone_surrogate_has_a_place():
    assert 0 <= place("shop", "\ud800") < 1
