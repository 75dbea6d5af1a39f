import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_readers import read, write

from genrecall.data.rows.json_documents import is_document, numbered_objects

HITS = [{"_index": "i", "_id": f"d{n}", "_source": {"a": n, "b": {"c": ["x"]}}} for n in (1, 2)]
ANSWER = {
    "took": 5,
    "_shards": {"total": 1, "failures": [{"index": "i"}]},
    "hits": {"total": {"value": 2}, "max_score": None, "hits": HITS},
    "suggest": {"hits": [{"a": 9}]},
}
ROWS = {1: {"a": 1, "b": {"c": ["x"]}}, 2: {"a": 2, "b": {"c": ["x"]}}}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(ANSWER),
        json.dumps(ANSWER, indent=2),
        json.dumps(ANSWER, indent=1).replace("\n", "\r\n"),
        json.dumps(ANSWER).replace(", ", ",\n"),
        "\n".join(map(json.dumps, HITS)),
        json.dumps(HITS),
        json.dumps(HITS, indent=4),
        "\n".join(json.dumps(row, indent=2) for row in ROWS.values()),
        json.dumps(list(ROWS.values())),
        "\n\n[\n" + ",\n".join(map(json.dumps, ROWS.values())) + "\n]",
        "[" + ",".join(map(json.dumps, ROWS.values())) + "]",
        json.dumps({"products": list(ROWS.values())}),
        json.dumps({"total": 2, "products": list(ROWS.values()), "page": 1}),
        json.dumps({"products": list(ROWS.values()), "total": "2"}, indent=2),
        json.dumps({"status": "ok", "count": 2, "products": list(ROWS.values())}, indent=2),
        json.dumps({"status": 'a "b"', "data": list(ROWS.values()), "next": None}),
        '{"products": [\n' + ",\n".join(map(json.dumps, ROWS.values())) + "\n]}",
        '{"products": [' + ",\n".join(map(json.dumps, ROWS.values())) + '\n], "n": 2}',
    ],
)
@pytest.mark.parametrize("ending", ["jsonl", "json"])
def test_every_form_of_json_gives_the_same_rows(tmp_path, text, ending):
    assert read(write(tmp_path / f"t.{ending}", text)) == (ROWS, [])


def test_pages_of_answers_follow_one_another(tmp_path):
    text = f"{json.dumps(ANSWER)}\n{json.dumps(ANSWER)}\n"
    assert [row["a"] for row in read(write(tmp_path / "t.json", text))[0].values()] == [1, 2, 1, 2]


def test_the_id_of_a_hit_is_a_column(tmp_path):
    rows, _ = read(write(tmp_path / "t.json", json.dumps(ANSWER)), wanted=["_id", "a"])
    assert list(rows.values()) == [{"_id": "d1", "a": 1}, {"_id": "d2", "a": 2}]


@pytest.mark.parametrize("text", ['{"took": 3, "a": 1}', '{"hits": 3}', '{"a": 1}', "[1]", '["a"]'])
def test_lines_of_json_stay_lines(tmp_path, text):
    assert not is_document(write(tmp_path / "t.jsonl", text + "\n"))
    assert list(numbered_objects([text, text])) == [(1, text), (2, text)]


@pytest.mark.parametrize(
    "row",
    [
        {"shown": [{"id": 1}], "query": "drill"},  # a log of one search
        {"tags": ["a", "b"], "page": 1},
        {"a": [{"b": 1}], "c": [{"b": 2}]},
    ],
)
def test_a_row_with_lists_is_a_row(row):
    text = json.dumps(row)
    assert list(numbered_objects([text])) == [(1, text)]
    printed = json.dumps(row if "tags" in row else {"id": 1} | row, indent=2)
    lines = [line + "\n" for line in printed.split("\n")]
    assert [json.loads(line) for _, line in numbered_objects(lines)] == [json.loads(printed)]


def test_a_damaged_first_line_costs_no_other():
    lines = ['{"shown": [{"id": 1},\n', '{"a": 1}\n', '{"a": 2}\n']
    assert [line for _, line in numbered_objects(lines)] == lines


def test_a_broken_object_of_a_document_costs_no_other(tmp_path):
    text = json.dumps([{"a": 1}, {"a": "x{]"}, {"a": 3}], indent=2)
    for broken in (text.replace('"x{]"', '"x'), text.replace('"x{]"\n  }', '"x",')):
        rows, rejects = read(write(tmp_path / "t.json", broken))
        assert [row["a"] for row in rows.values()] == [1, 3]
        assert [(reject.line, reject.cause) for reject in rejects] == [(2, "line is not JSON")]
    lines = ["[", '{"a": 1},', '{"a": {"b": ', '{"a": 3},', '{"a": 4}', "]"]
    rows, rejects = read(write(tmp_path / "t.json", "\n".join(lines)))
    assert [row["a"] for row in rows.values()] == [1, 3, 4]
    assert [reject.raw for reject in rejects] == [lines[2].strip()]
    rows, rejects = read(write(tmp_path / "t.json", text[:-12]))
    assert [row["a"] for row in rows.values()] == [1, "x{]"]
    assert [reject.line for reject in rejects] == [3]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.lists(st.dictionaries(st.text(), values, max_size=3), min_size=1, max_size=4),
    st.sampled_from([None, 0, 2]),
    st.booleans(),
)
def test_all_objects_of_a_document_are_found(objects, indent, plain):
    text = json.dumps(objects, indent=indent, ensure_ascii=plain)
    lines = [line + "\n" for line in text.split("\n")]
    assert [json.loads(line) for _, line in numbered_objects(lines)] == objects
    hits = {"took": 1, "hits": {"total": 1, "hits": objects}}
    lines = [line + "\n" for line in json.dumps(hits, indent=indent).split("\n")]
    assert [json.loads(line) for _, line in numbered_objects(lines)] == objects
