"""What stage `queries` has made, ready to use."""

from __future__ import annotations

from typing import Final

from genrecall.foundation.artifact import Artifact
from genrecall.queries.reader import QueryReader
from genrecall.queries.spelling import Speller
from genrecall.queries.synonyms import Synonyms
from genrecall.queries.vocabulary import Vocabulary

KIND: Final = "queries"
SETTINGS: Final = "queries.json"
SYNONYMS: Final = "synonyms.txt"


def load_reader(artifact: Artifact) -> QueryReader:
    """Read what the stage wrote.

    Args:
        artifact: of the stage, or that part of a bundle.
    """
    settings = artifact.read_json(SETTINGS)
    stemmer, speller, synonyms = settings["stemmer"], None, None
    if settings["spelling"]:
        speller = Speller(Vocabulary.load(artifact, stemmer=stemmer))
    if SYNONYMS in artifact.files:
        synonyms = Synonyms.load(artifact.file(SYNONYMS), stemmer=stemmer)
    return QueryReader(speller, synonyms)
