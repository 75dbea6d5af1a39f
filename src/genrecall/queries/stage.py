"""Stage `queries`: what is known of words before any query is read."""

from __future__ import annotations

import shutil

from genrecall.data.shop_data import ShopData
from genrecall.foundation.artifact import Artifact, open_artifact, writing
from genrecall.foundation.files import write_json
from genrecall.foundation.work import Work
from genrecall.queries.config import QueriesConfig
from genrecall.queries.dictionary import read_dictionary
from genrecall.queries.load import DICTIONARY, KIND, SETTINGS, SYNONYMS
from genrecall.queries.synonyms import Synonyms
from genrecall.queries.title_words import TitleWords
from genrecall.queries.vocabulary import Vocabulary
from genrecall.text.normalize import Stemmer


def run(config: QueriesConfig, data: ShopData, work: Work, *, stemmer: Stemmer) -> Artifact:
    """Count the shop's words and find them in its titles, and keep its synonyms.

    Args:
        config: what is done with queries.
        data: all titles, and the training queries.
        work: where to write and to report.
        stemmer: brings the forms of a word together.

    Raises:
        ConfigError: synonyms or dictionary cannot be read.
    """
    with writing(work.out, kind=KIND, inputs=work.inputs) as folder:
        write_json(folder / SETTINGS, {"spelling": config.spelling, "stemmer": stemmer})
        learned = Vocabulary.learn(data.catalog.titles, data.queries, stemmer=stemmer)
        learned.save(folder)
        TitleWords.of(data.catalog.titles, learned).save(folder)
        work.log.say(f"  {len(learned.words):,} words of titles and training queries")
        # Both are read once here, so that what is wrong in them is told now.
        if config.synonyms is not None:
            Synonyms.load(config.synonyms, stemmer=stemmer)
            shutil.copyfile(config.synonyms, folder / SYNONYMS)
        if config.dictionary is not None:
            words = read_dictionary(config.dictionary, stemmer)
            shutil.copyfile(config.dictionary, folder / DICTIONARY)
            work.log.say(f"  {len(words):,} words of the dictionary")
    return open_artifact(work.out, kind=KIND)
