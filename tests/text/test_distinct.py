"""Texts that come again and again, each kept once."""

from __future__ import annotations

from genrecall.text.distinct import distinct


def test_the_numbers_give_the_texts_back_as_they_came():
    texts = ["saw", "drill", "saw", "", "drill", "Saw"]
    found = distinct(texts)
    assert found.texts == ["saw", "drill", "", "Saw"]
    assert [found.texts[number] for number in found.number] == texts


def test_of_no_text_there_is_none():
    found = distinct([])
    assert found.texts == []
    assert found.number.dtype == "int64"
    assert found.number.shape == (0,)
