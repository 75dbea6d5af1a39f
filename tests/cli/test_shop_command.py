"""The command `shop`."""

import json
import re

import pytest
import torch
from command import main_code, read_json

SIZE = ("--items", 120, "--searches", 300, "--shoppers", 15, "--queries", 60)


def test_it_says_what_it_wrote_and_what_comes_next(tmp_path, genrecall, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = (*SIZE, "--page", 7, "--shopper-model", "cascade", "--json", "told.json")
    printed = genrecall("shop", "--out", "made", *given)
    told = read_json(tmp_path / "told.json")
    assert told == read_json(tmp_path / "made/log.json")
    assert (told["page"], told["shopper_model"], told["seed"]) == (7, "cascade", 0)
    clicks = f"{told['clicks']:,}, {told['clicks'] / 300:.2f} a search"
    assert printed.splitlines() == [
        "  items: 120; shoppers: 15",
        f"  searches: 300, all simulated; distinct queries: {told['distinct_queries']}",
        "  shown: 7 items a search at most, found by words",
        f"  clicks: {clicks} and one or more in {told['searches_with_click'] / 300:.0%}; "
        "shopper model cascade",
        f"  purchases: {told['purchases']}",
        "wrote made",
        "wrote told.json",
        "next: genrecall init --items made/items.jsonl --searches made/searches.jsonl "
        "--users made/users.jsonl --out made.yaml",
    ]
    next_command = printed.splitlines()[-1].removeprefix("next: genrecall ")
    genrecall(*next_command.split())
    assert "searches: 300 of 300 rows" in genrecall("validate", "made.yaml")


def test_a_shop_that_is_there_is_kept(tmp_path, genrecall, capsys):
    call = ("shop", "--out", tmp_path / "made", *SIZE)
    first = genrecall(*call)
    assert main_code(call) == 0
    again = capsys.readouterr()
    assert again.out == first
    assert again.err == "  shop: up to date\n"
    other = genrecall(*call, "--log-seed", 3)
    assert other != first


def test_a_bundle_of_another_shop_is_refused(tmp_path, bundle, error):
    told = error("shop", "--out", tmp_path / "made", *SIZE, "--bundle", bundle)
    assert told.startswith(f"{bundle} was made of another shop: item 0 is 'item-0 Acme ")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("--channels", "bm25"), "--channels goes with a bundle: give --bundle too"),
        (("--threads", "2"), "--threads goes with a bundle: give --bundle too"),
        (("--shopper-model", "x"), "'position' or 'cascade'"),
        (("--bundle", "nowhere"), "nowhere is not a GenRecall bundle"),
    ],
)
def test_unusable_options_are_refused(tmp_path, error, given, message):
    assert message in error("shop", "--out", tmp_path / "made", *SIZE, *given)


def test_channels_of_a_bundle_are_told(tmp_path, genrecall, bundle, monkeypatch):
    """The items are not compared: the run's are no shop's."""
    monkeypatch.setattr("genrecall.pipeline.simulate.check_items", lambda *_, **__: None)
    call = ("shop", "--out", tmp_path / "made", *SIZE, "--bundle", bundle)
    printed = genrecall(*call, "--channels", "dense, bm25", "--threads", 2)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)
    assert "found by dense+bm25" in printed
    assert re.search(r"\n  bm25: has found \d+% of what was shown\n  dense: has found ", printed)
    line = (tmp_path / "made/searches.jsonl").read_text("utf-8").splitlines()[0]
    assert json.loads(line)["impression_channels"][0][0] == "dense"


def test_it_has_help(genrecall):
    assert "shop" in genrecall("--help")
    assert "simulated search log" in genrecall("shop", "--help")
