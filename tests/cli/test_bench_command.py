import json


def test_the_command_prints_and_writes(bundle, genrecall, tmp_path):
    out = tmp_path / "decode.json"
    words = ("bench", "decode", bundle, "--queries", 4, "--beams", "2,5", "-k", 7)
    told = genrecall(*words, "--json", out)
    assert "index: exact search" in told
    found = json.loads(out.read_text("utf-8"))
    assert found["settings"]["queries"] == 4
    assert {pace["width"] for pace in found["paces"] if pace["step"] == "search"} == {2, 5}


def test_widths_that_are_no_numbers_are_refused(bundle, error):
    told = error("bench", "decode", bundle, "--beams", "5,wide")
    assert "give whole numbers, as 50,100" in told
