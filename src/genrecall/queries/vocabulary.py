"""The words that a shop knows: of its titles, and of what shoppers type, with their neighbours.

Words are told apart by their stems, as the models read them; each has the form in which titles
write it most often.

Shapes: `V` words, `P` pairs of neighbours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl

from genrecall.foundation.artifact import Artifact
from genrecall.text.normalize import Stemmer, normalize, stem

_WORDS: Final = "words.parquet"
_PAIRS: Final = "pairs.parquet"


class Word(NamedTuple):
    """One word.

    Attributes:
        form: as titles write it most often; as queries do where no title has it.
        titles: in how many it stands.
        queries: in how many distinct training queries.
        texts: in how many distinct other texts of items, such as descriptions.
    """

    form: str
    titles: int
    queries: int
    texts: int = 0


class Vocabulary:
    """Words by their stems, and how often two stand side by side.

    Args:
        words: by stem.
        pairs: by two stems, in how many titles or queries the first stands before the second.
        stemmer: brings the forms of a word together.
    """

    def __init__(
        self, words: dict[str, Word], pairs: dict[tuple[str, str], int], stemmer: Stemmer
    ) -> None:
        self.words, self.stemmer = words, stemmer
        self._pairs = pairs
        self.total = max(sum(word.titles for word in words.values()), 1)

    @classmethod
    def learn(
        cls,
        titles: Iterable[str],
        queries: Iterable[str],
        texts: Iterable[str] = (),
        *,
        stemmer: Stemmer,
    ) -> Vocabulary:
        """Count words and neighbours.

        Args:
            titles: of the shop.
            queries: distinct training queries.
            texts: other texts of its items, whose neighbours do not count.
            stemmer: brings the forms of a word together.
        """
        forms: dict[str, Counter[str]] = {}
        counts: tuple[Counter[str], ...] = (Counter(), Counter(), Counter())
        pairs: Counter[tuple[str, str]] = Counter()
        for source, count in zip((titles, queries, texts), counts, strict=True):
            new: dict[str, Counter[str]] = {}
            for text in source:
                written = normalize(text).split()
                stems = [stem(word, stemmer) for word in written]
                count.update(set(stems))
                if source is not texts:
                    pairs.update(set(pairwise(stems)))
                for word, form in zip(stems, written, strict=True):
                    new.setdefault(word, Counter())[form] += 1
            forms = new | forms  # those of titles stay
        words = {
            word: Word(_most_written(written), *(count[word] for count in counts))
            for word, written in forms.items()
        }
        # What stands once side by side says nothing, and is most of all pairs.
        return cls(words, {pair: n for pair, n in pairs.items() if n > 1}, stemmer)

    @classmethod
    def load(cls, artifact: Artifact, *, stemmer: Stemmer) -> Vocabulary:
        """Read what `save` wrote into an artifact."""
        words = pl.read_parquet(artifact.file(_WORDS))
        pairs = pl.read_parquet(artifact.file(_PAIRS))
        stems = words["stem"].to_list()
        return cls(
            {row[0]: Word(*row[1:]) for row in words.iter_rows()},
            {(stems[first], stems[second]): n for first, second, n in pairs.iter_rows()},
            stemmer,
        )

    def save(self, folder: Path) -> None:
        """Write into an existing folder."""
        number = self.number
        rows = [(word, *told) for word, told in self.words.items()]
        counts = dict.fromkeys(("titles", "queries", "texts"), pl.Int32)
        schema = {"stem": pl.String, "form": pl.String, **counts}
        pl.DataFrame(rows, schema=schema, orient="row").write_parquet(folder / _WORDS)
        pairs = [(number[first], number[second], n) for (first, second), n in self._pairs.items()]
        schema = {"first": pl.Int32, "second": pl.Int32, "count": pl.Int32}
        pl.DataFrame(pairs, schema=schema, orient="row").write_parquet(folder / _PAIRS)

    def with_items(self, titles: Sequence[str], texts: Iterable[str] = ()) -> Vocabulary:
        """The same with the words of more titles, and of more other texts."""
        more = Vocabulary.learn(titles, (), texts, stemmer=self.stemmer)
        words = dict(self.words)
        for word, told in more.words.items():
            known = words.get(word, Word(told.form, 0, 0))
            words[word] = known._replace(
                titles=known.titles + told.titles, texts=known.texts + told.texts
            )
        return Vocabulary(words, self._pairs, self.stemmer)

    @cached_property
    def number(self) -> dict[str, int]:
        """Place of each stem."""
        return {word: place for place, word in enumerate(self.words)}

    def pair(self, first: str, second: str) -> int:
        """How often two stems stand side by side; 0 for once."""
        return self._pairs.get((first, second), 0)

    def stem(self, word: str) -> str:
        """What a normalized word is told apart by."""
        return stem(word, self.stemmer)


def _most_written(forms: Counter[str]) -> str:
    """The most frequent form; of equally frequent ones the first in the alphabet."""
    return min(forms, key=lambda form: (-forms[form], form))
