"""`genrecall recall`: what it prints, writes and refuses."""

import numpy as np
import pytest
import torch
from command import read_json
from tiny_shop import items

from genrecall.bundle import load
from genrecall.data.shoppers import Shoppers
from genrecall.evaluate.trec import read_run


def test_recall_prints_items(bundle, genrecall):
    told = genrecall("recall", bundle, "red cordless drill", "-k", 3)
    lines = told.splitlines()
    assert lines[0] == "items for 'red cordless drill':"
    assert lines[1].split() == ["rank", "score", "item_id", "SID", "title"]
    assert [line.split()[0] for line in lines[2:-1]] == ["1", "2", "3"]
    titles = {item["item_id"]: item["title"] for item in items()}
    for line in lines[2:-1]:
        assert line.endswith(titles[line.split()[2]])
    assert lines[-1] == f"next: genrecall recall {bundle} 'red cordless drill' -k 3 --explain"


@pytest.mark.parametrize(("given", "threads"), [((), 1), (("--threads", 2), 2)])
def test_a_query_is_answered_by_one_thread_unless_told(bundle, genrecall, given, threads):
    torch.set_num_threads(3)
    genrecall("recall", bundle, "drill", *given)
    assert torch.get_num_threads() == threads
    torch.set_num_threads(1)


def test_recall_explains(bundle, genrecall, tmp_path):
    told = genrecall("recall", bundle, "drill", "--explain", "--json", tmp_path / "a.json")
    assert told.startswith("SIDs generated for 'drill':")
    assert "Tools > Drills" in told
    assert "next:" not in told
    answer = read_json(tmp_path / "a.json")
    assert set(answer) == {"query", "calibrated", "items", "sids"}
    assert set(answer["items"][0]) == {"item_id", "title", "score", "rank", "sid"}
    logprobs = [sid["logprob"] for sid in answer["sids"]]
    assert np.all(np.diff(logprobs) <= 0)
    assert np.exp(logprobs).sum() <= 1.0001


def test_recall_without_explain_has_no_sids(bundle, genrecall, tmp_path):
    genrecall("recall", bundle, "drill", "--json", tmp_path / "a.json")
    assert "sids" not in read_json(tmp_path / "a.json")


def test_recall_filters(bundle, genrecall, tmp_path):
    filters = ["--filter", "price<=40", "--filter", "brand=Acme", "--filter", "brand=Bolt"]
    told = genrecall("recall", bundle, "drill", *filters, "--json", tmp_path / "a.json")
    assert told.endswith("--filter 'price<=40' --filter brand=Acme --filter brand=Bolt --explain\n")
    found = read_json(tmp_path / "a.json")["items"]
    by_id = {item["item_id"]: item for item in items()}
    assert found
    for hit in found:
        item = by_id[hit["item_id"]]
        assert item["price"] <= 40 and item["brand"] in ("Acme", "Bolt") and item["available"]
    told = genrecall("recall", bundle, "drill", "--filter", "price<1", "--explain")
    assert "no SID holds a live item" in told
    assert "  none: no item has price < 1; it goes from 5 to 124\n" in told


def test_recall_says_why_there_is_nothing(bundle, genrecall):
    told = genrecall("recall", bundle, "drill", "--filter", "brand=acmme")
    assert "\n  none: no item has brand 'acmme'; did you mean 'Acme'?\n" in told
    assert "\n  none: no word of '☂' is known; try others\n" in genrecall("recall", bundle, "☂")
    told = genrecall(
        "recall", bundle, "drill", "--filter", "brand=Acme", "--filter", "item_id=item-7"
    )
    assert "that pass each alone: brand 30, item_id 1\n" in told


def test_recall_leaves_out_what_was_bought(bundle, genrecall):
    first, *others = found(genrecall("recall", bundle, "drill", "-k", 6))
    assert (
        found(genrecall("recall", bundle, "drill", "--filter", f"item_id!={first}", "-k", 5))
        == others
    )


def test_recall_shows_a_page_and_fields(bundle, genrecall):
    fields = ["--field", "price", "--field", "category"]
    told = genrecall("recall", bundle, "drill", "-k", 3, "--offset", 2, *fields)
    assert found(told) == found(genrecall("recall", bundle, "drill", "-k", 5))[2:]
    by_id = {item["item_id"]: item for item in items()}
    for line in told.splitlines()[2:-1]:
        item = by_id[line.split()[2]]
        path = " > ".join(item["category"])
        assert line.endswith(f"{item['title']}  price: {item['price']:.1f}  category: {path}")
    assert told.endswith("--field price --field category --offset 2 --explain\n")
    assert "the best item scores" in genrecall("recall", bundle, "drill", "--min-score", 5)


def test_recall_shows_an_attribute_by_its_key(bundle, genrecall):
    told = genrecall(
        "recall", bundle, "drill", "-k", 2, "--filter", "color=red", "--field", "color"
    )
    assert [line.endswith("  color: red") for line in told.splitlines()[2:-1]] == [True, True]


def test_recall_for_a_shopper_of_the_run(finished, bundle, genrecall, error):
    known = Shoppers.load(finished / "run/stages/data")
    user = known.choices["user_id"][0]
    told = genrecall("recall", bundle, "drill", "-k", 5, "--user", f"{user} ")
    channel = load(bundle)
    hits = channel.recall("drill", user={"history": known.at(user, limit=None).history}, k=5)
    assert found(told) == [hit.item_id for hit in hits]
    assert "does not know the shopper 'nobody'" in error(
        "recall", bundle, "drill", "--user", "nobody"
    )


def test_the_next_command_explains_the_same_answer(finished, bundle, genrecall):
    user = Shoppers.load(finished / "run/stages/data").choices["user_id"][0]
    asked = ["-k", 3, "--user", user, "--offset", 2, "--min-score", 0.0]
    told = genrecall("recall", bundle, "drill", *asked)
    _, _, command = told.splitlines()[-1].partition("genrecall ")
    assert command.split()[3:] == [*map(str, asked), "--explain"]
    explained = genrecall(*command.split())
    assert explained[explained.index("items for") :].splitlines() == told.splitlines()[:-1]


def found(told):
    """Ids of the items that were printed."""
    return [line.split()[2] for line in told.splitlines()[2:-1]]


def test_brackets_in_a_query_are_text(bundle, genrecall):
    assert "items for '[red] drill':" in genrecall("recall", bundle, "[red] drill")


def test_recall_answers_a_file_of_queries(bundle, genrecall, tmp_path):
    queries = tmp_path / "queries.txt"
    queries.write_text("red cordless drill\nblue table lamp\n", "utf-8")
    run_file = tmp_path / "deep/answers.trec"
    told = genrecall("recall", bundle, "--queries", queries, "--run", run_file, "-k", 4)
    assert told == f"wrote {run_file}\n"
    answers = read_run(run_file)
    assert {search: len(found) for search, found in answers.items()} == {"1": 4, "2": 4}
    genrecall("recall", bundle, "red cordless drill", "-k", 4, "--json", tmp_path / "a.json")
    single = read_json(tmp_path / "a.json")["items"]
    assert list(answers["1"]) == [hit["item_id"] for hit in single]


def test_recall_answers_a_file_of_queries_as_json(bundle, genrecall, tmp_path):
    queries = tmp_path / "queries.txt"
    queries.write_text("red cordless drill\n☂\n", "utf-8")
    told = genrecall(
        *("recall", bundle, "--queries", queries, "-k", 2, "--field", "brand"),
        *("--json", tmp_path / "a.json", "--run", tmp_path / "a.trec"),
    )
    assert told == (
        f"wrote {tmp_path / 'a.trec'}\nwrote {tmp_path / 'a.json'}\n"
        "note: 1 of 2 queries without an item, such as that of line 2: no word of '☂' is known; "
        "try others\n"
    )
    first, second = read_json(tmp_path / "a.json")["answers"]
    assert (first["search_id"], first["query"]) == ("1", "red cordless drill")
    run, nothing = read_run(tmp_path / "a.trec").values()
    assert nothing == {}
    assert [item["item_id"] for item in first["items"]] == list(run)
    assert set(first["items"][0]["fields"]) == {"brand"}
    assert (second["search_id"], second["items"]) == ("2", [])
    assert second["no_items"]["cause"] == "unknown_words"
    genrecall("recall", bundle, "red cordless drill", "-k", 2, "--json", tmp_path / "b.json")
    single = read_json(tmp_path / "b.json")["items"]
    for item in first["items"]:
        del item["fields"]
        item["score"] = pytest.approx(item["score"])
    assert single == first["items"]


def test_a_file_of_queries_is_told_why_it_has_no_answers(bundle, genrecall, tmp_path):
    queries = tmp_path / "queries.txt"
    queries.write_text("drill\n☂\nlamp\n", "utf-8")
    asked = ["recall", bundle, "--queries", queries, "--run", tmp_path / "a.trec"]
    told = genrecall(*asked, "--filter", "brand=acmme", "-q")
    assert told.splitlines() == [
        "note: 2 of 3 queries without an item, such as that of line 1: no item has brand 'acmme'; "
        "did you mean 'Acme'?",
        "note: 1 of 3 queries without an item, such as that of line 2: no word of '☂' is known; "
        "try others",
    ]
    assert "line 1: the page starts behind" in genrecall(*asked, "--offset", 5000)


def test_recall_refuses_what_it_cannot_answer(bundle, error, tmp_path):
    assert "the query '  ' of request 0 is empty" in error("recall", bundle, "  ")
    assert "k=0 asks for no item" in error("recall", bundle, "drill", "-k", 0)
    assert "unknown filter field 'pric'" in error("recall", bundle, "drill", "--filter", "pric<5")
    assert "'price' is not a filter" in error("recall", bundle, "drill", "--filter", "price")
    assert "give either a query or --queries" in error("recall", bundle)
    assert "give --run FILE or --json FILE" in error("recall", bundle, "--queries", "q.txt")
    assert "--run is for the answers to --queries" in error("recall", bundle, "drill", "--run", "r")
    assert "unknown field of an item 'pric'" in error("recall", bundle, "drill", "--field", "pric")
    (tmp_path / "q.txt").write_text("drill\n", "utf-8")
    of_file = ["recall", bundle, "--queries", tmp_path / "q.txt", "--run", tmp_path / "r"]
    told = error(*of_file, "--field", "colr")
    assert "unknown field of an item 'colr'" in told and "Did you mean 'color'?" in told
    assert not (tmp_path / "r").exists()
    assert "offset=-1 is below 0" in error("recall", bundle, "drill", "--offset", -1)
    assert "has 2,000 characters; give at most 1,000" in error("recall", bundle, "x" * 2000)
    assert "go with a single query" in error(
        "recall", bundle, "--queries", "q.txt", "--run", "r", "--explain"
    )
    missing = tmp_path / "none.txt"
    assert "none.txt cannot be read" in error(
        "recall", bundle, "--queries", missing, "--run", tmp_path / "r"
    )
    missing.write_text("\n \n", "utf-8")
    assert "none.txt holds no query; give one a line" in error(
        "recall", bundle, "--queries", missing, "--run", tmp_path / "r"
    )
    missing.write_text(f"drill\n{'x' * 2000}\n", "utf-8")
    assert "line 2 of " in (
        told := error("recall", bundle, "--queries", missing, "--run", tmp_path / "r")
    )
    assert "has 2,000 characters; a query has at most 1,000" in told


def test_blank_lines_are_left_out_and_the_search_ids_stay_line_numbers(bundle, genrecall, tmp_path):
    queries = tmp_path / "queries.txt"
    queries.write_text("\ndrill\n  \r\nlamp\n☂\n", "utf-8")
    run, answers = tmp_path / "a.trec", tmp_path / "a.json"
    told = genrecall(
        *("recall", bundle, "--queries", queries, "-q"), "--run", run, "--json", answers
    )
    assert told.splitlines() == [
        "note: 2 blank lines left out",
        "note: 1 of 3 queries without an item, such as that of line 5: no word of '☂' is known; "
        "try others",
    ]
    found = read_json(answers)["answers"]
    assert [(answer["search_id"], answer["query"]) for answer in found] == [
        *(("2", "drill"), ("4", "lamp"), ("5", "☂"))
    ]
    assert list(read_run(run)) == ["2", "4", "5"]


def test_only_line_feeds_end_a_query_of_a_file(bundle, genrecall, tmp_path):
    queries = tmp_path / "queries.txt"
    lines = ["\ufeffred\u2028cordless drill", "blue\x0ctable\x85lamp", "red\x1cdrill"]
    queries.write_bytes("\r\n".join(lines).encode())
    genrecall("recall", bundle, "--queries", queries, "--run", tmp_path / "a.trec", "-k", 4)
    answers = read_run(tmp_path / "a.trec")
    assert list(answers) == ["1", "2", "3"]
    for search, query in {"1": "red cordless drill", "2": "blue table lamp"}.items():
        genrecall("recall", bundle, query, "-k", 4, "--json", tmp_path / "a.json")
        single = read_json(tmp_path / "a.json")["items"]
        assert list(answers[search]) == [hit["item_id"] for hit in single]


@pytest.mark.parametrize("threads", [1, 2])
def test_a_query_is_answered_with_the_threads_that_are_named(bundle, genrecall, threads):
    before = torch.get_num_threads()
    try:
        genrecall("recall", bundle, "drill", "--threads", threads)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
