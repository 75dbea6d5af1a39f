import pytest

from genrecall.data.guess.columns import match_columns
from genrecall.data.validate import ITEMS_SCHEMA, SEARCHES_SCHEMA
from genrecall.data.values import detect
from genrecall.data.values.detect_times import time_pattern
from genrecall.data.values.dialect import TableDialect
from genrecall.data.values.times import TimeColumn


@pytest.mark.parametrize(
    ("texts", "decimal", "thousands", "currency"),
    [
        (["1.299", "1.299,00"], ",", ".", ()),
        (["1.299", "12,5"], ",", ".", ()),
        (["12,50 €", "3,00 €"], ",", None, ("€",)),
        (["1.234.567", "12"], ",", ".", ()),
        (["1,299.00", "999"], ".", ",", ()),
        (["$1,299", "$5"], ".", ",", ("$",)),
        (["15.00 USD"], ".", None, ("USD",)),
        (["CHF 1'299.–", "CHF 5.50"], ".", "'", ("CHF",)),
        (["1\u202f299,00\u00a0zł"], ",", " ", ("zł",)),
        (["1.299", "2.499"], ".", None, ()),
        (["0.125", "1.299"], ".", None, ()),
        (["3", "12"], ".", None, ()),
        (["12,50", "auf Anfrage"], ",", None, ()),
    ],
)
def test_how_numbers_are_written(texts, decimal, thousands, currency):
    found = detect.number_format(texts)
    assert (found.decimal, found.thousands, found.currency) == (decimal, thousands, currency)
    turned = detect.number_format(texts[::-1])
    assert (turned.decimal, turned.thousands) == (decimal, thousands)


def test_two_currencies_do_not_compare():
    found = detect.number_format(["12 €", "EUR 13", "$14", "15 USD", "16 Euro", "$ 17 CAD"])
    assert found.currency == ("€", "EUR", "Euro")
    assert found.foreign == ("$14", "$ 17 CAD")
    assert detect.number_format(["12 CAD", "$ 17 CAD"]).foreign == ()


@pytest.mark.parametrize(
    ("texts", "doubt"),
    [
        (["5", "1.299", "2.499"], "1.299"),
        (["1,299 €"], "1,299 €"),
        (["1.299", "12.5"], None),
        (["1.299", "1.299,00"], None),
        (["0.125"], None),
    ],
)
def test_numbers_of_which_nobody_can_tell_are_in_doubt(texts, doubt):
    assert detect.number_format(texts).doubt == doubt


def test_what_is_no_number_tells_nothing():
    assert detect.number_format(["auf Anfrage", "M8x20"]) is None


def test_zeros_of_mysql_are_no_date():
    words = ["0000-00-00", "2024-01-01", "0000-00-00 00:00:00"]
    assert detect.empty_words(words) == [words[0], words[2]]


@pytest.mark.parametrize(
    ("texts", "pattern", "doubt"),
    [
        (["16.02.2024", "03.04.2024"], "%d.%m.%Y", None),
        (["03.04.24 10:00", "16.02.24 9:05"], "%d.%m.%y %H:%M", None),
        (["02/16/2024 1:05:00 PM"], "%m/%d/%Y %I:%M:%S %p", None),
        (["2/16/24, 1:05 PM"], "%m/%d/%y, %I:%M %p", None),
        (["16-02-2024"], "%d-%m-%Y", None),
        (["2024/02/16"], "%Y/%m/%d", None),
        (["20240216103000"], "%Y%m%d%H%M%S", None),
        (["03/04/2024", "05/06/2024"], "%d/%m/%Y", "%m/%d/%Y"),
        (["3/4/24, 1:05 PM"], "%m/%d/%y, %I:%M %p", "%d/%m/%y, %I:%M %p"),
        (["2024-02-16 10:15:00 UTC"], "%Y-%m-%d %H:%M:%S UTC", None),
        (["2024-02-16 10:15:00.123456 UTC"], "%Y-%m-%d %H:%M:%S.%f UTC", None),
        (["16.02.2024 10:15:30.5"], "%d.%m.%Y %H:%M:%S.%f", None),
        (["2024-2-6"], "%Y-%m-%d", None),
        (["2024-02-16 9:05"], "%Y-%m-%d %H:%M", None),
        (["16 Feb 2024", "3 May 2024"], "%d %b %Y", None),
        (["16-FEB-24 10:15:30"], "%d-%b-%y %H:%M:%S", None),
        (["February 16, 2024 1:05 PM", "June 3, 2024 2:10 AM"], "%B %d, %Y %I:%M %p", None),
    ],
)
def test_how_times_are_written(texts, pattern, doubt):
    assert time_pattern(texts) == (pattern, texts[0], doubt)


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("16/Feb/2024:13:00:00 +0100", "%d/%b/%Y:%H:%M:%S %z"),
        ("Fri Feb 16 12:00:00 UTC 2024", "%a %b %d %H:%M:%S UTC %Y"),
        ("Fri Feb 16 12:00:00 +0000 2024", "%a %b %d %H:%M:%S %z %Y"),
        ("Fri Feb 16 12:00:00 2024", "%a %b %d %H:%M:%S %Y"),
        ("Fri, 16 Feb 2024 12:00:00 GMT", "%a, %d %b %Y %H:%M:%S GMT"),
        ("Fri, 16 Feb 2024 14:00:00 +0200", "%a, %d %b %Y %H:%M:%S %z"),
        ("Fri Feb 16 2024 13:00:00 GMT+0100", "%a %b %d %Y %H:%M:%S GMT%z"),
        ("Friday, February 16, 2024 12:00 PM", "%A, %B %d, %Y %I:%M %p"),
        ("Fri 16.02.2024 12:00", "%a %d.%m.%Y %H:%M"),
        ("16.02.2024 13:00 +01:00", "%d.%m.%Y %H:%M %z"),
        ("2/16/2024 12:00 PM UTC", "%m/%d/%Y %I:%M %p UTC"),
    ],
)
def test_one_noon_as_servers_and_libraries_write_it(text, pattern):
    assert time_pattern([text]) == (pattern, text, None)
    dialect = TableDialect(times=pattern)
    read = TimeColumn(dialect.times).read([text])
    assert (read.values.to_list(), read.failed) == ([1_708_084_800], {})


def test_blanks_before_the_day_of_a_month_need_no_other_pattern():
    texts = ["Fri Mar  1 10:00:00 2024", "Fri Feb 16 12:00:00 2024"]
    pattern = time_pattern(texts).pattern
    assert pattern == "%a %b %d %H:%M:%S %Y"
    assert TimeColumn(pattern).read(texts).failed == {}


@pytest.mark.parametrize(
    "text",
    [
        "10 janvier 2024 08:53",
        "1. Januar 2024",
        "Mo 01.01.2024",
        "2024-03-01 10:00:00 CET",
        "0000-00-00",
        "2024-02-16",
        "2024-02-16 10:15:00.5",
        "2024-02-16T10:00:00Z",
        "1708077600",
        "5",
        "gestern",
        "3 Foo 2024",
    ],
)
def test_other_times_have_no_pattern(text):
    assert time_pattern([text]) is None


def test_words_for_yes_and_no():
    words = [
        "ja",
        "Nein",
        "in_stock",
        "OUT OF STOCK",
        "backorder",
        "auf Lager",
        "yes",
        "0",
        "evtl.",
    ]
    known, unknown = detect.flag_words(words)
    assert known == {
        "ja": True,
        "Nein": False,
        "in_stock": True,
        "OUT OF STOCK": False,
        "backorder": True,
        "auf Lager": True,
    }
    assert unknown == ["evtl."]


@pytest.mark.parametrize(
    ("texts", "sign"),
    [
        (["1,2", "3"], ","),
        (["1, 2", "3, 4"], ","),
        (["1;2"], ";"),
        (["1 2 3"], " "),
        (["1|2"], None),
        (["[1, 2]"], None),
        (["1", "2"], None),
        (["{1,2}", "{3}"], "{,}"),
        (["{}", "{3}"], "{,}"),
        (["{A1-01}", "{A1-02}"], None),
        (["{A1-01}|{A1-02}", "{A1-03}"], None),
        (["{A1-01},{A1-02}", "{A1-03}"], ","),
    ],
)
def test_what_stands_between_ids(texts, sign):
    assert detect.list_separator(texts) == sign


@pytest.mark.parametrize(
    ("texts", "separators"),
    [
        (["A > B", "C"], (">", None)),
        (["A &gt; B"], (">", None)),
        (["A > B, A > C", "D"], (">", ",")),
        (["Sale, Hemden > Kurz", "Sale"], (">", ",")),
        (["Schuhe, Taschen > Leder", "Schuhe, Taschen > Stoff"], (">", None)),
        (["A/B,A/B/C", "A/D"], ("/", ",")),
        (["A/B", "A/C"], ("/", None)),
        (["Audio/Video > TV", "B > C"], (">", None)),
        (["Audio/Video", "Garten", "Küche"], (None, None)),
        (["A|B|C"], ("|", None)),
        (["A > B|A > C"], (">", "|")),
        (["A » B"], ("»", None)),
        (["A -> B -> C", "A -> D"], ("->", None)),
        (["A/B|A/C", "A/D"], ("/", "|")),
        (["A/B;A/C/D"], ("/", ";")),
        (["Audio/Video|TV", "Audio/Video|Hi-Fi"], ("|", None)),
        (["A / B/C / D"], (" / ", None)),
        (['["A", "B"]'], (None, None)),
        (["{A,B}"], (None, None)),
        ([r"Screens \> 50", r"Saws \> 5", "Lamps/Red", "Lamps/Blue"], ("/", None)),
        (["Lampen"], (None, None)),
    ],
)
def test_what_stands_between_categories(texts, separators):
    assert detect.category_separators(texts) == separators


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ("Artikelnummer Bezeichnung Warengruppe Hersteller Preis Verfügbar", "de"),
        ("Référence Désignation Catégorie Marque Prix-TTC Disponibilité", "fr"),
        ("Referencia Nombre Categoría Marca Precio Disponible", "es"),
        ("Codice Nome Categoria Marca Prezzo Disponibilità", "it"),
        ("Artikelnummer Naam Categorie Merk Prijs Op_voorraad", "nl"),
        ("Kod_produktu Nazwa Kategoria Marka Cena Dostępność", "pl"),
    ],
)
def test_columns_of_items_in_six_languages(names, found):
    ours = ["item_id", "title", "category", "brand", "price", "available"]
    assert match_columns(names.split(), ITEMS_SCHEMA) == dict(
        zip(ours, names.split(), strict=True)
    ), found


@pytest.mark.parametrize(
    "names",
    [
        "Zeitpunkt Kundennummer Suchbegriff Angeklickt Gekauft",
        "Horodatage Client Requête Cliqués Achetés",
        "Fecha Usuario Búsqueda Clics Compras",
        "Data Utente Ricerca Cliccati Acquistati",
        "Tijdstip Klant Zoekterm Geklikt Gekocht",
        "Czas Użytkownik Zapytanie Kliknięte Kupione",
    ],
)
def test_columns_of_a_log_in_six_languages(names):
    ours = ["timestamp", "user_id", "query", "clicks", "purchases"]
    found = dict(zip(ours, names.split(), strict=True))
    assert match_columns(names.split(), SEARCHES_SCHEMA) == found


def test_the_regular_price_goes_before_that_of_an_offer():
    names = ["id", "name", "Sale price", "Regular price"]
    assert match_columns(names, ITEMS_SCHEMA)["price"] == "Regular price"
