"""Where results go, and what a terminal is shown."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import yaml
from command import main_code
from tiny_shop import items, write_jsonl, write_shop

COMMAND = "import sys; from genrecall.cli.app import main; main(sys.argv[1:])"


def call(*arguments, stdout=subprocess.PIPE, **environment):
    return subprocess.run(
        [sys.executable, "-c", COMMAND, *map(str, arguments)],
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=os.environ | environment,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("path", ["-", "/dev/stdout"])
def test_standard_output_takes_the_result_and_nothing_else(finished, path):
    done = call("validate", finished / "shop.yaml", "--json", path)
    assert done.returncode == 0
    assert json.loads(done.stdout)["tables"]["items"]["kept"] == 120
    assert b"next: genrecall run" in done.stderr
    assert b"wrote" not in done.stderr


def test_standard_output_may_be_a_file(finished, tmp_path):
    with (tmp_path / "out.json").open("wb") as out:
        done = call("validate", finished / "shop.yaml", "--json", "/dev/stdout", stdout=out)
    assert done.returncode == 0
    assert json.loads((tmp_path / "out.json").read_text("utf-8"))["tables"]["items"]["kept"] == 120


def test_every_result_can_go_there(bundle, tmp_path, capfd):
    queries = tmp_path / "queries.txt"
    queries.write_text("red drill\nlamp\n", "utf-8")
    assert main_code(["recall", bundle, "--queries", queries, "--run", "-", "-k", "3"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["1"] * 3 + ["2"] * 3
    assert main_code(["evaluate", bundle, "--report", "-"]) == 0
    printed = capfd.readouterr()
    assert printed.out.startswith("<!DOCTYPE html>")
    assert "95 % interval" in printed.err


@pytest.mark.parametrize("path", ["-", "/dev/stdout"])
def test_a_config_can_go_there(tmp_path, path):
    write_jsonl(tmp_path / "items.jsonl", items())
    done = call("init", "--items", tmp_path / "items.jsonl", "--out", path)
    assert done.returncode == 0
    assert yaml.safe_load(done.stdout)["data"]["items"]["file"].endswith("items.jsonl")
    assert b"wrote" not in done.stderr
    assert b"next:" not in done.stderr


def test_two_results_are_not_mixed(bundle, capsys):
    assert main_code(["evaluate", bundle, "--report", "-", "--json", "-"]) == 2
    assert "standard output takes one result" in " ".join(capsys.readouterr().err.split())


def test_what_is_no_file_is_written_to_and_stays(finished, tmp_path):
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text("utf-8")))
    reader.start()
    assert main_code(["validate", finished / "shop.yaml", "--json", pipe]) == 0
    reader.join(timeout=30)
    assert json.loads(read[0])["tables"]["items"]["kept"] == 120
    assert pipe.is_fifo()
    assert main_code(["validate", finished / "shop.yaml", "--json", "/dev/null"]) == 0
    assert Path("/dev/null").is_char_device()


def test_a_link_stays_and_what_it_points_to_is_replaced(finished, tmp_path):
    (tmp_path / "results").mkdir()
    target, link = tmp_path / "results/real.json", tmp_path / "link.json"
    target.write_text("old", "utf-8")
    link.symlink_to(target)
    assert main_code(["validate", finished / "shop.yaml", "--json", link]) == 0
    assert link.is_symlink()
    assert json.loads(target.read_text("utf-8"))["tables"]["items"]["kept"] == 120


@pytest.mark.parametrize("option", ["--json", "--report"])
def test_a_folder_is_no_place_for_a_result(bundle, option, capsys):
    assert main_code(["evaluate", bundle, option, "/"]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert f"Invalid value for '{option}': file '/' is a directory." in told


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_where_there_is_no_room_is_told(finished, error):
    told = error("validate", finished / "shop.yaml", "--json", "/dev/full")
    assert told == "/dev/full: No space left on device"


def test_a_failed_command_leaves_the_result_of_before(bundle, tmp_path, error):
    page = tmp_path / "page.html"
    page.write_text("of before", "utf-8")
    assert "unknown split 'all'" in error("evaluate", bundle, "--split", "all", "--report", page)
    assert page.read_text("utf-8") == "of before"
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_what_a_terminal_cannot_hold_is_shown_as_escapes(bundle, tmp_path, encoding):
    out = tmp_path / "answer.json"
    done = call(
        "recall",
        bundle,
        b"red \xff\xc3\xa9 drill".decode("utf-8", "surrogateescape"),
        "--json",
        out,
        PYTHONIOENCODING=encoding,
    )
    assert done.returncode == 0, done.stderr
    assert rb"\udcff" in done.stdout
    assert json.loads(out.read_text("utf-8"))["query"] == "red \udcff\u00e9 drill"


def test_nothing_of_a_table_steers_the_terminal(tmp_path, genrecall):
    config = write_shop(tmp_path)
    rows = [row | {"title": f"\x1b]0;owned\x07{row['title']} \x9b31m\u202e"} for row in items()]
    write_jsonl(tmp_path / "items.jsonl", rows)
    printed = genrecall("run", config, "--out", tmp_path / "run")
    printed += genrecall("recall", tmp_path / "run/bundle", "red drill", "--explain")
    assert r"\x1b]0;owned\x07" in printed
    assert not set("\x1b\x07\x9b\u202e") & set(printed)


def test_a_reader_that_has_read_enough_is_no_error(bundle):
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "recall", bundle, "drill", "-k", "100"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    process.stdout.close()
    _, told = process.communicate(timeout=120)
    assert told == b""
