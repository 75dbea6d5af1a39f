"""What stages train with where the settings do not say it."""

import pytest
from pydantic import ValidationError

from genrecall.generator.config import GeneratorConfig, StageConfig
from genrecall.generator.lm.config import BY_SIZE, PRETRAINED, SHAPES
from genrecall.generator.load import STAGES


def trained(**settings):
    """Steps, batch and learning rate of each stage."""
    config = GeneratorConfig(**settings)
    stages = [getattr(config, name) for name in STAGES]
    return [(stage.steps, stage.batch, stage.learning_rate) for stage in stages]


def test_a_compact_model_takes_large_batches_and_less_in_stage_3():
    assert trained() == [(200, 1024, 1.5e-3), (2000, 1024, 1.5e-3), (2000, 512, 5e-4)]
    config = GeneratorConfig()
    assert [getattr(config, name).embedding_learning_rate for name in STAGES] == [8e-3, 8e-3, 1e-3]


@pytest.mark.parametrize("size", SHAPES)
def test_a_language_model_from_scratch_is_trained_by_its_size(size):
    usual = tuple(BY_SIZE[size])
    assert trained(family="lm", lm={"size": size}) == [
        (steps, *usual) for steps in (200, 2000, 2000)
    ]


def test_a_pretrained_model_is_trained_as_the_paper_does():
    assert tuple(PRETRAINED) == STAGES
    assert trained(family="lm", lm={"pretrained": "some/model"}) == [
        (200, 128, 1e-4),
        (2000, 256, 4e-5),
        (2000, 64, 4e-5),
    ]


@pytest.mark.parametrize("family", ["compact", "lm"])
@pytest.mark.parametrize("name", STAGES)
def test_what_is_set_stays_and_the_rest_suits(family, name):
    usual = getattr(GeneratorConfig(family=family), name)
    for given in ({"steps": 7, "batch": 1024}, StageConfig(steps=7, batch=1024)):
        stage = getattr(GeneratorConfig(family=family, **{name: given}), name)
        assert (stage.steps, stage.batch) == (7, 1024)
        assert stage == usual.model_copy(update={"steps": 7, "batch": 1024})


def test_a_stage_of_another_family_takes_what_suits_it():
    given = {"query_to_sid": {"steps": 5, "learning_rate": 3e-4}}
    lm = GeneratorConfig(family="lm", **given)
    again = GeneratorConfig.model_validate(dict(lm) | {"family": "compact"})
    assert again == GeneratorConfig(**given)


def test_a_config_that_was_written_down_says_everything():
    config = GeneratorConfig(family="lm", lm={"size": "large"})
    values = config.model_dump(mode="json")
    assert values["query_to_sid"]["batch"] == 1024
    assert GeneratorConfig.model_validate(values) == config


def test_only_the_setting_that_is_wrong_is_named():
    with pytest.raises(ValidationError) as error:
        GeneratorConfig(family="llm", query_to_sid={"steps": 5})
    assert [told["loc"] for told in error.value.errors()] == [("family",)]
    with pytest.raises(ValidationError) as error:
        GeneratorConfig(query_to_sid={"steps": 5, "batch": 0})
    assert [told["loc"] for told in error.value.errors()] == [("query_to_sid", "batch")]


def rate(**settings):
    return GeneratorConfig(**settings).align.learning_rate


def test_a_language_model_is_aligned_at_a_tenth_of_the_rate_of_stage_3():
    assert rate() == 2e-4
    assert rate(family="lm") == pytest.approx(2e-4)
    assert rate(family="lm", lm={"pretrained": "some/model"}) == pytest.approx(4e-6)
    given = {"align": {"steps": 5, "learning_rate": 1e-6}}
    assert rate(family="lm", **given) == 1e-6
    config = GeneratorConfig(family="lm", align={"steps": 5, "controls": ["grpo_k0"]})
    assert config.align.steps == 5
    assert config.align.arm("grpo_k0").learning_rate == pytest.approx(2e-4)
    assert GeneratorConfig.model_validate(config.model_dump(exclude_unset=True)) == config


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"experts": 0, "controls": ["experts_only"]}, "controls: experts_only cannot be trained"),
        ({"group": 4, "controls": ["eg_grpo_k4"]}, "controls: eg_grpo_k4 cannot be .*no place for"),
        ({"controls": ["eg_grpo_k2"]}, "eg_grpo_k2 would be trained twice"),
        ({"rewards": {"gmv": 0.5, "url": "http://x"}}, "gmv is part of the ladder"),
    ],
)
def test_an_alignment_that_cannot_be_trained_is_refused(settings, told):
    with pytest.raises(ValidationError, match=told):
        GeneratorConfig(align=settings)
