"""Stage `queries`: what is known of words before any query is read."""

from __future__ import annotations

import shutil

from genrecall.data.shop_data import ShopData
from genrecall.data.texts import TITLE, field_texts, longer_texts, names_beside
from genrecall.foundation.artifact import Artifact, open_artifact, writing
from genrecall.foundation.files import write_json, write_text
from genrecall.foundation.work import Work
from genrecall.queries.config import QueriesConfig
from genrecall.queries.dictionary import language_words, read_dictionary
from genrecall.queries.field_words import FieldWords
from genrecall.queries.load import DICTIONARY, KIND, SETTINGS, SYNONYMS
from genrecall.queries.synonyms import Synonyms
from genrecall.queries.training.field_weights import fit_field_weights
from genrecall.queries.vocabulary import Vocabulary
from genrecall.text.normalize import Stemmer


def run(config: QueriesConfig, data: ShopData, work: Work, *, stemmer: Stemmer) -> Artifact:
    """Count the shop's words and find them in its items, and keep its synonyms.

    Args:
        config: what is done with queries.
        data: all titles and texts of items, and the training searches.
        work: where to write and to report.
        stemmer: brings the forms of a word together.

    Raises:
        ConfigError: synonyms or dictionary cannot be read.
    """
    log = work.log
    texts = {name: field_texts(data.catalog.frame, name) for name in (TITLE, *config.fields)}
    texts = {name: of for name, of in texts.items() if name == TITLE or any(of)}
    learned = Vocabulary.learn(
        texts[TITLE], data.queries, longer_texts(texts), names_beside(texts), stemmer=stemmer
    )
    log.say(f"  {len(learned.words):,} words of {', '.join(texts)} and training queries")
    fields = {name: FieldWords.of(of, learned) for name, of in texts.items()}
    weights = fit_field_weights(fields, data.searches.of("train"))
    if len(fields) > 1:
        told = (f"{weights[name]:.2f} in {name}" for name in fields)
        log.say(f"  words count {', '.join(told)}")
    with writing(work.out, kind=KIND, inputs=work.inputs) as folder:
        settings = {"spelling": config.spelling, "stemmer": stemmer, "fields": weights}
        write_json(folder / SETTINGS, settings)
        learned.save(folder)
        for name in weights:
            fields[name].save(folder, name)
        # Both are read once here, so that what is wrong in them is told now.
        if config.synonyms is not None:
            Synonyms.load(config.synonyms, stemmer=stemmer)
            shutil.copyfile(config.synonyms, folder / SYNONYMS)
        if config.spelling and (words := _of_the_language(config, stemmer)):
            write_text(folder / DICTIONARY, "\n".join(sorted(words)))
            log.say(f"  {len(words):,} words of the language")
    return open_artifact(work.out, kind=KIND)


def _of_the_language(config: QueriesConfig, stemmer: Stemmer) -> frozenset[str]:
    words = frozenset[str]()
    if config.language is not None:
        words |= language_words(config.language, stemmer)
    if config.dictionary is not None:
        words |= read_dictionary(config.dictionary, stemmer)
    return words
