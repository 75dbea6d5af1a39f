"""Settings of how queries are read."""

from __future__ import annotations

from typing import Annotated, Literal

from genrecall.foundation.settings import InputFile, Section
from genrecall.queries.dictionary import Language, LanguageKind


class QueriesConfig(Section):
    """What is done with a query in front of all channels; one whose words are known stays."""

    spelling: bool = True
    """Whether words that neither titles nor frequent queries have are corrected to such as they
    have, and compounds divided or put together: `refridgerator`, `doorknob`. Numbers, model numbers
    and words of less than four letters are left alone, as are scripts without letter case."""

    fields: tuple[Literal["brand", "attributes", "description"], ...] = (
        "brand",
        "attributes",
        "description",
    )
    """Texts of items that are read beside their titles, as far as the catalog has them; of
    attributes the values. How much their words count in BM25 and in the item order `learned` is
    fitted, on training and on validation searches. Long descriptions of a large catalog take time
    wherever BM25 is opened: leave them out by naming the others."""

    language: Annotated[Language, LanguageKind()] | None = "en"
    """Whose words are no slips, as a rule: one that the shop does not have (`sofa`, where only
    `soda` is sold) is corrected only where a slip is much likelier. Null for none."""

    dictionary: InputFile | None = None
    """Further words of the language, or those of another one, one a line, such as a `.dic` file of
    Hunspell, of which the base forms are read."""

    synonyms: InputFile | None = None
    """Words that mean the same, as OpenSearch and Solr write them: a line `couch, sofa` reads each
    of them as both; `telly => television` replaces."""
