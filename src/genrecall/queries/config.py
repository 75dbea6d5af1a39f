"""Settings of how queries are read."""

from __future__ import annotations

from typing import Literal

from genrecall.foundation.settings import InputFile, Section


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

    dictionary: InputFile | None = None
    """Words of the language, one a line, such as `/usr/share/dict/words` or a `.dic` file of
    Hunspell, of which the base forms are read. One that the shop does not have (`sofa`, where only
    `soda` is sold) is then corrected only where a slip is much likelier."""

    synonyms: InputFile | None = None
    """Words that mean the same, as OpenSearch and Solr write them: a line `couch, sofa` reads each
    of them as both; `telly => television` replaces."""
