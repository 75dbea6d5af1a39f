import pytest
from imported import Import, as_jsonl, cut, write

from genrecall.foundation.errors import DataError

HEADER = "query-id\tcorpus-id\tscore\n"


@pytest.fixture
def source(tmp_path):
    """A data set as BEIR publishes it, with a few rows."""
    folder = tmp_path / "touche"
    corpus = as_jsonl(
        {"_id": "10", "title": "Desk Lamp", "text": "Bends.", "metadata": {"url": "x"}},
        {"_id": "b", "title": "", "text": "A  soft scarf\nof wool."},
        {"_id": "c", "text": "word " * 100},
        {"_id": "d", "title": "", "text": " "},
        {"_id": "10", "title": "Desk Lamp", "text": "again"},
        {"title": "no id"},
    )
    write(folder / "corpus.jsonl", "\ufeff" + corpus)
    queries = as_jsonl(
        {"_id": "1", "text": "lamp for a desk", "metadata": {}},
        {"_id": "2", "text": "scarf"},
        {"_id": "3", "text": ""},
        {"_id": "2", "text": "scarves"},
    )
    write(folder / "queries.jsonl", queries)
    write(folder / "qrels/train.tsv", f"{HEADER}1\t10\t2\n2\tb\t1\n")
    write(folder / "qrels/test.tsv", f"{HEADER}2\t10\t0\n3\tb\t1\n2\tb\n1\tc\thigh\n")
    return folder


def test_documents_queries_and_qrels(source):
    imported = Import("beir", source)
    items = imported.table("items")
    assert [item["item_id"] for item in items] == ["10", "b", "c"]
    assert [item["title"] for item in items[:2]] == ["Desk Lamp", "A soft scarf of wool."]
    assert items[2]["title"] == " ".join(["word"] * 40)
    assert imported.table("judgments") == [
        {"query": "scarf", "item_id": "10", "relevance": 0.0},
        {"query": "lamp for a desk", "item_id": "10", "relevance": 2.0},
        {"query": "scarf", "item_id": "b", "relevance": 1.0},
    ]
    assert sorted(imported.rejects) == [
        ("corpus.jsonl", 4, "title is empty"),
        ("corpus.jsonl", 5, "item_id occurs twice"),
        ("corpus.jsonl", 6, "item_id is missing"),
        ("qrels/test.tsv", 3, "query-id is not in queries.jsonl"),
        ("qrels/test.tsv", 4, "line has the wrong number of fields"),
        ("qrels/test.tsv", 5, "relevance is not a number"),
        ("queries.jsonl", 3, "text is empty"),
        ("queries.jsonl", 4, "_id occurs twice"),
    ]


def test_a_line_in_another_encoding_costs_only_itself(source):
    with (source / "corpus.jsonl").open("ab") as stream:
        stream.write('{"_id": "e", "title": "Café"}\n'.encode("iso-8859-1"))
        stream.write('{"_id": "f", "title": "Café"}\n'.encode())
    imported = Import("beir", source)
    assert imported.table("items")[-1] == {"item_id": "f", "title": "Café"}
    assert ("corpus.jsonl", 7, "line is not UTF-8") in imported.rejects


def test_gzipped_and_broken_off(source):
    corpus = as_jsonl(
        *({"_id": f"n{n}", "title": f"Lamp {n * 7919 % 10007}"} for n in range(3000)),
    )
    (source / "corpus.jsonl").unlink()
    cut(write(source / "corpus.jsonl.gz", corpus))
    imported = Import("beir", source)
    kept = imported.done.rows["items"]
    assert 1000 < kept < 3000
    assert ("corpus.jsonl.gz", kept + 1, "file breaks off here") in imported.rejects


def test_all_files_may_be_gzipped(source):
    expected = Import("beir", source).table("judgments")
    for name in ("corpus.jsonl", "queries.jsonl", "qrels/train.tsv", "qrels/test.tsv"):
        write(source / f"{name}.gz", (source / name).read_bytes())
        (source / name).unlink()
    zipped = Import("beir", source.rename(source.with_name("zipped")))
    assert zipped.table("judgments") == expected
    assert ("qrels/test.tsv.gz", 4, "line has the wrong number of fields") in zipped.rejects


def test_missing_files_and_columns_are_named(source):
    write(source / "qrels/dev.tsv", "1\t10\t1\n")
    with pytest.raises(DataError) as refused:
        Import("beir", source)
    assert "dev.tsv has no column query-id, corpus-id, score; it has 1, 10, 1. Expected:\n" in str(
        refused.value
    )
    for file in (source / "qrels").iterdir():
        file.unlink()
    with pytest.raises(DataError, match=r"has no qrels/\*\.tsv; it holds corpus\.jsonl, qrels, qu"):
        Import("beir", source)
    write(source / "corpus.jsonl", as_jsonl({"id": "1"}))
    write(source / "qrels/dev.tsv", HEADER)
    with pytest.raises(DataError, match=r"corpus\.jsonl has no column _id; it has id\. Expected"):
        Import("beir", source)


def test_an_empty_corpus_is_told(source):
    write(source / "corpus.jsonl", b"")
    with pytest.raises(DataError, match=r"touche gives no row of items\. The first causes:\n"):
        Import("beir", source)


def test_a_file_without_rows_is_noted(source):
    write(source / "qrels/dev.tsv", HEADER)
    assert "qrels/dev.tsv holds no rows" in Import("beir", source).notes
