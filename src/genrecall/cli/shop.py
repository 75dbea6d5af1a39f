"""The command `shop`: a synthetic shop, with a log of its own engine or of recall channels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genrecall.cli.shared import AskingThreads, JsonFile, say_next, write_result, wrote
from genrecall.foundation.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping


def shop(
    out: Annotated[Path, typer.Option(help="The folder to write.")] = Path("runs/shop"),
    items: Annotated[
        int, typer.Option(min=100, max=200_000, help="Items in the catalog.")
    ] = 20_000,
    searches: Annotated[int, typer.Option(min=100, help="Searches in the log.")] = 200_000,
    shoppers: Annotated[int, typer.Option(min=10, help="Shoppers who make them.")] = 10_000,
    queries: Annotated[int, typer.Option(min=50, help="Distinct queries to choose from.")] = 40_000,
    page: Annotated[
        int, typer.Option(min=1, max=1_000, help="Items shown in answer to a search.")
    ] = 3,
    shopper_model: Annotated[
        str,
        typer.Option(help="position: looks at each place by chance; cascade: reads from the top."),
    ] = "position",
    personal_ranking: Annotated[
        float,
        typer.Option(min=0, max=2, help="How much the ranker follows the shopper's taste."),
    ] = 0.3,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same shop.")] = 0,
    log_seed: Annotated[
        int | None, typer.Option(min=0, help="Another log of the same items, shoppers and queries.")
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(help="Show what the channels of this bundle find, one of the same items."),
    ] = None,
    channels: Annotated[
        str | None,
        typer.Option(help="With --bundle: which; bm25,dense,generative by default."),
    ] = None,
    json_file: JsonFile = None,
    threads: AskingThreads = None,
) -> None:
    """Write a synthetic shop: items, shoppers and a simulated search log."""
    for option, given in (("--channels", channels), ("--threads", threads)):
        if given is not None and bundle is None:
            raise RequestError(f"{option} goes with a bundle: give --bundle too, or leave it out.")
    from genrecall.foundation.progress import TerminalLog
    from genrecall.pipeline.simulate import CHANNELS, LoggedBy, ensure_shop, shop_config

    config = shop_config(
        items=items,
        searches=searches,
        shoppers=shoppers,
        distinct_queries=queries,
        impressions=page,
        shopper_model=shopper_model,
        personal_ranking=personal_ranking,
        seed=seed,
        log_seed=log_seed,
    )
    logged_by = None
    if bundle is not None:
        from genrecall.learning.threads import set_threads

        set_threads(threads)
        names = CHANNELS if channels is None else tuple(map(str.strip, channels.split(",")))
        logged_by = LoggedBy(bundle, names)
    told = ensure_shop(out, config, logged_by=logged_by, log=TerminalLog())
    print("\n".join(describe(told)))
    wrote(out)
    write_result(json_file, told)
    tables = [word for name in ("items", "searches", "users") for word in _option(name, out)]
    say_next("init", *tables, "--out", f"{out}.yaml")


def describe(told: Mapping[str, Any]) -> list[str]:
    """Say in lines what was simulated, given what `shop/write.py: describe_log` tells."""
    searches, clicks = told["searches"], told["clicks"]
    lines = [
        f"  items: {told['items']:,}; shoppers: {told['shoppers']:,}",
        f"  searches: {searches:,}, all simulated; distinct queries: {told['distinct_queries']:,}",
        f"  shown: {told['page']} items a search at most, found by {told['logging_policy']}",
        f"  clicks: {clicks:,}, {clicks / searches:.2f} a search and one or more in "
        f"{told['searches_with_click'] / searches:.0%}; shopper model {told['shopper_model']}",
        f"  purchases: {told['purchases']:,}",
    ]
    for channel, shown in told.get("impressions_by_channel", {}).items():
        share = shown / max(told["impressions"], 1)
        lines.append(f"  {channel}: has found {share:.0%} of what was shown")
    return lines


def _option(table: str, folder: Path) -> tuple[str, Path]:
    return f"--{table}", folder / f"{table}.jsonl"
