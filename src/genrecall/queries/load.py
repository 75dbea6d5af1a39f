"""What stage `queries` has made, ready to use."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Final, NamedTuple

import polars as pl

from genrecall.data.texts import TEXT_FIELDS, TITLE, field_texts, longer_texts, names_beside
from genrecall.foundation.artifact import Artifact
from genrecall.queries.field_words import FieldWords
from genrecall.queries.reader import QueryReader
from genrecall.queries.sorted_lines import SortedLines
from genrecall.queries.spelling import Speller
from genrecall.queries.synonyms import Synonyms
from genrecall.queries.vocabulary import Vocabulary

KIND: Final = "queries"
SETTINGS: Final = "queries.json"
SYNONYMS: Final = "synonyms.txt"
DICTIONARY: Final = "dictionary.txt"


class KnownWords(NamedTuple):
    """What is known of words.

    Attributes:
        vocabulary: all words.
        fields: which of them stand where, by the field of an item; the title is first.
        weights: what the words of each field count.
        reader: reads queries.
    """

    vocabulary: Vocabulary
    fields: Mapping[str, FieldWords]
    weights: Mapping[str, float]
    reader: QueryReader

    def with_items(self, items: pl.DataFrame) -> KnownWords:
        """The same with more items, columns of `ITEMS`."""
        texts = {name: field_texts(items, name) for name in self.fields}
        vocabulary = self.vocabulary.with_items(
            texts[TITLE], longer_texts(texts), names_beside(texts)
        )
        fields = {
            name: words.with_texts(texts[name], vocabulary) for name, words in self.fields.items()
        }
        return KnownWords(vocabulary, fields, self.weights, self.reader.over(vocabulary))


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
        language: Container[str] = ()
        if DICTIONARY in artifact.files:
            language = SortedLines.load(artifact.file(DICTIONARY))
        speller = Speller(vocabulary, synonyms.words if synonyms else (), language)
    reader = QueryReader(speller, synonyms)
    weights = {name: settings["fields"][name] for name in TEXT_FIELDS if name in settings["fields"]}
    fields = {name: FieldWords.load(artifact, name, vocabulary) for name in weights}
    return KnownWords(vocabulary, fields, weights, reader)
