"""The benchmark of decoding with a language model: what it measures, and that all do the same."""

import json

import pytest
import torch

from benchmarks import ctranslated
from benchmarks.lm_decoding import _parser, drawn_generator, drawn_prompts, main

SMALL = {"layers": 2, "width": 32, "heads": 2, "vocabulary": 512, "sids": 200}
ASKED = {"prompt": 9, "beam": 5, "queries": 2, "batch": 3}


def test_ways_are_compared_in_one_run(tmp_path, capsys):
    file = tmp_path / "lm.json"
    options = [f"--{name}={value}" for name, value in (SMALL | ASKED).items()]
    main([*options, "--json", str(file)])
    found = json.loads(file.read_text("utf-8"))
    assert found["settings"] == {**SMALL, **ASKED, "sharpness": 1.0, "seed": 0}
    ours = {"engine", "engine, int8", "reference"}
    if ctranslated.is_installed():
        ours |= {f"CTranslate2, {name}, no trie" for name in ctranslated.COMPUTED}
    batches = {f"{name}, batches" for name in ours}
    assert set(found["ways"]) == {"generate"} | ours | batches
    for name, way in found["ways"].items():
        assert way["at_once"] == (3 if name in batches else 1)
        assert 0 < way["ms"] <= way["median"]
        assert way["below"] == pytest.approx(found["ways"]["generate"]["ms"] / way["ms"])
    assert found["ways"]["engine"]["same"] == found["ways"]["engine, batches"]["same"] == 1
    assert found["machine"]["arithmetic_ms"] > 0
    printed = capsys.readouterr().out
    assert printed.startswith("layers 2, width 32, heads 2, vocabulary 512, sids 200, prompt 9")
    assert "| engine |" in printed
    assert (ctranslated.MISSING in printed) is not ctranslated.is_installed()


@pytest.mark.skipif(not ctranslated.is_installed(), reason="ctranslate2 is not installed")
def test_ctranslate2_computes_the_same_model():
    given = _parser().parse_args([f"--{name}={value}" for name, value in (SMALL | ASKED).items()])
    generator = drawn_generator(given)
    prompts = drawn_prompts(2, given.prompt)
    read = generator.read(prompts).state.tokens
    with ctranslated.searches(generator, beam=5) as searches:
        found = searches["fp32"](prompts)
    for tokens, of_prompt in zip(read, found, strict=True):
        chosen = [int(token) for token in of_prompt.sequences[0]]
        ids = torch.tensor([[*tokens, *chosen]])
        with torch.inference_mode():
            logprob = generator.lm.causal(ids).logits[0].log_softmax(-1)
        scores = logprob[len(tokens) - 1 : -1].gather(1, torch.tensor(chosen)[:, None])
        assert scores.sum().item() == pytest.approx(of_prompt.scores[0], abs=0.01)
