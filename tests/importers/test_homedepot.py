import pytest
from imported import Import, as_csv, cut, write

from genrecall.foundation.errors import DataError

TRAIN = ["id", "product_uid", "product_title", "search_term", "relevance"]
TEST = TRAIN[:-1]
ATTRIBUTES = ["product_uid", "name", "value"]


@pytest.fixture
def source(tmp_path):
    """The folder as Kaggle publishes it, with a few rows."""
    folder = tmp_path / "homedepot"
    train = as_csv(
        TRAIN,
        ["2", "100001", 'Shelf Bracket, 6"', "l bracket", "2.5"],
        ["3", "100001", 'Shelf Bracket, 6"', "shelf\nholder", "3"],
        ["9", "100002", "Thermostat for 90° Elbows", "elbow", "1.33"],
    )
    write(folder / "train.csv", train.encode("iso-8859-1"))
    test = as_csv(
        TEST,
        ["1", "100001", 'Shelf Bracket, 6"', "angle bracket"],
        ["4", "100003", "Café Table", "bistro table"],
    )
    write(folder / "test.csv", test.encode("iso-8859-1"))
    attributes = as_csv(
        ATTRIBUTES,
        ["100001", "Bullet01", "Holds a shelf"],
        ["100001", "MFG Brand Name", "Ironwork"],
        ["100001", "Color Family", "Grau – hell"],
        ["100001", "Color Family", "Black"],
        ["100001", "Assembled Depth (in.)", "6"],
        ["", "", ""],
        ["100002", "MFG Brand Name", "N/A"],
        ["100002", "Material", ""],
        ["100099", "MFG Brand Name", "Nobody's"],
    )
    write(folder / "attributes.csv", attributes)
    write(folder / "product_descriptions.csv", as_csv(["product_uid", "product_description"]))
    return folder


def test_products_with_brand_and_attributes(source):
    imported = Import("homedepot", source)
    assert imported.table("items") == [
        {
            "item_id": "100001",
            "title": 'Shelf Bracket, 6"',
            "brand": "Ironwork",
            "attributes": [
                {"key": "Assembled Depth (in.)", "value": ["6"]},
                {"key": "Color Family", "value": ["Grau – hell", "Black"]},
            ],
        },
        {
            "item_id": "100002",
            "title": "Thermostat for 90° Elbows",
            "brand": None,
            "attributes": None,
        },
        {"item_id": "100003", "title": "Café Table", "brand": None, "attributes": None},
    ]
    assert imported.rejects == [("attributes.csv", 7, "product_uid is missing")]


def test_judgments_and_their_scale(source):
    imported = Import("homedepot", source)
    assert imported.table("judgments") == [
        {"query": "l bracket", "item_id": "100001", "relevance": 2.5},
        {"query": "shelf\nholder", "item_id": "100001", "relevance": 3.0},
        {"query": "elbow", "item_id": "100002", "relevance": 1.33},
    ]
    assert imported.done.positive_from == 2.33
    assert imported.done.init_options()[-2:] == ["--positive-from", "2.33"]
    assert any("2 pairs of test.csv have no published relevance" in note for note in imported.notes)


def test_the_published_solution_judges_the_test_pairs(source):
    solution = as_csv(["id", "relevance", "Usage"], ["1", "2.67", "Public"], ["4", "-1", "Ignored"])
    write(source / "solution.csv", solution)
    imported = Import("homedepot", source)
    assert imported.table("judgments")[3:] == [
        {"query": "angle bracket", "item_id": "100001", "relevance": 2.67}
    ]
    assert len(imported.table("items")) == 3
    assert any("1 pairs of test.csv have no published" in note for note in imported.notes)


def test_the_test_pairs_may_be_missing(source):
    (source / "test.csv").unlink()
    imported = Import("homedepot", source)
    assert len(imported.table("items")) == 2
    assert any("test.csv is not there" in note for note in imported.notes)


def test_a_copy_saved_as_utf8_with_a_byte_order_mark_is_read_too(source):
    text = (source / "train.csv").read_bytes().decode("iso-8859-1")
    write(source / "train.csv", text.encode("utf-8-sig"))
    titles = [row["title"] for row in Import("homedepot", source).table("items")]
    assert "Thermostat for 90° Elbows" in titles


def test_corrupt_rows_are_named(source):
    with (source / "train.csv").open("ab") as stream:
        stream.write(b'12,100004,"Open quote,saw,3\n13,100005,Saw,saw,good\n14,100006,,saw,3\n')
        stream.write(b"15,100007,Saw,saw\n16,100008,Hand Saw,saw,3\n")
    imported = Import("homedepot", source)
    assert sorted(imported.rejects[1:]) == [
        ("train.csv", 6, "line is not CSV"),
        ("train.csv", 7, "relevance is not a number"),
        ("train.csv", 8, "product_title is missing"),
        ("train.csv", 9, "line has the wrong number of fields"),
    ]
    assert imported.reject_rows[1]["raw"].startswith('12,100004,"Open quote')
    assert imported.table("judgments")[-1]["item_id"] == "100008"


def test_gzipped_and_broken_off(source):
    text = (source / "attributes.csv").read_text()
    text += "".join(f"100002,Note {n},{n * 7919 % 10007}\n" for n in range(3000))
    (source / "attributes.csv").unlink()
    cut(write(source / "attributes.csv.gz", text))
    imported = Import("homedepot", source)
    assert imported.rejects[-1][0::2] == ("attributes.csv.gz", "file breaks off here")
    assert 1000 < len(imported.table("items")[1]["attributes"]) < 3000


def test_missing_files_and_columns_are_named(source):
    (source / "attributes.csv").rename(source / "attributes.csv.zip")
    with pytest.raises(DataError, match=r"has no attributes\.csv; it holds attributes\.csv\.zip, "):
        Import("homedepot", source)
    (source / "attributes.csv.zip").rename(source / "attributes.csv")
    write(source / "train.csv", as_csv(TEST, ["2", "100001", "Bracket", "l bracket"]))
    with pytest.raises(DataError) as refused:
        Import("homedepot", source)
    assert str(refused.value).startswith(
        f"{source / 'train.csv'} has no column relevance; it has id, product_uid, product_title, "
        "search_term. Expected:\n"
    )


def test_a_file_in_another_encoding_is_named(source):
    text = (source / "train.csv").read_bytes().decode("iso-8859-1")
    write(source / "train.csv", text.encode("utf-16-le"))
    with pytest.raises(
        DataError, match=r"train\.csv, line 1: read as UTF-8, the header line holds NUL bytes"
    ):
        Import("homedepot", source)


def test_a_file_that_breaks_off_before_its_first_line_is_named(source):
    (source / "attributes.csv").unlink()
    cut(write(source / "attributes.csv.gz", "product_uid,name,value\n"), share=0.4)
    with pytest.raises(DataError, match=r"attributes\.csv\.gz cannot be read as csv: Compressed f"):
        Import("homedepot", source)


def test_an_empty_file_is_named(source):
    write(source / "train.csv", b"")
    with pytest.raises(DataError, match=r"train\.csv is empty: not even a header line"):
        Import("homedepot", source)
