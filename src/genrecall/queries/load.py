"""What stage `queries` has made, ready to use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from genrecall.foundation.artifact import Artifact
from genrecall.queries.dictionary import read_dictionary
from genrecall.queries.reader import QueryReader
from genrecall.queries.spelling import Speller
from genrecall.queries.synonyms import Synonyms
from genrecall.queries.title_words import TitleWords
from genrecall.queries.vocabulary import Vocabulary

KIND: Final = "queries"
SETTINGS: Final = "queries.json"
SYNONYMS: Final = "synonyms.txt"
DICTIONARY: Final = "dictionary.txt"


class KnownWords(NamedTuple):
    """What is known of words.

    Attributes:
        vocabulary: all words.
        titles: which of them stand in which title.
        reader: reads queries.
    """

    vocabulary: Vocabulary
    titles: TitleWords
    reader: QueryReader

    def with_titles(self, titles: Sequence[str]) -> KnownWords:
        """The same with the titles of more items."""
        vocabulary = self.vocabulary.with_titles(titles)
        words = self.titles.with_titles(titles, vocabulary)
        return KnownWords(vocabulary, words, self.reader.over(vocabulary))


def load_words(artifact: Artifact) -> KnownWords:
    """Read what the stage wrote.

    Args:
        artifact: of the stage, or that part of a bundle.
    """
    settings = artifact.read_json(SETTINGS)
    stemmer, synonyms, speller = settings["stemmer"], None, None
    vocabulary = Vocabulary.load(artifact, stemmer=stemmer)
    if SYNONYMS in artifact.files:
        synonyms = Synonyms.load(artifact.file(SYNONYMS), stemmer=stemmer)
    if settings["spelling"]:
        language: frozenset[str] = frozenset()
        if DICTIONARY in artifact.files:
            language = read_dictionary(artifact.file(DICTIONARY), stemmer)
        speller = Speller(vocabulary, synonyms.words if synonyms else (), language)
    reader = QueryReader(speller, synonyms)
    return KnownWords(vocabulary, TitleWords.load(artifact, vocabulary), reader)
