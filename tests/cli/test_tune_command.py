import json

import yaml

from genrecall.channels.config import ChannelsConfig


def test_the_command_prints_lines_for_the_config(bundle, genrecall, tmp_path):
    out = tmp_path / "beams.json"
    told = genrecall("tune", "beams", bundle, "-k", 5, "--widths", "2,4,8", "--json", out)
    lines = told[told.index("channels:") :].partition("wrote")[0]
    beams = ChannelsConfig.model_validate(yaml.safe_load(lines)["channels"]).generative.beams
    found = json.loads(out.read_text("utf-8"))
    assert beams.widths == tuple(found["rule"]["widths"])
    assert len(found["fixed"]) == 3
    assert found["settings"]["k"] == 5


def test_what_is_no_rule_is_refused(bundle, error):
    assert "give whole numbers, as 20,50,100" in error("tune", "beams", bundle, "--widths", "a")
    assert "ascending order" in error("tune", "beams", bundle, "--widths", "9,2")
    assert "loss=2.0" in error("tune", "beams", bundle, "--loss", 2)
