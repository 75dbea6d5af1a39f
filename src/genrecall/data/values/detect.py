"""How values of a sample are written: guesses for `genrecall init`, remedies for an error.

Each function looks at texts of one column and gives the settings of `dialect` that would read them,
leaving out what is the default already. Times have a module of their own, `detect_times`.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from genrecall.data.values.category_cells import BETWEEN_PATHS, OTHERS, CategoryFormat
from genrecall.data.values.cells import ARRAY, is_array, is_list_in_text
from genrecall.data.values.vocabulary import EMPTY, FLAGS, MONEY
from genrecall.data.values.words import FlagFormat, plain_word
from genrecall.text.clean import clean


def empty_words(texts: Iterable[str]) -> list[str]:
    """Words that stand for a missing value, as they are written, each once.

    >>> empty_words(["NULL", "12", "-", "null"])
    ['NULL', '-']
    """
    found: dict[str, str] = {}
    for text in texts:
        word = text.strip()
        if word.lower() in EMPTY:
            found.setdefault(word.lower(), word)
    return list(found.values())


# --- numbers -------------------------------------------------------------------------------------

_AMOUNT: Final = re.compile(
    r"\s*(?P<before>[^\d\s,.'’+-]*\.?)\s*[+-]?(?P<number>\d[\d.,'’ \u00a0\u2009\u202f]*|[.,]\d+)"
    r"(?P<dash>[-–—]{0,2})(?P<after>[^\d]*)",
    re.ASCII,
)
_SIGNS: Final = re.compile(r"[^\d]")


class Numbers(NamedTuple):
    """How numbers are written; see `dialect.TableDialect`.

    Attributes:
        decimal: before decimal places.
        thousands: between thousands; None where there is none.
        currency: signs and names beside them, all of one currency.
        examples: what shows each of these, by its name.
        decimals: an example of each sign that surely stands before decimal places; two where the
            numbers mix both.
        foreign: an example of each other currency, if there are several: those do not compare.
        doubt: a number that means something else if its sign stands for the other thing, where none
            tells thousands and decimal places apart.
    """

    decimal: str
    thousands: str | None
    currency: tuple[str, ...]
    examples: Mapping[str, str]
    decimals: Mapping[str, str]
    foreign: tuple[str, ...] = ()
    doubt: str | None = None


def number_format(texts: Iterable[str]) -> Numbers | None:
    """How numbers are written; None where no text is a number.

    One text alone may be read in two ways: `1.299` is 1299 only where others show that the point
    stands between thousands.

    >>> number_format(["1.299", "1.299,00 €"])[:3]
    (',', '.', ('€',))
    """
    amounts = list(_amounts(texts))
    if not amounts:
        return None
    decimals: Counter[str] = Counter()
    thousands: Counter[str] = Counter()
    doubtful: Counter[str] = Counter()
    example: dict[str, str] = {}
    places: dict[str, str] = {}
    doubt = None
    for text, number, _ in amounts:
        signs = _SIGNS.findall(number)
        example.setdefault("".join(signs), text)
        if not signs:
            continue
        if len(set(signs)) > 1:
            thousands[signs[0]] += 1
            decimals[signs[-1]] += 1
            places.setdefault(signs[-1], text)
        elif signs[0] in " '" or len(signs) > 1:
            thousands[signs[0]] += 1
        elif re.fullmatch(r"[1-9]\d{0,2}[.,]\d{3}", number):
            doubtful[signs[0]] += 1
            doubt = doubt or text
        else:
            decimals[signs[0]] += 1
            places.setdefault(signs[0], text)
    decimal, group = _roles(decimals, thousands, doubtful)
    currency, foreign = _currencies(amounts)
    examples = {
        "decimal": next((text for signs, text in example.items() if signs.endswith(decimal)), ""),
        "thousands": next(
            (text for signs, text in example.items() if group and group in signs), ""
        ),
        "currency": next(iter(currency.values()), ""),
    }
    told = decimals or thousands
    return Numbers(
        decimal, group, tuple(currency), examples, places, foreign, None if told else doubt
    )


def both_signs(examples: Mapping[str, str]) -> str:
    """Say of numbers that they mix decimal signs, with an example of each."""
    shown = " and ".join(map(repr, examples.values()))
    return (
        f"both a point and a comma stand before decimal places, such as in {shown}; write all "
        "numbers of the table one way"
    )


class _Amount(NamedTuple):
    """A text that is a number, the number with its signs, and the money beside it."""

    text: str
    number: str
    money: tuple[str, ...]


def _amounts(texts: Iterable[str]) -> Iterator[_Amount]:
    for text in texts:
        match = _AMOUNT.fullmatch(text)
        money = None if match is None else _money(match["before"], match["after"])
        if match is not None and money is not None:
            number = re.sub("[\u00a0\u2009\u202f]", " ", match["number"]).strip()
            yield _Amount(text.strip(), number.replace("’", "'"), money)


def _currencies(amounts: Iterable[_Amount]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Names of the most frequent currency with an example each, and an example of each other."""
    count: Counter[str] = Counter()
    found: dict[str, dict[str, str]] = {}
    for text, _, money in amounts:
        if money:
            currency = currency_of(money[-1])  # of `$ 12 CAD`, what tells more
            count[currency] += 1
            for name in money:
                found.setdefault(currency, {}).setdefault(name, text)
    if not found:
        return {}, ()
    usual = found.pop(count.most_common(1)[0][0])
    return usual, tuple(next(iter(names.values())) for names in found.values())


def _roles(
    decimals: Counter[str], thousands: Counter[str], doubtful: Counter[str]
) -> tuple[str, str | None]:
    """The sign before decimal places, and the one between thousands."""
    votes = Counter({sign: decimals[sign] for sign in ".," if decimals[sign]})
    votes.update({{".": ",", ",": "."}[sign]: thousands[sign] for sign in ".," if thousands[sign]})
    # Where all are like `1.299`, they have decimal places; where all are like `1,299`, thousands.
    decimal = votes.most_common(1)[0][0] if votes else "."
    groups = Counter(
        {sign: count for sign, count in (thousands + doubtful).items() if sign != decimal}
    )
    return decimal, groups.most_common(1)[0][0] if groups else None


def _money(before: str, after: str) -> tuple[str, ...] | None:
    """What stands beside a number, if it is money; None where it is something else."""
    names = [name for name in (before.strip(), after.strip()) if name]
    known = [name for name in names if _is_money(name)]
    return tuple(known) if known == names else None


def currency_of(name: str) -> str:
    """What a sign or name of a currency means, by the first that means the same.

    >>> currency_of("EUR") == currency_of("€") != currency_of("US$")
    True
    """
    return MONEY.get(name.lower(), name.lower())


def _is_money(name: str) -> bool:
    return name.lower() in MONEY or all(unicodedata.category(char) == "Sc" for char in name)


# --- words, lists, categories --------------------------------------------------------------------


def flag_words(texts: Iterable[str]) -> tuple[dict[str, bool], list[str]]:
    """Words for yes and no that need a setting, and words of which nobody can tell.

    >>> flag_words(["ja", "Nein", "1", "vielleicht", ""])
    ({'ja': True, 'Nein': False}, ['vielleicht'])
    """
    known: dict[str, bool] = {}
    unknown: list[str] = []
    seen = set()
    plain = FlagFormat()
    for text in texts:
        word = plain_word(text)
        if word in seen:
            continue
        seen.add(word)
        try:
            plain.cell(text)
        except ValueError:
            if word in FLAGS:
                known[text.strip()] = FLAGS[word]
            else:
                unknown.append(text.strip())
    return known, unknown


def list_separator(texts: Iterable[str]) -> str | None:
    """What stands between the ids of lists, if it is none of what is read in any case."""
    given = [text for text in texts if text.strip() and not text.lstrip().startswith("[")]
    # One id in braces may be an array, and an id with braces.
    if given and all(map(is_array, given)) and any(not _may_be_id(text) for text in given):
        return ARRAY
    if any("|" in text for text in given):
        return None
    for sign in (",", ";", " "):
        parts = [part.strip() for text in given for part in text.split(sign)]
        if len(parts) > len(given) and not any(re.search(r"[\s,;]", part) for part in parts):
            return sign
    return None


def _may_be_id(text: str) -> bool:
    """Whether an array holds one entry without quotes.

    >>> _may_be_id("{12}"), _may_be_id("{12,13}"), _may_be_id("{}")
    (True, False, False)
    """
    return text.strip() != "{}" and not re.search('[",]', text)


_LEVEL_SHARES: Final[Mapping[str, float]] = {"|": 0.2, " / ": 0.2, "/": 0.5, "\\": 0.5, ";": 0.5}
"""Share of the categories that hold a sign, if it parts levels; of others a few will do."""

_A_FEW: Final = 0.05


def category_separators(texts: Sequence[str]) -> tuple[str | None, str | None]:
    """What stands between levels, and what between several paths of one cell.

    >>> category_separators(["A > B, A > C", "A > D"]), category_separators(["A/B", "A/C"])
    (('>', ','), ('/', None))
    """
    given = [clean(text) for text in texts if text.strip() and not is_list_in_text(text)]
    for level in OTHERS:
        held = sum(map(CategoryFormat(level).is_path, given))
        if held and held >= _LEVEL_SHARES.get(level, _A_FEW) * len(given):
            # Bars part paths as well as levels.
            if level in BETWEEN_PATHS and _parts_paths_of_others(given, level):
                continue
            break
    else:
        return None, None
    for sign in BETWEEN_PATHS:
        if sign != level and _parts_paths(given, level, sign):
            return level, sign
    return level, None


def _parts_paths_of_others(texts: Sequence[str], sign: str) -> bool:
    return any(_parts_paths(texts, level, sign) for level in OTHERS[OTHERS.index(sign) + 1 :])


def _parts_paths(texts: Sequence[str], level: str, sign: str) -> bool:
    """Whether a sign parts paths: both sides of it are paths, or roots that others have, too."""
    several = [text for text in texts if re.search(rf"(?<!\\){re.escape(sign)}", text)]
    one = CategoryFormat(level)
    roots = {path[0] for text in texts if sign not in text for path in one.paths(text)}
    fitting = 0
    for text in several:
        paths = CategoryFormat(level, sign).paths(text)
        own = {path[0] for path in paths if len(path) > 1}
        fitting += bool(own) and all(len(path) > 1 or path[0] in roots | own for path in paths)
    return bool(several) and fitting >= 0.8 * len(several)
