"""Rewards of a team's own."""


def by_length(searches):
    """SIDs with few items are worth most."""
    return [[1.0 / len(sid["items"]) for sid in search["sids"]] for search in searches]


def of_some(searches):
    """No answer to searches of some lengths."""
    answers = by_length(searches)
    return [
        answer if len(search["query"]) % 2 else None
        for search, answer in zip(searches, answers, strict=True)
    ]
