"""The encoding of a text, guessed from its bytes."""

import gzip

import pytest

from genrecall.data.rows.sniff import encoding_of, seen_as, separator_of

GERMAN = "item_id;title\n1;Säge „Fuchs“\n2;Öl 5 €\n"
CZECH = "item_id;title\n1;Žluťoučký kůň\n2;šroubovák\n"


def write(path, data):
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
@pytest.mark.parametrize(
    ("text", "written", "expected", "word"),
    [
        (GERMAN, "utf-8", None, None),
        (GERMAN, "utf-16", None, None),
        (GERMAN, "cp1252", "cp1252", "Säge"),
        (CZECH, "cp1250", "cp1250", "Žluťoučký"),
        (GERMAN, "utf-16-be", "utf-16-be", "Säge"),
        (
            "id,title,price\n1,电动螺丝刀十八伏,9\n2,红色台灯与书桌,8\n",
            "utf-16-le",
            "utf-16-le",
            "电动螺丝刀十八伏",
        ),
        ("item_id\n1\n", "ascii", None, None),
    ],
)
def test_encodings_are_known_by_what_they_make_of_the_bytes(
    tmp_path, name, text, written, expected, word
):
    file = write(tmp_path / name, text.encode(written))
    assert encoding_of(file) == expected
    assert word is None or seen_as(file, expected) == word


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"item_id,title\n1,S\0aw\n" + b"2,Drill\n" * 50, None),
        ("item_id,title\n1,S\0äge\n".encode() + "2,Öl\n".encode() * 50, None),
        ("item_id,title\n1,S\0äge\n".encode("cp1252") + "2,Öl\n".encode("cp1252") * 50, "cp1252"),
        (b"item_id,title\n1,Saw\n" + bytes(512), None),
        (bytes(512), None),
        (b"", None),
    ],
)
def test_zeros_in_a_damaged_text_do_not_make_it_utf_16(tmp_path, name, text, expected):
    assert encoding_of(write(tmp_path / name, text)) == expected


@pytest.mark.parametrize(("damaged", "expected"), [(1, None), (2, None), (3, "cp1252")])
def test_some_damaged_lines_do_not_make_another_encoding(tmp_path, damaged, expected):
    """All the others would otherwise be read as `SÃ¤ge`."""
    lines = ["1;Säge".encode()] * 2 + [b"2;caf\xe9"] * damaged
    assert (
        encoding_of(write(tmp_path / "t.csv", b"\n".join([b"item_id;title", *lines]))) == expected
    )


def test_a_character_that_the_sample_cuts_is_not_damaged(tmp_path, monkeypatch):
    text = "x\nSäge".encode()
    monkeypatch.setattr("genrecall.data.rows.sniff._READ", len(text) - 3)  # within the ä
    assert encoding_of(write(tmp_path / "t.csv", text)) is None


@pytest.mark.parametrize("before", ["", "\n", "sep=;\n"])
@pytest.mark.parametrize("sign", [",", ";", "\t", "|"])
def test_the_separator_gives_most_records_as_many_fields_as_the_header(tmp_path, before, sign):
    text = f'{before}a{sign}b\n1{sign}"x, y; z"\n2{sign}w\n'
    assert separator_of(write(tmp_path / "t.csv", text.encode()), None) == sign
