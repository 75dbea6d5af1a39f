import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrecall.text.clean import clean


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain  text", "plain  text"),
        ("M&uuml;ller &amp; S&ouml;hne", "Müller & Söhne"),
        ("M&amp;uuml;ller", "Müller"),
        ("Caf&#233; &#xE9; &#8364;", "Café é €"),
        ("&lt;b&gt;Neu&lt;/b&gt; Lampe", "Neu Lampe"),
        ("<p>Bohrer</p><p>Set</p>", "Bohrer Set"),
        ("<span class='x'>Akku</span>schrauber", "Akkuschrauber"),
        ("m<sup>2</sup>", "m2"),
        ("Lampe<br />LED<!-- alt -->", "Lampe LED"),
        ("a<script>alert('<b>')</script>b", "a b"),
        ("a<!-- b <!-- c -->d", "a<!-- b d"),
        ("<style>Lampe", "<style>Lampe"),
        ("R&amp;#38;amp;D", "R&D"),
        ("18&nbsp;V\u00a0Akku", "18 V Akku"),
        # no HTML
        ("R&D, AT&T, Pots&notes; & more", "R&D, AT&T, Pots&notes; & more"),
        ("Bohrer <5 mm> und <S>, a<b", "Bohrer <5 mm> und <S>, a<b"),
        ("&unknown; &copy", "&unknown; &copy"),
        # what nobody sees
        ("Akku\u00adschrau&shy;ber", "Akkuschrauber"),
        ("Akku\u200bschrau\u200cber\ufeff", "Akkuschrauber"),
        ("\u202aLampe\u202c", "Lampe"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("می\u00ad\u200cخواهم", "می\u200cخواهم"),
        ("क्\u200dष", "क्\u200dष"),
        ("ผ้า\u200bฝ้าย", "ผ้า\u200bฝ้าย"),
        ("👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧"),
        ("日本\u200b語", "日本語"),
    ],
)
def test_what_is_left_of_a_text(text, expected):
    assert clean(text) == expected


parts = [
    "<b>",
    "</b>",
    "<",
    ">",
    "b",
    "&",
    "amp;",
    "lt;",
    "&lt;",
    "&#38;",
    "\u00ad",
    "\u200d",
    "ي",
    " ",
]


@given(st.lists(st.sampled_from(parts), max_size=12).map("".join) | st.text(max_size=20))
def test_what_is_clean_stays(text):
    assert clean(clean(text)) == clean(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<!--" * 50_000, "<!--" * 50_000),
        ("<script " * 50_000, "<script " * 50_000),
        ("&" + "amp;" * 50_000, "&"),
        ("<" * 50_000 + "b>" * 50_000, None),
        ("&" + "#3" * 50_000 + "8;" * 50_000, None),
    ],
)
def test_the_time_of_cleaning_grows_with_the_length(text, expected):
    """12,000 characters of tags within tags took 13 seconds, and these would have taken hours."""
    cleaned = clean(text)
    assert expected is None or cleaned == expected
    assert clean(cleaned) == cleaned
