"""The generative channel on a trained bundle: what is recalled, in which order, and why."""

import dataclasses
import math
import shutil

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError
from trained import open_whole

import genrecall
from genrecall.channels.base import Request
from genrecall.channels.config import ChannelsConfig, GenerativeConfig
from genrecall.data.shoppers import Shopper
from genrecall.data.tables import Catalog
from genrecall.foundation.errors import ArtifactError, FilterError, RequestError
from genrecall.generator.load import STAGES
from genrecall.index.live import LiveItems

QUERIES = ["red cordless drill", "coffee maker", "shoes", "blue lamp", "Acme", "drill xyzzy"]


@pytest.fixture(scope="module")
def parts(shop_run):
    return open_whole(shop_run)


@pytest.fixture(scope="module")
def channel(shop_run):
    return genrecall.load(shop_run.bundle)


def with_settings(parts, **settings):
    """The same bundle with other settings of the channel."""
    channels = ChannelsConfig(generative=GenerativeConfig(**settings))
    return dataclasses.replace(parts, channels=channels).generative()


def with_columns(parts, **columns):
    """The same bundle with other columns of the catalog."""
    items = parts.items
    frame = items.catalog.frame.with_columns(
        **{name: pl.Series(name, values) for name, values in columns.items()}
    )
    return dataclasses.replace(parts, items=LiveItems(Catalog(frame), items.table, items.vectors))


def explain(channel, query, *, beam=10, titles=3, filters=None):
    """A search of so many beams, explained."""
    (read,) = channel.read([Request(query, filters=filters)])
    return channel.explain(channel.search(read, beam)[0], read.masks[0], titles=titles)


def available(channel):
    return set(channel.items.catalog.frame.filter(pl.col("available"))["item_id"])


def logprob_of_sids(channel, query):
    """Log-probability of every valid SID, by its text."""
    beams = channel.generate([Request(query)], beam=len(channel.items.trie))
    texts = [beam.sid for beam in explain(channel, query, beam=len(channel.items.trie))]
    return dict(zip(texts, beams.logprob[0], strict=False))


class TestRecall:
    def test_hits_are_numbered_and_name_their_items(self, channel):
        hits = channel.recall("red cordless drill", k=10)
        assert [hit.rank for hit in hits] == list(range(1, 11))
        for hit in hits:
            row = channel.items.catalog.row_of[hit.item_id]
            assert hit.title == channel.items.catalog.titles[row]
            assert list(hit.sid) == channel.items.table.codes[row].tolist()

    def test_it_finds_what_is_asked_for(self, channel):
        hits = channel.recall("red cordless drill", k=4)
        assert [hit for hit in hits if "cordless drill red" in hit.title]
        assert "coffee maker" in channel.recall("coffee maker", k=1)[0].title

    def test_it_equals_the_ranking(self, channel):
        (ranking,) = channel.rank([Request("coffee maker")], 10)
        hits = channel.recall("coffee maker", k=10)
        assert [hit.score for hit in hits] == ranking.told.tolist()
        assert [channel.items.catalog.row_of[hit.item_id] for hit in hits] == ranking.rows.tolist()

    @pytest.mark.parametrize("query", QUERIES)
    def test_all_available_items_and_no_other_can_be_reached(self, channel, query):
        hits = channel.recall(query, k=1000)
        assert {hit.item_id for hit in hits} == available(channel)
        assert len(hits) == len(available(channel)) < len(channel.items.catalog)

    @pytest.mark.parametrize("query", ["", " \t"])
    def test_an_empty_query_is_refused(self, channel, query):
        with pytest.raises(RequestError, match="is empty; give at least one word"):
            channel.recall(query)

    def test_unusable_requests_are_refused(self, channel):
        with pytest.raises(RequestError, match="k=0 asks for no item; give k of at least 1"):
            channel.recall("drill", k=0)
        with pytest.raises(FilterError, match=r"unknown filter field 'colour'; known: .*'color'"):
            channel.recall("drill", filters={"colour": "red"})
        with pytest.raises(RequestError, match="beam=0 generates no SID; give a beam of at least"):
            channel.generate([Request("drill")], 0)

    def test_a_history_changes_the_answer_and_items_that_left_the_shop_do_not(self, channel):
        nobody = channel.recall("drill", k=30)
        assert channel.recall("drill", user=Shopper(), k=30) == nobody
        ids = channel.items.catalog.item_ids
        known = channel.recall("drill", user=Shopper(history=(ids[3], ids[50])), k=30)
        assert [hit.score for hit in known] != [hit.score for hit in nobody]
        gone = Shopper(history=("gone", ids[3], "gone too", ids[50]))
        assert channel.recall("drill", user=gone, k=30) == known

    def test_many_requests_are_answered_like_each_alone(self, channel):
        requests = [
            Request(query, filters=filters)
            for query in QUERIES
            for filters in [None, {"color": "red"}, {"price": {"lte": 40}}]
            for _ in range(5)
        ]
        together = channel.rank(requests, 12)
        for request, ranking in zip(requests, together, strict=True):
            (alone,) = channel.rank([request], 12)
            assert ranking.rows.tolist() == alone.rows.tolist()


class TestFilters:
    def test_they_act_inside_decoding(self, parts):
        """One item, in whatever cluster, is found with a beam of one."""
        channel = with_settings(parts, beam=1, max_beam=1)
        prices = channel.items.catalog.frame.filter(pl.col("available")).select("item_id", "price")
        for item_id, price in prices.iter_rows():
            hits = channel.recall("red cordless drill", k=5, filters={"price": price})
            assert [hit.item_id for hit in hits] == [item_id]

    def test_each_request_of_a_batch_is_decoded_with_its_own(self, channel):
        colors = [None, "red", "green", "black"]
        requests = [
            Request("blue lamp", filters={"color": color} if color else None) for color in colors
        ]
        together = channel.generate(requests, beam=3).leaves.tolist()
        assert together == [channel.generate([r], beam=3).leaves[0].tolist() for r in requests]
        assert len({tuple(leaves) for leaves in together}) == 4

    def test_what_is_filtered_away_is_not_generated(self, channel):
        every = len(channel.items.trie)
        filters = {"color": "green"}
        for beam in explain(channel, "red cordless drill", beam=every, filters=filters):
            assert beam.items > 0
            assert all("green" in title for title in beam.titles)

    def test_they_leave_the_probabilities_alone(self, channel):
        everything = logprob_of_sids(channel, "red lamp")
        some = explain(channel, "red lamp", beam=50, filters={"color": "red"})
        assert len(some) < len(everything)
        for beam in some:
            assert beam.logprob == pytest.approx(everything[beam.sid], abs=1e-4)

    def test_an_unavailable_item_is_never_the_answer(self, channel):
        gone = channel.items.catalog.frame.filter(~pl.col("available"))
        for price in gone["price"]:
            assert channel.recall("drill", filters={"price": price}) == []
        assert channel.recall("drill", filters={"available": False}) == []

    def test_a_shop_that_is_sold_out_has_an_empty_answer(self, parts):
        channel = with_columns(parts, available=[False] * 120).generative()
        assert channel.recall("drill") == []
        assert explain(channel, "drill") == []

    def test_items_of_unknown_availability_are_available(self, parts):
        channel = with_columns(parts, available=pl.Series([None] * 120, dtype=pl.Boolean))
        assert len(channel.generative().recall("drill", k=1000)) == 120


class TestWidth:
    def test_the_beam_widens_until_the_answer_is_full(self, parts):
        for k in (1, 7, 60):
            hits = with_settings(parts, beam=1, max_beam=1000).recall("drill", k=k)
            assert len(hits) == k

    def test_it_widens_no_further_than_allowed(self, parts):
        channel = with_settings(parts, beam=1, max_beam=2)
        hits = channel.recall("drill", k=1000)
        behind_two = explain(channel, "drill", beam=2)
        assert len(hits) == sum(beam.items for beam in behind_two)
        assert {hit.sid for hit in hits} == {beam.sid for beam in behind_two}

    def test_a_most_that_is_below_the_least_does_not_narrow_it(self, parts):
        channel = with_settings(parts, beam=4, max_beam=1)
        expected = sum(beam.items for beam in explain(channel, "drill", beam=4))
        assert len(channel.recall("drill", k=1000)) == expected

    def test_ambiguous_queries_keep_several_categories(self, parts):
        def first_codes(min_level1):
            channel = with_settings(parts, beam=4, min_level1=min_level1)
            return {beam.sid.c1 for beam in explain(channel, "coffee maker", beam=4)}

        assert len(first_codes(4)) == 4
        assert len(first_codes(1)) < 4


class TestOrder:
    def test_beam_orders_by_the_probability_of_the_cluster(self, parts):
        channel = with_settings(parts, order="beam")
        logprob = logprob_of_sids(channel, "blue lamp")
        hits = channel.recall("blue lamp", k=50)
        for hit in hits:
            assert hit.score == pytest.approx(logprob[hit.sid], abs=1e-4)
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)

    def test_beam_orders_the_items_of_a_cluster_by_efficiency(self, parts):
        scored = with_columns(parts, score=[float(i * 7 % 120) for i in range(120)])
        channel = with_settings(scored, order="beam")
        rows = {item_id: row for row, item_id in enumerate(channel.items.catalog.item_ids)}
        hits = channel.recall("blue lamp", k=50)
        by_sid = {}
        for hit in hits:
            by_sid.setdefault(hit.sid, []).append(rows[hit.item_id] * 7 % 120)
        assert all(scores == sorted(scores, reverse=True) for scores in by_sid.values())

    def test_score_orders_by_efficiency(self, parts):
        scored = with_columns(parts, score=[float(i * 7 % 120) for i in range(120)])
        channel = with_settings(scored, order="score")
        hits = channel.recall("blue lamp", k=20)
        for hit in hits:
            assert hit.score == channel.items.catalog.row_of[hit.item_id] * 7 % 120
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)

    def test_dense_adds_the_beam_by_its_weight(self, parts):
        def scores(weight):
            channel = with_settings(parts, order="dense", beam_weight=weight, beam=200)
            return {hit.item_id: hit.score for hit in channel.recall("blue lamp", k=1000)}

        logprob = logprob_of_sids(with_settings(parts), "blue lamp")
        sid = {hit.item_id: hit.sid for hit in with_settings(parts).recall("blue lamp", k=1000)}
        alone, with_beam = scores(0.0), scores(0.5)
        assert all(-1.001 <= cosine <= 1.001 for cosine in alone.values())
        for item_id, cosine in alone.items():
            expected = cosine + 0.5 * logprob[sid[item_id]]
            assert with_beam[item_id] == pytest.approx(expected, abs=1e-4)

    def test_variants_are_folded_to_the_best_one(self, parts):
        kinds = [f"{i // 20}" for i in range(119)] + [None]
        grouped = with_columns(parts, group_id=kinds)
        plain = with_settings(grouped).recall("running shoes", k=1000)
        group = dict(zip(grouped.items.catalog.item_ids, kinds, strict=True))
        best = list({group[hit.item_id]: hit.item_id for hit in reversed(plain)}.values())[::-1]
        folded = with_settings(grouped, fold_variants=True).recall("running shoes", k=1000)
        assert [hit.item_id for hit in folded] == sorted(
            best, key=[hit.item_id for hit in plain].index
        )
        assert len(folded) == 6  # the ungrouped item is not available

    def test_folding_does_not_shorten_the_answer(self, parts):
        pairs = with_columns(parts, group_id=[f"{i // 2}" for i in range(120)])
        hits = with_settings(pairs, fold_variants=True, beam=1).recall("drill", k=40)
        assert len({int(hit.item_id.split("-")[1]) // 2 for hit in hits}) == len(hits) == 40


class TestExplain:
    @pytest.mark.parametrize("given", [{"beams": 0}, {"beams": -1}, {"titles": -1}])
    def test_an_explanation_of_nothing_is_refused(self, channel, given):
        with pytest.raises(RequestError, match="an explanation has at least one SID"):
            channel.answer(Request("drill"), 5, **given)

    @pytest.mark.parametrize("query", QUERIES)
    def test_it_tells_of_the_generated_sids(self, channel, query):
        beams = channel.generate([Request(query)], 8)
        explained = explain(channel, query, beam=8)
        assert [beam.logprob for beam in explained] == beams.logprob[0].tolist()
        assert [list(b.sid) for b in explained] == channel.items.trie.sids[beams.leaves[0]].tolist()
        assert sum(math.exp(beam.logprob) for beam in explained) <= 1.0 + 1e-5

    def test_it_tells_what_stands_behind_them(self, channel):
        by_sid = {}
        for row, codes in enumerate(channel.items.table.codes.tolist()):
            if channel.items.catalog.frame["available"][row]:
                by_sid.setdefault(tuple(codes), []).append(row)
        for beam in explain(channel, "red cordless drill", beam=20, titles=2):
            rows = by_sid[tuple(beam.sid)]
            titles = [channel.items.catalog.titles[row] for row in rows]
            paths = [channel.items.catalog.categories[row] for row in rows]
            assert beam.items == len(rows)
            assert set(beam.titles) <= set(titles)
            assert len(beam.titles) == min(2, len(rows))
            assert paths.count(beam.category) == max(map(paths.count, paths))

    def test_items_without_category_have_none(self, parts):
        nothing = pl.Series([None] * 120, dtype=pl.List(pl.String))
        channel = with_columns(parts, category=nothing).generative()
        assert {beam.category for beam in explain(channel, "drill")} == {None}

    @pytest.mark.parametrize("k", [3, 60])
    def test_an_explained_answer_tells_of_the_search_that_answered(self, parts, k):
        channel = with_settings(parts, beam=2, oversample=1.0)
        answer = channel.answer(Request("red cordless drill"), k, beams=1000)
        assert answer.hits == channel.recall("red cordless drill", k=k)
        (ranking,) = channel.rank([Request("red cordless drill")], k)
        leaves = ranking.beams.leaves
        searched = channel.items.trie.sids[leaves[leaves >= 0]].tolist()
        assert [list(beam.sid) for beam in answer.beams] == searched
        assert {hit.sid for hit in answer.hits} <= {beam.sid for beam in answer.beams}
        assert sum(beam.items for beam in answer.beams) >= k


class TestValidity:
    def test_every_generated_sid_has_a_live_item(self, channel):
        beams = channel.generate([Request(query) for query in QUERIES], beam=30)
        rows = np.flatnonzero(channel.items.catalog.frame["available"].to_numpy())
        live = set(map(tuple, channel.items.table.codes[rows].tolist()))
        generated = channel.items.trie.sids[beams.leaves[beams.leaves >= 0]].tolist()
        assert generated
        assert {tuple(sid) for sid in generated} <= live

    def test_no_request_no_beams(self, channel):
        assert channel.generate([], 5).leaves.shape == (0, 5)


class TestBundle:
    def test_a_path_or_its_text_opens_it(self, shop_run, channel):
        assert genrecall.load(str(shop_run.bundle)).recall("drill") == channel.recall("drill")

    def test_a_bundle_opens_wherever_it_is_copied_to(self, shop_run, channel, tmp_path):
        shutil.copytree(shop_run.bundle, tmp_path / "elsewhere")
        assert genrecall.load(tmp_path / "elsewhere").recall("lamp") == channel.recall("lamp")

    def test_no_bundle_is_told(self, tmp_path):
        with pytest.raises(ArtifactError, match=r"nowhere is not a GenRecall bundle: it does not"):
            genrecall.load(tmp_path / "nowhere")

    def test_a_stage_is_no_bundle(self, shop_run):
        with pytest.raises(ArtifactError, match="holds a 'embed', where a 'bundle' is needed"):
            genrecall.load(shop_run.stage("embed"))

    def test_a_flipped_byte_in_any_file_is_told_by_its_name(self, shop_run, tmp_path):
        bundle = tmp_path / "bundle"
        shutil.copytree(shop_run.bundle, bundle)
        files = [path for path in bundle.rglob("*") if path.is_file()]
        assert len(files) > 10
        for path in files:
            intact = path.read_bytes()
            damaged = bytearray(intact)
            damaged[len(damaged) // 2] ^= 0x10
            path.write_bytes(damaged)
            with pytest.raises(ArtifactError, match=str(path.relative_to(bundle))):
                genrecall.load(bundle)
            path.write_bytes(intact)
        genrecall.load(bundle)

    def test_every_training_stage_has_a_channel(self, parts):
        for stage in STAGES:
            assert len(parts.generative(stage).recall("drill", k=5)) == 5

    def test_the_other_channels_search_the_same_items(self, parts):
        for channel in (parts.dense(), parts.lexical()):
            (ranking,) = channel.rank([Request("coffee maker")], 1)
            assert "coffee maker" in parts.items.catalog.titles[ranking.rows[0]]


def test_query_without_a_known_word_recalls_nothing(channel):
    assert channel.recall("☂☂☂", k=5) == []
    assert explain(channel, "☂☂☂") == []


class TestBeamsByEntropy:
    def test_a_search_has_the_width_of_its_entropy(self, parts):
        narrow, wide = (
            with_settings(parts, beams={"widths": [2, 12], "entropies": [limit]})
            for limit in (99.0, 0.0)
        )
        for query in ("drill", "red table lamp"):
            found = [channel.rank([Request(query)], 1)[0].beams.found for channel in (narrow, wide)]
            assert found == [2, 12]

    def test_beams_that_hold_too_few_items_are_searched_again(self, parts):
        channel = with_settings(
            parts, beams={"widths": [1, 2], "entropies": [99.0]}, oversample=1.0
        )
        (ranking,) = channel.rank([Request("drill")], 40)
        assert len(ranking.rows) == 40

    @pytest.mark.parametrize(
        "beams",
        [
            {"widths": [5, 2], "entropies": [1.0]},
            {"widths": [2, 5], "entropies": []},
            {"widths": [0, 5], "entropies": [1.0]},
            {"widths": [1, 2, 3], "entropies": [2.0, 1.0]},
            {"widths": [2, 5], "entropies": [math.nan]},
        ],
    )
    def test_settings_that_are_no_rule_are_refused(self, beams):
        with pytest.raises(ValidationError, match="widths in ascending order"):
            GenerativeConfig(beams=beams)

    def test_more_first_codes_than_beams_are_refused(self):
        with pytest.raises(ValidationError, match="5 first codes need as many beams"):
            GenerativeConfig(min_level1=5, beams={"widths": [2, 9], "entropies": [1.0]})
