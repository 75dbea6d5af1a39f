"""`init` and `validate` on files as shops and their systems export them."""

import gzip

import polars as pl
import pytest

from genrecall.cli.template import write_template
from genrecall.config import load_config
from genrecall.data.validate import ITEMS_SCHEMA, SEARCHES_SCHEMA, read_table
from genrecall.data.values.detect_times import what_helps
from genrecall.foundation.errors import DataError

GERMAN_ITEMS = """\
Artikelnummer;Bezeichnung;Warengruppe;Hersteller;Preis;Verfügbar;Geändert am
1;"M&uuml;ller Bohrer <b>Set</b>";"Werkzeug &gt; Bohrer";Müller;1.299;ja;16.02.2024
2;Säge „Fuchs“;Werkzeug > Sägen;-;1.299,00 €;nein;03.04.2024
3;Schlauch;Garten > Schläuche;n/a;12,50 €;auf Lager;01.01.2024
"""
GERMAN_SEARCHES = """\
Suchbegriff;Zeitpunkt;Angeklickt
säge;16.02.2024 10:15;1,2
schlauch;17.02.2024 8:00;3
"""


def written(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def init(folder, **tables):
    """The template, the config that it wrote, and what is read by that."""
    template = write_template(folder / "c.yaml", **tables)
    data = load_config(folder / "c.yaml").data
    schemas = {"items": ITEMS_SCHEMA, "searches": SEARCHES_SCHEMA}
    reads = {
        name: read_table(source, schemas[name], max_rejects=0)
        for name, source in data.sources.items()
    }
    return template, data, reads


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_a_german_export(tmp_path, encoding):
    template, data, reads = init(
        tmp_path,
        items=written(tmp_path / "artikel.csv", GERMAN_ITEMS, encoding),
        searches=written(tmp_path / "suchen.csv", GERMAN_SEARCHES, encoding),
    )
    items = reads["items"].frame
    assert items["title"].to_list() == [
        "Müller Bohrer Set",
        "Säge „Fuchs“",
        "Schlauch",
    ]
    assert items["category"].to_list() == [
        ["Werkzeug", "Bohrer"],
        ["Werkzeug", "Sägen"],
        ["Garten", "Schläuche"],
    ]
    assert items["price"].to_list() == [1299.0, 1299.0, 12.5]
    assert items["available"].to_list() == [True, False, True]
    assert items["brand"].to_list() == ["Müller", None, None]
    assert items["updated_at"].to_list() == [1_708_041_600, 1_712_102_400, 1_704_067_200]
    searches = reads["searches"].frame
    assert searches["query"].to_list() == ["säge", "schlauch"]
    assert searches["clicks"].to_list() == [["1", "2"], ["3"]]
    assert searches["timestamp"].to_list() == [1_708_078_500, 1_708_156_800]
    dialect = template.dialect["items"]
    assert dialect.get("encoding") == {"cp1252": "cp1252", "utf-16-le": "utf-16-le"}.get(encoding)
    assert dialect["separator"] == ";"
    assert dialect["empty"] == ["-", "n/a"]
    assert dialect["flags"] == {"ja": True, "nein": False, "auf Lager": True}
    text = (tmp_path / "c.yaml").read_text("utf-8")
    assert "    dialect:                      # seen in its first 3 rows\n" in text
    assert "      decimal: \",\"                # such as '1.299,00 €'\n" in text
    assert data.split.by == "time"


def test_a_polish_export(tmp_path):
    text = (
        "Kod produktu;Nazwa;Kategoria;Cena\n"
        "1;Wiertarka używana świetna;Narzędzia / Wiertarki;1 299,00 zł\n"
    )
    template, _, reads = init(tmp_path, items=written(tmp_path / "a.csv", text, "cp1250"))
    assert template.dialect["items"] == {
        "encoding": "cp1250",
        "separator": ";",
        "decimal": ",",
        "thousands": " ",
        "currency": ["zł"],
        "level_separator": " / ",
    }
    (row,) = reads["items"].frame.to_dicts()
    assert (row["title"], row["price"]) == ("Wiertarka używana świetna", 1299.0)
    assert row["category"] == ["Narzędzia", "Wiertarki"]


SHOPIFY = """\
Handle,Title,Vendor,Product Category,Type,Published,Variant SKU,Variant Price,Image Src,Status
saw,Hand Saw,Acme,Tools > Saws,Saw,TRUE,S1,12.50,a.png,active
saw,,,,,,S2,14.50,b.png,
saw,,,,,,,,c.png,
lamp,Lamp,Acme,Home > Lamps,Lamp,FALSE,L1,30.00,d.png,draft
"""
SHOPIFY_NEWER = """\
Title,URL handle,Description,Vendor,Product category,Type,Published on online store,Status,SKU,Price
Hand Saw,saw,Cuts.,Acme,Tools > Saws,Saw,TRUE,active,S1,12.50
,saw,,,,,,,S2,14.50
,saw,,,,,,,,
Lamp,lamp,Shines.,Acme,Home > Lamps,Lamp,FALSE,draft,L1,30.00
"""
WOO = """\
ID,Type,SKU,Name,Published,"In stock?",Regular price,Sale price,Categories,Parent
7,simple,A1,"Hoodie, warm",1,1,45,,"Clothing, Clothing > Hoodies",
8,simple,A2,Cap,1,backorder,18,16,"Clothing > Accessories, Sale",
"""
MAGENTO = """\
sku,attribute_set_code,product_type,categories,name,price,is_in_stock,updated_at
24-MB01,Bag,simple,"Default/Gear,Default/Gear/Bags",Joust Bag,34.0,1,"2/16/24, 10:00 AM"
24-MB04,Bag,simple,"Default/Gear,Default/Gear/Bags",Strive Bag,32.0,0,"2/3/24, 1:05 PM"
"""
GOOGLE = """\
id\ttitle\tlink\tprice\tavailability\tproduct_type\titem_group_id
1\tSaw\thttp://x/1\t1,299.00 USD\tin_stock\tTools > Saws, Sale > Saws\tg
2\tLamp\thttp://x/2\t30.00 USD\tout_of_stock\tHome > Lamps\tg
"""


@pytest.mark.parametrize(
    ("name", "text", "shop", "expected"),
    [
        ("a.csv", SHOPIFY, "Shopify",
         [("saw", "Hand Saw", ["Tools", "Saws"], 12.5, True, None),
          ("lamp", "Lamp", ["Home", "Lamps"], 30.0, False, None)]),
        ("a.csv", SHOPIFY_NEWER, "Shopify",
         [("saw", "Hand Saw", ["Tools", "Saws"], 12.5, True, None),
          ("lamp", "Lamp", ["Home", "Lamps"], 30.0, False, None)]),
        ("a.csv", WOO, "WooCommerce",
         [("7", "Hoodie, warm", ["Clothing", "Hoodies"], 45.0, True, None),
          ("8", "Cap", ["Clothing", "Accessories"], 18.0, True, None)]),
        ("a.csv", MAGENTO, "Magento",
         [("24-MB01", "Joust Bag", ["Default", "Gear", "Bags"], 34.0, True, None),
          ("24-MB04", "Strive Bag", ["Default", "Gear", "Bags"], 32.0, False, None)]),
        ("a.tsv", GOOGLE, "Google Merchant",
         [("1", "Saw", ["Tools", "Saws"], 1299.0, True, "g"),
          ("2", "Lamp", ["Home", "Lamps"], 30.0, False, "g")]),
    ],
)  # fmt: skip
def test_exports_of_shop_systems(tmp_path, name, text, shop, expected):
    template, _, reads = init(tmp_path, items=written(tmp_path / name, text))
    assert template.shop == {"items": shop}
    assert f"  items: an export of {shop}" in "\n".join(template.describe())
    columns = ["item_id", "title", "category", "price", "available", "group_id"]
    assert reads["items"].frame.select(columns).rows() == expected
    if shop == "Shopify":
        handle = "Handle" if text is SHOPIFY else "URL handle"
        assert reads["items"].notes == [
            f"2 rows go on with the row before them, by the column {handle!r}, and are not read"
        ]


WOO_HEADERS = [
    "ID,Typ,Artikelnummer,Name,Veröffentlicht,Vorrätig?,Angebotspreis,Regulärer Preis,Kategorien,"
    "Übergeordnetes Produkt,Marken",
    "ID,Type,UGS,Nom,Publié,En stock\u00a0?,Tarif promo,Tarif régulier,Catégories,Parent,Marque",
    "ID,Tipo,SKU,Nombre,Publicado,¿Existencias?,Precio rebajado,Precio normal,Categorías,Superior,"
    "Marcas",
    "ID,Tipo,COD,Nome,Pubblicato,In stock?,Prezzo in offerta,Prezzo di listino,Categorie,Genitore,"
    "Brand",
    "ID,Type,SKU,Naam,Gepubliceerd,Op voorraad?,Actieprijs,Reguliere prijs,Categorieën,Parent,"
    "Brands",
    "ID,Typ,SKU,Nazwa,Opublikowano,W magazynie?,Cena promocyjna,Cena,Kategorie,Element nadrzędny,"
    "Brands",
]


@pytest.mark.parametrize("header", WOO_HEADERS)
def test_exports_of_woocommerce_in_other_languages(tmp_path, header):
    path = r"Maison, Maison > Boîtes\, étagères > Étagères, Promotions"
    text = f'{header}\n7,simple,A1,Étagère,1,1,40,45,"{path}",id:3,Léo\n'
    template, _, reads = init(tmp_path, items=written(tmp_path / "a.csv", text))
    assert template.shop == {"items": "WooCommerce"}
    columns = ["item_id", "title", "category", "price", "available", "group_id", "brand"]
    assert reads["items"].frame.select(columns).rows() == [
        ("7", "Étagère", ["Maison", "Boîtes, étagères", "Étagères"], 45.0, True, "id:3", "Léo")
    ]
    assert reads["items"].notes == [
        "1 items stand in several categories; of each the deepest path counts, the first of equals"
    ]


@pytest.mark.parametrize(
    ("prices", "told"),
    [
        (["1.299", "2.499"],
         "no number tells thousands and decimal places apart, such as '1.299': the sign is read as "
         'one before decimal places. If it is not, set `thousands: "."` and `decimal: ","` under '
         "`dialect`"),
        (['"1,299"', '"2,499"'],
         "no number tells thousands and decimal places apart, such as '1,299': the sign is read as "
         'one between thousands. If it is not, replace `thousands` by `decimal: ","` under '
         "`dialect`"),
        (["12 €", "13 EUR", "14 $"],
         "numbers in other currencies than €, such as '14 $', will be rejected, since prices in "
         "two currencies do not compare"),
    ],
)  # fmt: skip
def test_prices_that_may_mean_something_else_are_told(tmp_path, prices, told):
    rows = "".join(f"{row},Saw,{price}\n" for row, price in enumerate(prices))
    items = written(tmp_path / "a.csv", f"id,name,price\n{rows}")
    assert write_template(tmp_path / "c.yaml", items=items).notes == [f"items: {told}"]
    load_config(tmp_path / "c.yaml")


def test_what_only_the_user_can_tell_is_asked(tmp_path):
    text = "id,name,in stock,listed at\n1,Saw,ja,03/04/2024\n2,Lamp,evtl.,05/06/2024\n"
    template = write_template(tmp_path / "c.yaml", items=written(tmp_path / "a.csv", text))
    assert template.notes == [
        "items: no time tells day and month apart, such as '03/04/2024': they are read by "
        "%d/%m/%Y, and could be %m/%d/%Y",
        "items: whether 'evtl.' means true or false is not known: say it under `flags` of "
        "`dialect`, such as `flags: {'evtl.': false}`",
    ]
    assert load_config(tmp_path / "c.yaml").data.items.dialect.flags == {"ja": True}


@pytest.mark.parametrize(
    ("name", "cells", "read"),
    [
        ("stock", [12, 0, 3], [True, False, True]),
        ("stock", [12.0, 0.0, None], [True, False, None]),
        ("qty", [1, 0, 2], [True, False, True]),
        ("Lagerbestand", ["12", "0", "3"], [True, False, True]),
        ("Lagerbestand", ["1.250", "0", "12,5"], [True, False, True]),
        ("stock", ["12", "n/a", "ja"], [True, None, True]),
        ("in stock", ["12", "-3", "no"], [True, False, False]),
    ],
)
def test_pieces_in_stock(tmp_path, name, cells, read):
    file = tmp_path / "a.parquet"
    pl.DataFrame({"id": [1, 2, 3], "name": ["Saw"] * 3, name: cells}).write_parquet(file)
    template, _, reads = init(tmp_path, items=file)
    assert template.notes == []
    assert "counts: true" in (tmp_path / "c.yaml").read_text("utf-8")
    assert reads["items"].frame["available"].to_list() == read


@pytest.mark.parametrize("name", ["quantity", "stock"])
def test_a_column_that_is_only_called_like_a_stock_is_not_read(tmp_path, name):
    file = written(tmp_path / "a.csv", f"id,name,{name}\n1,Saw,500 g\n2,Milk,1 l\n")
    template, _, reads = init(tmp_path, items=file)
    assert template.unused["items"] == [name]
    assert template.notes == []
    assert reads["items"].frame["available"].to_list() == [None, None]


def test_numbers_that_may_be_a_kind_are_asked_about(tmp_path):
    file = written(tmp_path / "a.csv", "id,name,in stock\n1,Saw,1\n2,Saw,2\n3,Saw,0\n")
    (note,) = write_template(tmp_path / "c.yaml", items=file).notes
    assert "whether '2' means true or false is not known" in note


def test_months_that_are_as_long_as_their_short_name(tmp_path):
    days = [f"{day:02} May 2024 10:00" for day in range(1, 30)] + ["01 June 2024 10:00"]
    rows = "".join(f"saw,{day},1\n" for day in days)
    items = written(tmp_path / "i.csv", "id,name\n1,Saw\n")
    log = written(tmp_path / "l.csv", f"query,timestamp,clicks\n{rows}")
    template, _, reads = init(tmp_path, items=items, searches=log)
    assert template.notes == []
    assert template.dialect["searches"] == {"times": "%d %B %Y %H:%M"}
    assert len(reads["searches"].frame) == 30


def test_woocommerce_without_its_column_of_what_is_published(tmp_path):
    head = "ID,SKU,Name,Regular price,Sale price,Categories,In stock?"
    file = written(tmp_path / "a.csv", f'{head}\n1,a,Saw,5,,"Tools, Tools > Saws",1\n')
    template, _, reads = init(tmp_path, items=file)
    assert template.shop == {"items": "WooCommerce"}
    assert reads["items"].frame["item_id"].to_list() == ["1"]
    assert reads["items"].frame["category"].to_list() == [["Tools", "Saws"]]


def test_ids_in_braces_are_no_lists(tmp_path):
    items = written(tmp_path / "i.csv", "id,name\n{A1-01},Saw\n{A1-02},Drill\n")
    rows = "saw,{A1-01}\ndrill,{A1-02}\nboth,{A1-01}|{A1-02}\n"
    log = written(tmp_path / "l.csv", f"query,clicks\n{rows}")
    _, _, reads = init(tmp_path, items=items, searches=log)
    clicks = reads["searches"].frame["clicks"].to_list()
    assert clicks == [["{A1-01}"], ["{A1-02}"], ["{A1-01}", "{A1-02}"]]


def test_ids_in_arrays_of_postgresql(tmp_path):
    items = written(
        tmp_path / "i.csv", 'id,name,category\n1,Saw,{Tools}\n2,Drill,"{Tools,Drills}"\n'
    )
    rows = 'saw,{1}\ndrill,{2}\nboth,"{1,2}"\nnone,{NULL}\n'
    log = written(tmp_path / "l.csv", f"query,clicks\n{rows}")
    template, _, reads = init(tmp_path, items=items, searches=log)
    assert template.dialect["searches"] == {"list_separator": "{,}"}
    assert reads["searches"].frame["clicks"].to_list() == [["1"], ["2"], ["1", "2"], []]


def test_a_log_with_a_row_for_each_click(tmp_path):
    items = written(tmp_path / "a.csv", "id,name\n1,Saw\n2,Drill\n")
    rows = "saw,1,2024-01-01\nsaw,2,2024-01-01\n"
    log = written(tmp_path / "l.csv", f"query,product_id,timestamp\n{rows}")
    template = write_template(tmp_path / "c.yaml", items=items, searches=log)
    assert template.missing["searches"] == ["clicks"]
    assert template.notes == [
        "searches: the column 'product_id' holds one item a row, as logs of events do: if each row "
        "is a click, map `clicks` to it; otherwise write a row a search, with lists of what was "
        "shown, clicked and bought"
    ]


def test_a_zero_in_a_text_costs_its_line_alone(tmp_path):
    text = "id,title\n1,S\0aw\n" + "".join(f"{number},Drill\n" for number in range(2, 300))
    file = written(tmp_path / "i.csv", text)
    template = write_template(tmp_path / "c.yaml", items=file)
    assert template.dialect["items"] == {}
    source = load_config(tmp_path / "c.yaml").data.sources["items"]
    read = read_table(source, ITEMS_SCHEMA, max_rejects=0.01)
    assert read.frame.height == 298
    assert [str(reject) for reject in read.rejects] == [
        "line 2: line holds NUL bytes, as damaged files do"
    ]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("i.csv", GERMAN_ITEMS.encode("utf-16-le")[:-1]),
        ("i.csv.gz", gzip.compress(GERMAN_ITEMS.encode() * 50)[:-20]),
        ("i.csv", bytes(512)),
    ],
)
def test_a_torn_file_is_told(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=r"i\.csv.* Get or write the file again|holds NUL bytes"):
        write_template(tmp_path / "c.yaml", items=tmp_path / name)


@pytest.mark.parametrize(
    ("times", "told"),
    [
        (["10 janvier 2024 08:53"] * 3,
         "searches: the column 'time' holds times that cannot be read, such as "
         "'10 janvier 2024 08:53': " + what_helps("timestamp")),
        (["2024-03-01 10:00:00 CET"] * 3, "such as '2024-03-01 10:00:00 CET': if a pattern of"),
        (["45350.25", "45350.5", "45351.75"],
         "searches: the column 'time' holds numbers with decimal places, such as 45350.25, that "
         "count no seconds since 1970. They look like days since 1900"),
        (["2024-02-16", "1708077600", "2024-02-17"],
         "searches: the column 'time' mixes times of 2 kinds: ISO 8601, such as 2024-02-16 (2 r"),
    ],
)  # fmt: skip
def test_init_tells_of_times_that_a_run_will_refuse(tmp_path, times, told):
    rows = "".join(f"saw,1,{time}\n" for time in times)
    file = written(tmp_path / "s.csv", f"query,clicks,time\n{rows}")
    (note,) = write_template(tmp_path / "c.yaml", searches=file).notes
    assert told in note


@pytest.mark.parametrize(
    "times",
    [
        ["01/Mar/2024:10:00:00 +0100", "02/Mar/2024:10:00:00 +0100"],
        ["Fri Mar 01 10:00:00 UTC 2024", "Sat Mar 02 10:00:00 UTC 2024"],
        ["0000-00-00 00:00:00", "2024-03-01 10:00:00"],
        ["2024-03-01T10:00:00Z", ""],
    ],
)
def test_init_is_silent_about_times_that_are_read(tmp_path, times):
    rows = "".join(f"{number},Saw,{time}\n" for number, time in enumerate(times))
    file = written(tmp_path / "i.csv", f"id,title,updated_at\n{rows}")
    template, _, reads = init(tmp_path, items=file)
    assert template.notes == []
    assert reads["items"].rejects == []


def test_init_tells_of_numbers_with_both_decimal_signs(tmp_path):
    rows = "".join(f"{number};Saw;{price}\n" for number, price in enumerate(["1,5", "0.5", "2,5"]))
    template = write_template(
        tmp_path / "c.yaml", items=written(tmp_path / "i.csv", f"id;title;price\n{rows}")
    )
    assert template.dialect["items"] == {"separator": ";", "decimal": ","}
    assert template.notes == [
        "items: both a point and a comma stand before decimal places, such as in '1,5' and '0.5'; "
        "write all numbers of the table one way. As `decimal` is ',', those with the other sign "
        "will be rejected"
    ]
