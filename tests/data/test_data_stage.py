import json

import polars as pl
import pytest
from polars.exceptions import ColumnNotFoundError

from genrecall.data import stage
from genrecall.data.config import DataConfig, SplitConfig
from genrecall.data.load import load_shop, load_shoppers, load_tables
from genrecall.data.parts import digest_parts, keep_parts
from genrecall.data.shoppers import Shopper
from genrecall.data.splits import split_of_query
from genrecall.data.summary import describe
from genrecall.data.tables import CHOICES, ITEMS, SEARCHES, USERS, Catalog, Searches
from genrecall.foundation.artifact import content_hash, open_artifact
from genrecall.foundation.errors import ArtifactError, DataError
from genrecall.foundation.progress import FileLog, SilentLog
from genrecall.foundation.work import Work


@pytest.fixture
def shop(tmp_path):
    """A small shop with a log; some of its rows are bad."""
    folder = tmp_path / "shop"
    folder.mkdir()
    items = ["sku,title,category,price", *(f"i{n},lamp {n},Home > Lamps,{n}" for n in range(20))]
    items += ["i20,lamp 20,Home", "i21,lamp 21,Home > Lamps,cheap"]
    (folder / "items.csv").write_text("\n".join(items) + "\n")
    searches = [
        {"search_id": f"s{n}", "timestamp": n, "query": f"lamp {n}", "clicks": [f"i{n}"] * (n > 2)}
        for n in range(22)
    ]
    lines = [json.dumps(search) for search in searches] + ["{"]
    (folder / "searches.jsonl").write_text("\n".join(lines))
    pl.DataFrame({"user_id": ["u1"], "gender": ["F"]}).write_parquet(folder / "users.parquet")
    return folder


def config(folder, **settings):
    settings = {
        "items": {"file": folder / "items.csv", "columns": {"item_id": "sku"}},
        "searches": {"file": folder / "searches.jsonl"},
        "users": {"file": folder / "users.parquet"},
        "split": {"by": "time", "validation": 0.2, "test": 0.2},
        **settings,
    }
    return DataConfig(**settings)


def read(config, out, log=None):
    """Run the stage as the pipeline does."""
    inputs = content_hash(config.content())
    return stage.run(config, Work(out, inputs=inputs, seed=0, log=log or SilentLog()))


def digests(filters, **changed):
    """Hashes of the parts of a shop whose log filters so."""
    catalog = Catalog(pl.DataFrame({"item_id": ["1"], "title": ["Saw"]} | changed)).completed()
    log = pl.DataFrame({"query": ["saw"], "split": ["train"], "filters": [filters]})
    searches, nothing = Searches(log).completed().frame, pl.DataFrame()
    return digest_parts(catalog.frame, searches, users=nothing, further=nothing)


@pytest.mark.parametrize(
    ("filters", "changed", "differs"),
    [
        (None, {"available": [False]}, False),
        (None, {"price": [5.0]}, False),
        ('{"price": {"lte": 9}}', {"available": [False]}, False),
        ('{"price": {"lte": 9}}', {"price": [5.0]}, True),
        ('{"available": true}', {"available": [False]}, True),
        ('{"brand": "Acme"}', {"attributes": [[{"key": "color", "value": ["red"]}]]}, False),
        ('{"color": "red"}', {"attributes": [[{"key": "color", "value": ["red"]}]]}, True),
    ],
)
def test_of_the_items_only_what_searches_filter_by_is_part_of_the_fields(filters, changed, differs):
    assert (digests(filters)["fields"] != digests(filters, **changed)["fields"]) == differs


def test_the_stage_writes_what_it_loads(shop, tmp_path):
    artifact = read(config(shop), tmp_path / "data")
    catalog, searches = load_tables(artifact)
    assert catalog.frame.schema == pl.Schema(ITEMS)
    assert len(catalog) == 20
    assert catalog.categories[0] == ("Home", "Lamps")
    assert searches.frame.schema == pl.Schema(SEARCHES)
    assert len(searches) == 22
    assert len(searches.of("train")) == 11
    users = pl.read_parquet(artifact.file("users.parquet"))
    assert users.schema == pl.Schema(USERS)
    assert load_tables(open_artifact(artifact.path, kind="data"))[0].item_ids == catalog.item_ids


def test_the_summary_counts_everything(shop, tmp_path):
    artifact = read(config(shop), tmp_path / "data")
    summary = artifact.read_json("summary.json")
    assert summary["tables"]["items"] == {
        "rows": 22,
        "kept": 20,
        "rejected": 2,
        "causes": {"line has the wrong number of fields": 1, "price is not a number": 1},
    }
    assert summary["searches"] == {"train": 14, "validation": 4, "test": 4}
    assert summary["without_positives"] == {"train": 3, "validation": 0, "test": 2}
    assert summary["unknown_items"] == {
        "impressions": 0, "positives": 2, "examples": ["i20", "i21"]
    }  # fmt: skip
    assert stage.validate(config(shop)) == summary


def test_rejects_are_kept_beside_the_tables(shop, tmp_path):
    artifact = read(config(shop), tmp_path / "data")
    kept = [name for name in artifact.files if name.startswith("rejects/")]
    assert kept == ["rejects/items.jsonl", "rejects/searches.jsonl"]
    lines = artifact.file("rejects/items.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"file": "items.csv", "line": 22, "cause": "line has the wrong number of fields",
         "given": "3 instead of 4", "raw": "i20,lamp 20,Home"},
        {"file": "items.csv", "line": 23, "cause": "price is not a number",
         "given": "'cheap'", "raw": "i21,lamp 21,Home > Lamps,cheap"},
    ]  # fmt: skip


def test_equal_inputs_give_equal_bytes(shop, tmp_path):
    first = read(config(shop), tmp_path / "first")
    moved = shop.rename(tmp_path / "elsewhere")
    second = read(config(moved), tmp_path / "second")
    assert (first.files, first.inputs) == (second.files, second.inputs)


def test_the_content_follows_files_and_settings(shop):
    before = config(shop).content()
    assert config(shop, max_rejects=0.3).content() != before
    with (shop / "searches.jsonl").open("a") as stream:
        stream.write("\n")
    changed = config(shop).content()
    assert [name for name in before if before[name] != changed[name]] == ["searches"]
    (shop / "users.parquet").unlink()
    with pytest.raises(DataError, match=r"does not exist. Correct `users: file`"):
        config(shop).content()


def test_a_format_counts_alike_whether_given_or_guessed(shop):
    columns = {"item_id": "sku"}
    guessed = config(shop, items={"file": shop / "items.csv", "columns": columns})
    given = config(shop, items={"file": shop / "items.csv", "columns": columns, "format": "csv"})
    assert given.content() == guessed.content()
    other = config(shop, items={"file": shop / "items.csv", "columns": columns, "format": "jsonl"})
    assert other.content() != guessed.content()


def test_a_run_says_what_it_kept_and_what_it_did_not(shop, tmp_path, capsys):
    log = FileLog(tmp_path / "log.jsonl")
    read(config(shop), tmp_path / "data", log)
    said = capsys.readouterr().err
    assert "items: 20 of 22 rows; 2 rejected: line has the wrong number of fields (1)" in said
    assert "searches: 14 train, 4 validation, 4 test; 5 of them without a relevant item" in said
    assert "not in the catalog: 2 relevant items and 0 impressions, such as i20, i21" in said
    events = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert events[-1]["event"] == "data"
    assert events[-1]["searches"]["train"] == 14


def test_a_catalog_alone_is_enough(shop, tmp_path):
    alone = config(shop, searches=None, users=None, split={})
    artifact = read(alone, tmp_path / "data")
    assert sorted(artifact.files) == [
        "items.parquet", "rejects/items.jsonl", "searches.parquet", "summary.json"
    ]  # fmt: skip
    catalog, searches = load_tables(artifact)
    assert (len(catalog), len(searches)) == (20, 0)
    assert "searches: none; everything" in "\n".join(describe(stage.validate(alone)))


def test_judgments_take_the_place_of_a_log(shop, tmp_path):
    (shop / "judged.csv").write_text("query,sku,relevance\nlamp,i1,3\nlamp,i2,1\nlight,i3,1\n")
    judged = config(
        shop,
        searches=None,
        judgments={"file": shop / "judged.csv", "columns": {"item_id": "sku"}},
        positive_from=2.5,
        split={"validation": 0.0, "test": 0.0},
    )
    _, searches = load_tables(read(judged, tmp_path / "data"))
    assert searches.queries == ["lamp", "light"]
    assert [rows.tolist() for rows in searches.positives] == [[1], []]
    said = "\n".join(describe(stage.validate(judged)))
    assert "2 train, 0 validation, 0 test; 1 of them without a relevant item" in said
    assert "no validation search has a relevant item" in said


def test_queries_beside_the_searches_are_a_part_of_their_own(shop, tmp_path):
    (shop / "queries.csv").write_text("query\nLamp 1\ndesk\nstool\ndesks\n")
    further = config(shop, unlabelled={"file": shop / "queries.csv"})
    before, after = (
        read(of, tmp_path / name) for name, of in (("without", config(shop)), ("with", further))
    )
    lonely = ["lamp 0", "lamp 1", "lamp 2"]  # of training searches in which nothing was chosen
    assert load_shop(before).unlabelled == lonely
    assert load_shop(after).unlabelled == [*lonely, "desk", "stool"]
    assert "further queries, which no search has: 2" in "\n".join(describe(stage.validate(further)))
    parts = before.meta["parts"], after.meta["parts"]
    assert [name for name in parts[0] if parts[0][name] != parts[1][name]] == ["unlabelled"]
    kept = keep_parts(load_shop(after), ["training", "unlabelled"])
    assert kept.unlabelled == load_shop(after).unlabelled
    with pytest.raises(ColumnNotFoundError):
        keep_parts(load_shop(after), ["training"]).unlabelled  # noqa: B018


def with_shoppers(shop, **changes):
    """The shop with a log of a few shoppers; `changes` are of its last search but one."""
    searches = [
        {"search_id": f"s{n}", "timestamp": n, "query": f"lamp {n}", "user_id": f"u{n % 3}",
         "clicks": [f"i{n}"], "purchases": [f"i{n}"] * (n % 2)}
        for n in range(20)
    ]  # fmt: skip
    searches[changes.pop("at", 18)] |= changes
    (shop / "searches.jsonl").write_text("\n".join(map(json.dumps, searches)))
    return config(shop)


def test_choices_of_all_splits_are_kept_by_shopper(shop, tmp_path):
    artifact = read(with_shoppers(shop), tmp_path / "data")
    choices = pl.read_parquet(artifact.file("choices.parquet"))
    assert choices.schema == pl.Schema(CHOICES)
    assert choices.height == 20
    shoppers = load_shoppers(artifact)
    assert shoppers.at("u1", limit=None) == Shopper(
        (("gender", "F"),), ("i1", "i4", "i7", "i10", "i13", "i16", "i19")
    )
    assert shoppers.at("u1", before=7, limit=1).history == ("i4",)


def test_a_shop_that_knows_no_shopper(shop, tmp_path):
    nobody = config(shop, users=None)
    artifact = read(nobody, tmp_path / "data")
    assert not {"users.parquet", "choices.parquet"} & artifact.files.keys()
    assert load_shoppers(artifact) is None


def test_the_part_shoppers_follows_what_training_reads_of_them(shop, tmp_path):
    def part(config):
        return read(config, tmp_path / "data").meta["parts"]["shoppers"]

    before = part(with_shoppers(shop))
    items = (shop / "items.csv").read_text()
    (shop / "items.csv").write_text(items.replace("lamp 1,Home > Lamps,1", "lamp 1,Home > Lamps,2"))
    assert part(with_shoppers(shop)) == before
    assert part(with_shoppers(shop, user_id="u9")) == before  # in the test split
    assert part(with_shoppers(shop, at=2, user_id="u9")) != before
    assert part(with_shoppers(shop, at=2, clicks=["i7"])) != before
    pl.DataFrame({"user_id": ["u1"], "gender": ["M"]}).write_parquet(shop / "users.parquet")
    assert part(with_shoppers(shop)) != before


def test_sequences_take_the_place_of_a_log(shop, tmp_path):
    rows = [
        {"id": 1, "train": ["i1", "i2", "i3"], "valid": ["i4", "i20"]},
        {"id": 2, "train": ["i5"], "valid": []},
    ]
    (shop / "chosen.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (shop / "items.csv").write_text("sku,title,category\n" + "".join(
        f"i{n},lamp {n},{'Home > Lamps' if n < 5 else ''}\n" for n in range(20)
    ))  # fmt: skip
    columns = {"user_id": "id", "items": "train", "held_out": "valid"}
    chosen = config(
        shop,
        searches=None,
        users=None,
        split={},
        sequences={"file": shop / "chosen.jsonl", "columns": columns},
    )
    artifact = read(chosen, tmp_path / "data")
    _, searches = load_tables(artifact)
    assert searches.frame.select("search_id", "query", "split").rows() == [
        ("1-0", "home lamps", "train"), ("1-1", "home lamps", "train"),
        ("1-2", "home lamps", "validation"), ("1-3", "home lamps", "test"),
    ]  # fmt: skip
    assert load_shoppers(artifact).at("1", before=3, limit=2).history == ("i2", "i3")
    summary = artifact.read_json("summary.json")
    assert summary["unknown_items"] == {"impressions": 0, "positives": 1, "examples": ["i20"]}
    assert summary["category_path_queries"] == {"levels": 2, "without_category": 1}
    said = "\n".join(describe(summary))
    assert "category-path queries of 2 levels, never real ones; time is the position" in said
    assert "1 choices of items without a category give no search" in said


def test_a_refused_table_leaves_the_last_run_alone(shop, tmp_path):
    artifact = read(config(shop), tmp_path / "data")
    (shop / "items.csv").write_text("sku,title\n")
    with pytest.raises(DataError, match=r"no usable row of `items`"):
        read(config(shop), tmp_path / "data")
    assert open_artifact(tmp_path / "data", kind="data").digest == artifact.digest


def test_a_flipped_byte_is_found(shop, tmp_path):
    artifact = read(config(shop), tmp_path / "data")
    damaged = bytearray(artifact.file("items.parquet").read_bytes())
    damaged[len(damaged) // 2] ^= 1
    artifact.file("items.parquet").write_bytes(damaged)
    with pytest.raises(ArtifactError, match=r"items.parquet differs from its manifest"):
        open_artifact(artifact.path, kind="data")


def logged(shop, rows):
    """The shop with this log, split as by default."""
    (shop / "searches.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return config(shop, split={})


def test_a_log_with_times_is_split_by_time_by_default_and_any_other_by_query(shop):
    rows = [{"query": f"lamp {n}", "clicks": [f"i{n % 20}"]} for n in range(200)]
    summary = stage.validate(logged(shop, rows))
    assert summary["split"] == {"by": "query", "taught_later": 0, "of": 0}
    assert "split by query" in "\n".join(describe(summary))
    timed = [row | {"timestamp": n} for n, row in enumerate(rows)]
    summary = stage.validate(logged(shop, timed))
    assert summary["split"]["by"] == "time"
    assert summary["searches"] == {"train": 160, "validation": 20, "test": 20}
    # One without a time cannot be placed: it is rejected, as where the config says `by: time`.
    assert logged(shop, [*timed, rows[0]]).split.by is None
    summary = stage.validate(logged(shop, [*timed, rows[0]]))
    assert summary["tables"]["searches"]["causes"] == {"timestamp is missing": 1}
    assert summary["notes"][-1] == (
        "searches: timestamp is missing: set `split: {by: query}` to read searches without a time, "
        "too"
    )
    assert summary == stage.validate(config(shop, split={"by": "time"}))


def test_a_split_by_query_that_trains_on_the_future_is_told(shop):
    """Three searches each of four shoppers, one of them nobody."""
    rows = [
        {"query": query, "timestamp": 10 * n + time, "user_id": user, "clicks": [f"i{n}"]}
        for n, user in enumerate(("ann", "ben", "cy", None))
        for time, query in enumerate(("lamp", "desk", "chair"))
    ]
    held_out = next(
        seed
        for seed in range(1000)
        if split_of_query("lamp", SplitConfig(by="query", seed=seed)) == "train"
        and split_of_query("desk", SplitConfig(by="query", seed=seed)) == "validation"
        and split_of_query("chair", SplitConfig(by="query", seed=seed)) == "test"
    )
    logged(shop, rows)
    by_query = config(shop, split={"by": "query", "seed": held_out})
    # Every lamp, the training, comes before the desk and the chair of its shopper.
    summary = stage.validate(by_query)
    assert summary["split"] == {"by": "query", "taught_later": 0, "of": 8}
    early = [row | {"timestamp": 5} if row["query"] == "desk" else row for row in rows]
    logged(shop, early)
    summary = stage.validate(by_query)
    # Ann's lamp is of time 0; Ben, Cy and nobody search for lamps after their desks.
    assert summary["split"] == {"by": "query", "taught_later": 3, "of": 8}
    said = "\n".join(describe(summary))
    assert "38 % of the validation and test searches come before training searches of" in said
    assert "To measure the future, set `split: {by: time}`" in said
