"""What the commands say where something is wrong."""

from command import main_code
from tiny_shop import searches, write_jsonl, write_shop

from genrecall.foundation.artifact import MANIFEST


def test_no_bundle_is_no_traceback(error, tmp_path):
    assert "is not a GenRecall bundle: it has no manifest.json" in error(
        "recall", tmp_path, "drill"
    )
    assert "is not a GenRecall bundle" in error("evaluate", tmp_path)


def test_a_flipped_byte_anywhere_in_a_bundle_is_named(tmp_path, error):
    config = write_shop(tmp_path)
    assert main_code(["run", config, "--out", tmp_path / "run"]) == 0
    bundle = tmp_path / "run/bundle"
    for path in sorted(path for path in bundle.resolve().rglob("*") if path.is_file()):
        before = path.read_bytes()
        middle = len(before) // 2
        path.write_bytes(before[:middle] + bytes([before[middle] ^ 1]) + before[middle + 1 :])
        message = error("recall", bundle, "drill")
        assert str(path) in message
        assert "Restore it from a copy or run the pipeline again" in message
        path.write_bytes(before)
    assert main_code(["recall", bundle, "drill"]) == 0
    (bundle / MANIFEST).unlink()
    assert "has no manifest.json" in error("recall", bundle, "drill")


def test_a_broken_config_is_explained(tmp_path, error):
    assert "c.yaml cannot be read" in error("run", tmp_path / "c.yaml")
    broken = tmp_path / "c.yaml"
    broken.write_text("data:\n  items: [", "utf-8")
    assert "c.yaml is not valid YAML: line 2, column 11" in error("run", broken)
    broken.write_text("data:\n  items: {file: i.csv}\nembedd: {}\n", "utf-8")
    assert "embedd: unknown setting 'embedd'" in error("validate", broken)


def test_unknown_stages_are_refused(finished, error):
    config = finished / "shop.yaml"
    assert "unknown stage 'embd'" in error("run", config, "--from", "embd")
    assert "unknown stage 'all'" in error("run", config, "--to", "all")
    assert "--from evaluate comes after --to data" in error(
        "run", config, "--from", "evaluate", "--to", "data"
    )


def refused(error, tmp_path, **changes):
    """The message of a run that cannot start; nothing half-made is left."""
    config = write_shop(tmp_path, **changes)
    message = error("run", config, "--out", tmp_path / "run")
    assert not (tmp_path / "run/bundle").exists()
    return message


def test_unknown_column(tmp_path, error):
    data = {"items": {"file": "items.jsonl", "columns": {"title": "titel"}}}
    message = refused(error, tmp_path, data=data)
    assert "titel" in message and "title" in message and "items.jsonl" in message
    data = {"items": {"file": "items.jsonl", "columns": {"colour": "x"}}}
    assert "colour" in refused(error, tmp_path, data=data)


def test_missing_table(tmp_path, error):
    message = refused(error, tmp_path, data={"items": {"file": "nothing.jsonl"}})
    assert "nothing.jsonl does not exist. Correct `items: file` in the config." in message


def test_empty_catalog(tmp_path, error):
    empty = write_jsonl(tmp_path / "empty.jsonl", [])
    message = refused(error, tmp_path, data={"items": {"file": str(empty)}})
    assert message == (
        f"{empty} holds no usable row of `items` (0 rows in all). Give a file with at least one "
        "row."
    )


def test_unreadable_rows_beyond_the_limit(tmp_path, error):
    rows = [{"item_id": f"i{number}", "title": "" if number < 21 else "x"} for number in range(100)]
    bad = write_jsonl(tmp_path / "bad.jsonl", rows)
    message = refused(error, tmp_path, data={"items": {"file": str(bad)}})
    assert message == (
        f"{bad}: 21 of 100 rows of `items` cannot be used; max_rejects allows 20%. "
        "The first causes:\n"
        "  line 1: title is empty  (21 such rows)\n"
        "Correct the file or its `columns`, or raise `max_rejects`."
    )


def test_log_without_clicks(tmp_path, error):
    lonely = [search | {"clicks": [], "purchases": []} for search in searches()]
    path = write_jsonl(tmp_path / "lonely.jsonl", lonely)
    message = refused(error, tmp_path, data={"searches": {"file": str(path)}})
    assert "300 searches without a single click or purchase" in message


def test_more_categories_than_codes(tmp_path, error):
    message = refused(error, tmp_path, settings={"quantize": {"min_items": 1, "max_categories": 3}})
    assert message == (
        "6 categories have at least min_items=1 items, but level 1 may hold max_categories=3. "
        "Raise quantize.min_items (about 21 fits), raise quantize.max_categories to 6, or limit "
        "quantize.depth (paths are up to 2 steps deep)."
    )


def test_a_folder_that_cannot_be_written_is_no_traceback(finished, error, tmp_path):
    (tmp_path / "file").write_text("", "utf-8")
    message = error("run", finished / "shop.yaml", "--out", tmp_path / "file/run")
    assert message == f"{tmp_path / 'file/run'}: Not a directory"
