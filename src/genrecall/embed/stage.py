"""Stage `embed`: from titles and logged queries to views of texts and the items' vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrecall.data.held_out import HeldOut, hold_out
from genrecall.data.pairs import LoggedPairs, logged_pairs
from genrecall.data.shop_data import ShopData
from genrecall.data.tables import Catalog, Rows, Searches
from genrecall.data.texts import field_texts, texts_beside
from genrecall.embed.cache import VectorCache, with_cache
from genrecall.embed.config import EmbedConfig, FineTuneConfig
from genrecall.embed.frozen import FrozenView, Reader, mapped
from genrecall.embed.load import ITEM_VECTORS, save_views
from genrecall.embed.names import IN_DOMAIN, PRETRAINED, STATIC
from genrecall.embed.pretrained import PretrainedModel
from genrecall.embed.static import StaticVectors
from genrecall.embed.training.beside import ReadBeside, fit_beside
from genrecall.embed.training.fine_tune import Logged, fine_tune
from genrecall.embed.training.int8 import asked, with_int8
from genrecall.embed.training.maps import Read, learn_maps
from genrecall.embed.training.two_tower import train_in_domain, train_tokenizer
from genrecall.embed.training.weights import Judged, fit_view_weights
from genrecall.embed.views import ALONE, Beside, View, Views, read_others, with_others
from genrecall.embed.word_vectors import PACKAGE, find_static, named
from genrecall.foundation.artifact import Artifact, content_hash, file_hash, open_artifact, writing
from genrecall.foundation.errors import ConfigError
from genrecall.foundation.halves import to_halves
from genrecall.foundation.ragged import Bags
from genrecall.foundation.work import Work
from genrecall.learning.checkpoint import Checkpoints
from genrecall.text.subwords import SubwordTokenizer

Vectors = NDArray[np.float32]


class _Shop(NamedTuple):
    """What views learn from: see `LoggedPairs` for `pairs`, and for those that maps learn from."""

    titles: list[str]
    queries: list[str]
    pairs: LoggedPairs
    mapped: LoggedPairs
    tokenizer: SubwordTokenizer
    bags: Bags  # of the titles


class _Made(NamedTuple):
    """A view, and what it makes of the catalog, `[N, dim]`."""

    view: View
    items: Vectors


class _Held(NamedTuple):
    """The searches that weights are fitted on, their queries as each view reads them."""

    queries: Mapping[str, Vectors]
    positives: Sequence[Rows]


def run(config: EmbedConfig, data: ShopData, work: Work) -> Artifact:
    """Make the views, weigh them, and encode the catalog.

    Args:
        config: which views, their sizes and rates.
        data: titles and other texts of all items are read whatever the split, and the training
            searches.
        work: where to write, to keep vectors and to report.

    Raises:
        ConfigError: a pretrained model cannot be found or loaded, or its library is missing; word
            vectors are the only view, and not installed.
    """
    names = _names(config, work)
    divided = _divide(names, config.fields, data)
    queries, pairs = logged_pairs(divided.kept)
    titles, log = data.catalog.titles, work.log
    log.say(f"  {len(titles):,} titles, {len(queries):,} queries, {len(pairs.query):,} pairs")
    tokenizer = train_tokenizer(config.subwords, titles=titles, queries=queries)
    none = LoggedPairs(pairs.query[:0], pairs.item[:0], pairs.weight[:0])
    taught = pairs if config.learn_maps else none
    shop = _Shop(titles, queries, pairs, taught, tokenizer, tokenizer.bags(titles))
    with writing(work.out, kind="embed", inputs=work.inputs) as folder:
        made: dict[str, _Made] = {}
        for name in names:
            (folder / name).mkdir()
            made[name] = _MAKERS[name](config, shop, folder / name, work)
        held = _Held(
            {name: _read_held(of.view, tokenizer, divided.held) for name, of in made.items()},
            divided.held.positives,
        )
        made, beside = _with_others(made, tokenizer, data.catalog, config.fields, held)
        judged = {name: Judged(held.queries[name], of.items) for name, of in made.items()}
        weights = fit_view_weights(judged, held.positives)
        views = Views(tokenizer, {name: of.view for name, of in made.items()}, weights, beside)
        log.say(f"  {_described(views, len(divided.held))}")
        save_views(views, folder)
        vectors = views.join({name: of.items for name, of in made.items()}, shop.bags)
        np.save(folder / ITEM_VECTORS, to_halves(vectors))
    return open_artifact(work.out, kind="embed")


def _names(config: EmbedConfig, work: Work) -> list[str]:
    """The views that can be made."""
    if STATIC not in config.views or find_static(config.static.source) is not None:
        return list(config.views)
    install = f"{PACKAGE} is not installed (pip install 'genrecall[static]')"
    others: list[str] = [name for name in config.views if name != STATIC]
    if not others:
        raise ConfigError(
            f"embed.views is static alone, and {install}. Install it, give embed.static.source a "
            "directory with word vectors, or add in_domain to the views."
        )
    work.log.say(f"  no view by word vectors: {install}")
    return others


def _divide(names: Sequence[str], fields: Sequence[str], data: ShopData) -> HeldOut:
    """Nothing is held out where there is nothing to weigh."""
    searches = data.searches.of("train")
    beside = any(any(field_texts(data.catalog.frame, name)) for name in fields)
    if len(names) == 1 and not beside:
        return HeldOut(searches, Searches(searches.frame.clear()))
    return hold_out(searches, "shopper" if data.category_paths else data.split_by or "query")


def _in_domain(config: EmbedConfig, shop: _Shop, folder: Path, work: Work) -> _Made:
    view = train_in_domain(
        config.in_domain,
        tokenizer=shop.tokenizer,
        titles=shop.titles,
        queries=shop.queries,
        pairs=shop.pairs,
        seed=work.seed,
        checkpoints=Checkpoints(work.resumes_from, every=work.checkpoint_every),
        log=work.log,
    )
    view.save(folder)
    return _Made(view, view.encode_items(shop.titles, shop.bags))


def _static(config: EmbedConfig, shop: _Shop, folder: Path, work: Work) -> _Made:
    files = find_static(config.static.source)
    assert files is not None, "asked for only where it is"
    reader = StaticVectors.make(files, folder)
    work.log.say(f"  word vectors of {named(files)}")
    items = reader.encode_items(shop.titles)
    return _frozen(reader, items, config.static.dim, shop, folder, work)


def _pretrained(config: EmbedConfig, shop: _Shop, folder: Path, work: Work) -> _Made:
    reader = PretrainedModel.make(config.pretrained, folder, log=work.log)
    if config.pretrained.fine_tune.steps:
        reader = _fine_tuned(reader, config.pretrained.fine_tune, shop, work)
    cache = None if work.cache is None else VectorCache(work.cache, _digest(folder))
    items = with_cache(reader, cache).encode_items(shop.titles)
    if config.pretrained.int8:
        compared = asked(shop.queries, shop.pairs, shop.titles)
        reader = with_int8(reader, items, compared, work.log)
    return _frozen(with_cache(reader, cache), items, config.pretrained.dim, shop, folder, work)


_MAKERS: Final[dict[str, Callable[[EmbedConfig, _Shop, Path, Work], _Made]]] = {
    IN_DOMAIN: _in_domain,
    STATIC: _static,
    PRETRAINED: _pretrained,
}


def _fine_tuned(
    reader: PretrainedModel, config: FineTuneConfig, shop: _Shop, work: Work
) -> PretrainedModel:
    if not len(shop.pairs.query):
        work.log.say("  the pretrained model stays as it came: there is no log to learn from")
        return reader
    return fine_tune(
        reader,
        Logged(shop.titles, shop.queries, shop.pairs),
        config,
        seed=work.seed,
        checkpoints=Checkpoints(work.resumes_from, every=work.checkpoint_every),
        log=work.log,
    )


def _frozen(
    reader: Reader, items: Vectors, dim: int | None, shop: _Shop, folder: Path, work: Work
) -> _Made:
    """A reader with maps of its own, written into a folder."""
    read = Read(items, reader.encode(shop.queries))
    maps = learn_maps(read, shop.mapped, dim=dim, seed=work.seed)
    maps.save(folder)
    return _Made(FrozenView(reader, maps), mapped(items, maps.item))


def _read_held(view: View, tokenizer: SubwordTokenizer, held: Searches) -> Vectors:
    return view.encode(held.queries, tokenizer.bags(held.queries, typed=True))


def _with_others(
    made: dict[str, _Made],
    tokenizer: SubwordTokenizer,
    catalog: Catalog,
    fields: Sequence[str],
    held: _Held,
) -> tuple[dict[str, _Made], Beside]:
    """The views with what they read beside titles in the items' vectors, and how much it counts."""
    known = tuple(name for name in fields if any(field_texts(catalog.frame, name)))
    if not known:
        return made, ALONE
    texts = texts_beside(catalog.frame, known)
    read = {
        name: ReadBeside(held.queries[name], of.items, read_others(of.view, texts, tokenizer))
        for name, of in made.items()
    }
    weights = fit_beside(read, held.positives)
    joined = {
        name: _Made(of.view, with_others(of.items, read[name].others, weights[name]))
        for name, of in made.items()
    }
    return joined, Beside(known, weights)


def _described(views: Views, n_held: int) -> str:
    said = ", ".join(f"{name} {views.shares[name]:.2f}" for name in views.sizes)
    by = f"fitted on {n_held:,} training searches" if n_held else "as usual"
    told = f"views: {said}" + (f" ({by})" if len(views.sizes) > 1 else "")
    if not views.beside.fields:
        return told
    weights = ", ".join(f"{weight:.2f}" for weight in views.beside.weights.values())
    return f"{told}; beside a title {', '.join(views.beside.fields)} count {weights}"


def _digest(folder: Path) -> str:
    """Hash of all files in a folder."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return content_hash({str(path.relative_to(folder)): file_hash(path) for path in files})
