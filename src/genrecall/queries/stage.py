"""Stage `queries`: what is known of words before any query is read."""

from __future__ import annotations

from genrecall.data.shop_data import ShopData
from genrecall.foundation.artifact import Artifact, open_artifact, writing
from genrecall.foundation.files import write_json
from genrecall.foundation.work import Work
from genrecall.queries.config import QueriesConfig
from genrecall.queries.load import KIND, SETTINGS, SYNONYMS
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
        ConfigError: the synonyms cannot be read.
    """
    with writing(work.out, kind=KIND, inputs=work.inputs) as folder:
        write_json(folder / SETTINGS, {"spelling": config.spelling, "stemmer": stemmer})
        learned = Vocabulary.learn(data.catalog.titles, data.queries, stemmer=stemmer)
        learned.save(folder)
        TitleWords.of(data.catalog.titles, learned).save(folder)
        work.log.say(f"  {len(learned.words):,} words of titles and training queries")
        if config.synonyms is not None:
            Synonyms.load(config.synonyms, stemmer=stemmer)  # so that a wrong rule is told now
            (folder / SYNONYMS).write_bytes(config.synonyms.read_bytes())
    return open_artifact(work.out, kind=KIND)
