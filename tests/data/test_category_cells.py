import pytest

from genrecall.data.values.category_cells import CategoryColumn, CategoryFormat
from genrecall.data.values.convert import shorten


@pytest.mark.parametrize(
    ("separators", "value", "expected"),
    [
        # as shops write them
        ((">", ","), "Kleidung, Kleidung > Hoodies, Sale > Winter", ["Kleidung", "Hoodies"]),
        ((">", ","), r"Garten > Schläuche\, Rohre", ["Garten", "Schläuche, Rohre"]),
        (("/", ","), "Default Category/Gear,Default Category/Gear/Bags",
         ["Default Category", "Gear", "Bags"]),
        (("|", None), "Home|Light|Lamps", ["Home", "Light", "Lamps"]),
        ((">", "|"), "Home > Light|Sale", ["Home", "Light"]),
        ((" / ", None), "Technik / Audio/Video / Kabel", ["Technik", "Audio/Video", "Kabel"]),
        (("»", None), "Start » Lampen»LED", ["Start", "Lampen", "LED"]),
        (("::", None), "A::B", ["A", "B"]),
        ((">", None), "Werkzeug &gt; Bohrer &amp; S&auml;gen", ["Werkzeug", "Bohrer & Sägen"]),
        ((">", None), "<b>Werkzeug</b> > Boh\u00adrer", ["Werkzeug", "Bohrer"]),
        # lists of levels, and of paths
        ((">", None), '["Tools", "Saws"]', ["Tools", "Saws"]),
        ((">", None), "['Tools', 'Saws']", ["Tools", "Saws"]),
        ((">", None), "['Tools' 'Saws']", ["Tools", "Saws"]),
        ((">", None), "['Men\\'s', None]", ["Men's"]),
        ((">", None), '["Home > Light", "Home > Light > Lamps"]', ["Home", "Light", "Lamps"]),
        ((">", None), ["Home > Light"], ["Home", "Light"]),
        ((">", None), [["Home", "Light"], ["Sale"]], ["Home", "Light"]),
        ((">", None), ["Home &amp; Garden", "Bits > 5 mm"], ["Home & Garden", "Bits > 5 mm"]),
        ((">", None), "[Sale] Shoes", ["[Sale] Shoes"]),
        ((">", None), "[]", None),
    ],
)  # fmt: skip
def test_forms_of_category_cells(separators, value, expected):
    assert CategoryFormat(*separators).cell(value) == expected


def notes_of(values, *separators):
    column = CategoryColumn(CategoryFormat(*separators))
    for value in values:
        column.cell(value)
    return column.notes()


@pytest.mark.parametrize("sign", ["»", "›", "→", "::", "|", " / ", "/", ";"])
def test_what_looks_like_a_path_with_another_separator_is_told(sign):
    (note,) = notes_of([f"Home{sign}Lamps", f"Home{sign}Chairs"])
    assert note == (
        f"2 cells hold {sign!r}, such as 'Home{sign}Lamps', and are read as one name; if it "
        f"stands between levels, set `dialect: {{level_separator: {sign!r}}}`"
    )
    assert notes_of([f"Home{sign}Lamps"], sign) == []


@pytest.mark.parametrize("sign", [",", "|", ";"])
def test_paths_that_are_read_as_one_are_told(sign):
    value = f"Home > Lamps{sign} Home > Chairs"
    assert notes_of([value, *["Home > Lamps"] * 9]) == [
        f"1 cells hold {sign!r}, such as {value!r}, and are read as one path; if it stands "
        f"between paths, set `dialect: {{path_separator: {sign!r}}}`"
    ]
    assert len(notes_of([value], ">", sign)) == 1  # of each the deepest counts
    assert notes_of([f"Home > Lamps{sign} Chairs"]) == []


@pytest.mark.parametrize("sign", ["->", "=>"])
def test_an_arrow_is_more_than_its_end(sign):
    assert notes_of([f"Home{sign}Lamps"]) == [
        f"1 cells hold {sign!r}, such as 'Home{sign}Lamps', and are read as levels that end "
        f"in {sign[0]!r}; if it stands between levels, set `dialect: {{level_separator: {sign!r}}}`"
    ]
    assert CategoryFormat(sign).cell(f"Home {sign} Lamps") == ["Home", "Lamps"]
    assert notes_of([f"Home{sign}Lamps"], sign) == []


@pytest.mark.parametrize(
    "value",
    [
        "('Home', 'Lamps')",
        "array(['Home', 'Lamps'], dtype=object)",
        '[{"name": "Home"}, {"name": "Lamps"}]',
        '{"main": "Home"}',
        "[Home, Lamps]",
    ],
)
def test_a_list_that_cannot_be_read_is_told(value):
    assert notes_of([value, "[Sale] Lamps", "Lamps (new)", "(B) Lamps"]) == [
        f"1 cells look like lists, such as {shorten(value)}, and are read as one name; write "
        "them as JSON arrays of the levels, root first"
    ]


def test_a_sign_that_is_rare_belongs_to_names():
    assert notes_of(["Audio/Video > Cables", "Audio/Video", *["Home > Light"] * 9]) == []


def test_several_paths_in_one_cell_are_told():
    (note,) = notes_of(["A > B, A > C", "Bits, Screws > Long", "A > B"])
    assert note.startswith("1 cells hold ',', such as 'A > B, A > C', and are read as one path")
    assert note.endswith("set `dialect: {path_separator: ','}`")
    assert notes_of(["A, A > B", "C"], ">", ",") == [
        "1 items stand in several categories; of each the deepest path counts, the first of equals"
    ]


@pytest.mark.parametrize(
    "value",
    [r"Home > Boxes\, shelves > Shelves", r"Bits \> 5 mm", r"Home\|Lamps", r"A > B\| C > D"],
)
def test_a_sign_behind_a_backslash_belongs_to_a_name(value):
    assert notes_of([value]) == []
    assert notes_of([value], ">", "|") == []


def test_what_is_set_already_is_not_advised():
    assert notes_of(["A > B", "A , B > C"], ">", ",") == [
        "1 items stand in several categories; of each the deepest path counts, the first of equals"
    ]
    assert notes_of([r"A > B\, C > D"], ">", ",") == []
    assert notes_of(["A > B, A > C"], ">", " , ") != []
