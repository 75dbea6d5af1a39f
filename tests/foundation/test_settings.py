"""Every section of the config keeps the promises of `Section`."""

from pathlib import PurePath
from typing import get_args

import pytest
from field_docs import field_docs
from pydantic import BaseModel, ValidationError

from genrecall.config import Config
from genrecall.foundation.settings import PathKind, Section
from genrecall.shop.config import ShopConfig


class Rates(Section):
    """A section to try."""

    rate: float = 0.5
    """Per step."""


def sections(section):
    """A section and all that it holds, once each."""
    found = {section}
    for field in section.model_fields.values():
        for inner in get_args(field.annotation) or (field.annotation,):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                found |= sections(inner)
    return found


every_section = pytest.mark.parametrize(
    "section",
    sorted(sections(Config) | sections(ShopConfig), key=lambda section: section.__name__),
    ids=lambda section: section.__name__,
)


@every_section
def test_every_field_and_section_says_what_it_does(section):
    assert issubclass(section, Section)
    assert section.__doc__
    assert section.model_fields.keys() - field_docs(section).keys() == set()


@every_section
def test_unknown_settings_are_refused(section):
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        section.model_validate({"no_such_setting": 1})


def parts(annotation):
    """All that an annotation is put together of."""
    yield annotation
    for inner in get_args(annotation):
        yield from parts(inner)


def test_every_path_of_the_config_has_a_kind():
    kinds = {}
    for section in sections(Config) | sections(ShopConfig):
        for name, field in section.model_fields.items():
            written = [*parts(field.annotation), *field.metadata]
            if any(isinstance(part, type) and issubclass(part, PurePath) for part in written):
                found = [part for part in written if isinstance(part, PathKind)]
                kinds[f"{section.__name__}.{name}"] = len(found)
    assert kinds == {
        "TableSource.file": 1,
        "SequenceSource.file": 1,
        "QuantizeConfig.warm_start": 1,
        "QueriesConfig.dictionary": 1,
        "QueriesConfig.synonyms": 1,
        "DistillConfig.teacher": 1,
    }


def test_settings_cannot_change_after_they_were_checked():
    rates = Rates(rate=0.25)
    with pytest.raises(ValidationError, match="frozen"):
        rates.rate = 0.1
