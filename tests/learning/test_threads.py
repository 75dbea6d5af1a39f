"""How many threads compute, and that a process that answers may be forked."""

import os
import subprocess
import sys

import faiss
import pytest
import torch
from threadpoolctl import threadpool_info

from genrecall.bundle import load
from genrecall.foundation.threads import one_thread
from genrecall.learning.threads import set_threads


@pytest.fixture(autouse=True)
def _as_before():
    yield
    set_threads(1)


@pytest.mark.parametrize(
    ("given", "environment", "expected"),
    [
        (3, "2", 3),
        (None, "2", 2),
        (None, "2,1", 2),
        (None, "", 5),
        (None, "0", 5),
        (None, "many", 5),
    ],
)
def test_threads_are_those_that_are_named_or_the_cores(monkeypatch, given, environment, expected):
    monkeypatch.setenv("OMP_NUM_THREADS", environment)
    monkeypatch.setattr("joblib.cpu_count", lambda: 5)
    set_threads(given)
    assert torch.get_num_threads() == faiss.omp_get_max_threads() == expected
    assert blas_threads() == {expected}


def blas_threads():
    """Of NumPy and of faiss, which bring one each."""
    found = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    assert len(found) >= 2
    return {pool["num_threads"] for pool in found}


def test_one_thread_is_for_a_while():
    set_threads(2)
    with pytest.raises(RuntimeError), one_thread():
        assert torch.get_num_threads() == 1
        assert blas_threads() == {1}
        raise RuntimeError
    assert torch.get_num_threads() == 2
    assert blas_threads() == {2}


@pytest.mark.parametrize(("wanted", "expected"), [({}, 1), ({"threads": 2}, 2)])
def test_a_loaded_bundle_answers_with_one_thread_unless_told(shop_run, wanted, expected):
    set_threads(3)
    load(shop_run.bundle, **wanted)
    assert torch.get_num_threads() == expected
    assert blas_threads() == {expected}
    load(shop_run.bundle, threads=None)
    assert torch.get_num_threads() == expected


FORKED = """
import os, signal, sys
import genrecall
from genrecall import Request, Shopper

opened = genrecall.open_bundle(sys.argv[1])
channel, dense, lexical = opened.generative(), opened.dense(), opened.lexical()
shopper = Shopper(history=("item-1", "item-2"))

def ask():
    filters = {"brand": "Acme", "available": True, "color": "red", "category": "Tools"}
    request = Request("red drill", shopper, filters=filters)
    answer = channel.answer(request, 5, fields=["brand", "price", "attributes"])
    for name, value in (("brand", "Acne"), ("color", "redd"), ("group_id", "x"), ("item_id", "x"),
                        ("category", "Toolz"), ("price", {"lte": -1}), ("score", 3),
                        ("updated_at", 1), ("available", False)):
        none = channel.answer(Request("drill", filters={"color": "red", name: value}))
        assert none.no_hits is not None or name == "available", name
    found = [[str(row) for row in other.rank([request], 5)[0].rows] for other in (dense, lexical)]
    return [hit.item_id for hit in answer.hits] + sum(found, [])

expected = ask()
children = []
for _ in range(3):
    child = os.fork()
    if not child:
        signal.alarm(60)  # ends a child that waits for ever
        os._exit(0 if ask() == expected else 3)
    children.append(child)
print([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children], len(expected))
"""


def test_children_of_a_process_that_has_answered_answer_alike(shop_run):
    """As those of a server do that loads a bundle before it forks."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OMP")}
    done = subprocess.run(
        [sys.executable, "-c", FORKED, str(shop_run.bundle)],
        env=environment | {"POLARS_MAX_THREADS": "2"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    children, answers = done.stdout.rsplit(maxsplit=1)
    assert children == "[0, 0, 0]", done.stderr
    assert int(answers) > 5


FORKED_AT_ONCE = """
import os, signal, sys
from genrecall.bundle import open_bundle

bundle = open_bundle(sys.argv[1])
child = os.fork()
if not child:
    signal.alarm(60)
    found = [bundle.generative(), bundle.dense(), bundle.lexical()]
    os._exit(0 if all(channel.recall("cordles dril", k=5) for channel in found) else 3)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_process_that_has_only_opened_a_bundle_may_be_forked(shop_run):
    """Nothing is left to be read by polars, whose threads the child does not have."""
    done = subprocess.run(
        [sys.executable, "-c", FORKED_AT_ONCE, str(shop_run.bundle)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "2"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.strip() == "0", done.stderr
