"""What the page says of parts of the searches, and of scores."""

import numpy as np
from report_data import measured

from genrecall.evaluate.bootstrap import Bootstrap
from genrecall.evaluate.confidence import confidence_figures
from genrecall.report.page import render_report


def test_searches_with_filters_are_explained_where_there_are_some():
    metrics, data = measured()
    explained = "Searches <b>with filters</b> were put to every channel with them"
    assert explained not in render_report(metrics, data)
    found = metrics["slices"]["tail"]
    slices = metrics["slices"] | {"with_filters": found, "without_filters": found}
    by_filter = {**data["parts"][0], "kind": "filter"}
    page = render_report(metrics | {"slices": slices}, data | {"parts": [by_filter]})
    assert explained in page
    assert '<th scope="row">searches with filters</th>' in page
    assert "recall@100 by filter: by what a search was filtered; one with several is" in page


def test_a_loss_in_a_part_looks_like_it():
    page = render_report(*measured())
    part = page[page.index('id="parts"') : page.index('id="contest"')]
    assert '<td class="figure down">−0.250 <span class="ends">[−0.500, −0.125]</span></td>' in part


def test_what_a_score_says_is_shown_where_scores_are_calibrated():
    metrics, data = measured()
    assert 'id="scores"' not in render_report(metrics, data)
    answers, relevant = [np.array([1, 2]), np.array([3])], [np.array([1]), np.array([4])]
    scores = [np.array([0.5, 0.02]), np.array([0.02])]
    told = confidence_figures(answers, scores, relevant, Bootstrap(2, seed=0))
    page = render_report(metrics | {"confidence": told}, data)
    part = page[page.index('id="scores"') : page.index('id="contest"')]
    assert '<th scope="row">0.3</th><td>0.5</td>\n<td>0.500</td>' in part
    assert "among its first 10 is above that of one without in" in part
