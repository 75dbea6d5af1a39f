"""Rewards of a team's own: a function, a real HTTP service, and all that can go wrong with them."""

import json
import sys
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import numpy as np
import pytest
from trained import load_trained

from genrecall.align.rewards import Outcome
from genrecall.align.scorers import OwnReward, own_reward
from genrecall.foundation.errors import ConfigError
from genrecall.generator.align_config import RewardConfig

QUERIES = ["red drill", "coffee maker"]
LEAVES = np.array([[0, 3, -1], [5, 1, 2]])
OUTCOME = np.array([[4, 1, 0], [2, 1, 3]], dtype=np.int8)


@pytest.fixture(scope="module")
def items(shop_run):
    return load_trained(shop_run).generator.items


def ask(items, answer):
    """Rewards by a function that gives `answer`, or raises it; what it was asked, and failures."""
    asked = []

    def function(question):
        asked.append(question)
        if isinstance(answer, Exception):
            raise answer
        return answer

    reward = OwnReward(function, items, name="shop:reward")
    return reward(QUERIES, LEAVES, OUTCOME), asked, reward.failures


def test_it_is_asked_about_sids_with_their_items_and_outcome(items):
    rewards, (asked,), failures = ask(items, [[0.5, 0.25], [1, 2, 3]])
    assert rewards.tolist() == [[0.5, 0.25, 0.0], [1.0, 2.0, 3.0]]
    assert failures == 0
    assert [(search["query"], len(search["sids"])) for search in asked] == [
        ("red drill", 2),
        ("coffee maker", 3),
    ]
    first = asked[0]["sids"][0]
    assert first["outcome"] == "bought"
    rows = items.postings.items(np.array([0])).rows.tolist()
    assert first["items"] == [items.catalog.item_ids[row] for row in rows]
    assert first["sid"].startswith("<c1_")
    json.dumps(asked)


@pytest.mark.parametrize("rows", [np.array([[1, 2, 3], [4, 5, 6]]), ((1, 2, 3), (4, 5, 6))])
def test_rows_may_be_of_any_kind(items, rows):
    leaves, outcome = np.array([[0, 3, 4], [5, 1, 2]]), OUTCOME
    reward = OwnReward(lambda _: rows, items, name="shop:reward")
    assert reward(QUERIES, leaves, outcome).tolist() == [[1, 2, 3], [4, 5, 6]]


WRONG = (None, [0.5], [1, 2, 3], ["a", "b"], ["1", "2"], [float("nan"), 1], "ab", [1, [2]])
TOO_LARGE = ([1e300, 1], [10**400, 1])


@pytest.mark.parametrize("wrong", [*WRONG, *TOO_LARGE])
def test_a_search_without_a_usable_answer_is_skipped_and_counted(items, wrong):
    rewards, _, failures = ask(items, [wrong, [1, 2, 3]])
    assert np.isnan(rewards).any(axis=1).tolist() == [True, False]
    assert failures == 1


@pytest.mark.parametrize("wrong", [None, [], [[1, 2]], {"rewards": []}, ValueError("no model")])
def test_an_answer_to_nothing_skips_all(items, wrong):
    rewards, _, failures = ask(items, wrong)
    assert np.isnan(rewards).any(axis=1).all()
    assert failures == 2


def test_who_never_answers_is_told_after_a_while(items):
    def broken(_):
        raise KeyError("model")

    reward = OwnReward(broken, items, name="shop:reward")
    told = r"shop:reward gave no reward 20 times in a row \(KeyError: 'model'\)\. It must give"
    with pytest.raises(ConfigError, match=told):
        for _ in range(20):
            reward(QUERIES, LEAVES, OUTCOME)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ([[1.0]], "it gave rewards of 1 searches for 2"),
        ("no", "it gave 'no' instead of a list"),
        ([[1.0], [1.0]], "numbers for"),
        ([[float("nan")] * 3] * 2, "not all finite"),
        ([["a", "b", "c"]] * 2, "instead of a list of numbers"),
    ],
)
def test_the_cause_of_a_failure_is_named(items, answer, told):
    reward = OwnReward(lambda _: answer, items, name="shop:reward")
    reward(QUERIES, LEAVES, OUTCOME)
    assert told in reward.cause


def test_a_function_is_found_by_its_name(items, tmp_path, monkeypatch):
    (tmp_path / "shop_reward.py").write_text(
        "def score(question):\n"
        "    return [[len(sid['items']) for sid in search['sids']] for search in question]\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "shop_reward", raising=False)
    reward = own_reward(RewardConfig(function="shop_reward:score"), items)
    rewards = reward(QUERIES, LEAVES, OUTCOME)
    assert rewards[1].tolist() == items.postings.sizes[LEAVES[1]].tolist()
    for name in ("shop_reward:gone", "no_such_module:score"):
        with pytest.raises(ConfigError, match=rf"'{name}' cannot be imported .* PYTHONPATH"):
            own_reward(RewardConfig(function=name), items)


@pytest.fixture
def service():
    """A real service on this machine; `behave` says what it does with a question."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, answer = self.server.behave(question["searches"])
            self.send_response(status)
            self.end_headers()
            with suppress(BrokenPipeError):  # who asked has given up
                self.wfile.write(answer)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def of_service(service, items, **options):
    url = f"http://127.0.0.1:{service.server_port}/reward"
    return own_reward(RewardConfig(url=url, **options), items)


def test_a_service_rewards(service, items):
    def behave(searches):
        rewards = [[float(s["outcome"] == "bought") for s in one["sids"]] for one in searches]
        return 200, json.dumps({"rewards": rewards}).encode()

    service.behave = behave
    reward = of_service(service, items)
    assert reward(QUERIES, LEAVES, OUTCOME).tolist() == [[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]


@pytest.mark.parametrize(
    "behave",
    [
        lambda _: (500, b"out of memory"),
        lambda _: (200, b"<html>"),
        lambda _: (200, b'{"scores": []}'),
        lambda _: time.sleep(0.5) or (200, b'{"rewards": [[1, 1], [1, 1, 1]]}'),
    ],
    ids=["error", "no JSON", "another key", "too slow"],
)
def test_a_service_that_fails_rewards_nothing(service, items, behave):
    service.behave = behave
    reward = of_service(service, items, timeout=0.2)
    assert np.isnan(reward(QUERIES, LEAVES, OUTCOME)).any(axis=1).all()
    assert reward.failures == 2


def test_one_reward_is_chosen():
    with pytest.raises(ValueError, match="both function and url are given"):
        RewardConfig(function="a:b", url="http://localhost")
    for wrong in ({"function": "no colon"}, {"url": "file:///etc/passwd"}):
        with pytest.raises(ValueError, match="should match pattern"):
            RewardConfig(**wrong)


def test_equal_rewards_teach_nothing_unless_money_tells_them_apart():
    equal = dict.fromkeys(("bought", "clicked", "exposed", "valid"), 0.5)
    with pytest.raises(ValueError, match=r"are all 0\.5: no SID is worth more than another"):
        RewardConfig(**equal)
    assert RewardConfig(**equal, gmv=0.5).gmv == 0.5


def test_the_ladder_needs_none(items):
    assert own_reward(RewardConfig(), items) is None
    assert Outcome.BOUGHT == 4
