"""The page in Chromium, which draws the charts, at the widths of a desk and of a phone."""

import json
import os
import re
import shutil
import subprocess

import pytest
from alignment_data import aligned
from report_data import measured

from genrecall.report.page import render_report

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
WIDTHS = (1280, 375)
PAGES = {"plain": (measured, 9), "aligned": (aligned, 9 + 3 + 5)}
"""Metrics and data of a page, and how many charts it has."""

LONG = "bm25+dense+popularity+generative"
"""The longest name of a fusion."""

LISTEN = """<script>
window.told = [];
const tell = (...words) => told.push(words.join(" "));
console.error = console.warn = tell;
addEventListener("error", (event) => tell(event.message));
addEventListener("unhandledrejection", (event) => tell(event.reason));
addEventListener("securitypolicyviolation", (event) => tell("policy", event.blockedURI));
</script>"""

# A frame as wide as a phone: the window of a headless Chromium cannot be so narrow.
FRAME = """<!DOCTYPE html>
<iframe style="border: 0; height: 900px"></iframe><pre id="result"></pre>
<script id="work">
(async () => {
  const frame = document.querySelector("iframe"), widths = WIDTHS, found = [];
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  frame.style.width = widths[0] + "px";
  frame.srcdoc = PAGE;
  const root = () => frame.contentDocument?.documentElement;
  while (!root()?.hasAttribute("data-drawn")) await pause(50);
  for (const width of widths) {
    frame.style.width = width + "px";
    const boxes = [...frame.contentDocument.querySelectorAll(".chart")];
    const widthOf = (box) => box.querySelector("svg").clientWidth;
    const settled = () => boxes.every((box) => widthOf(box) === box.clientWidth);
    await pause(600);
    for (let tries = 0; !settled() && tries < 300; tries++) await pause(50);  // a busy machine
    for (const folded of frame.contentDocument.querySelectorAll("details")) folded.open = true;
    await pause(100);
    const right = (element) => Math.round(element.getBoundingClientRect().right);
    const wide = [...root().querySelectorAll("body *")].filter(
      (element) => right(element) > width && !element.closest(".scroll, .chart, pre"),
    );
    const charts = [...frame.contentDocument.querySelectorAll(".chart")];
    const tables = [...frame.contentDocument.querySelectorAll(".scroll > table")];
    const seen = (part) => !part || right(part) <= right(part.closest(".scroll"));
    const first = (table) => table.tBodies[0].rows[0].cells[1];
    found.push({
      width,
      page: root().scrollWidth,
      wide: wide.map((element) => element.outerHTML.slice(0, 100)),
      tables: tables.length,
      cut: tables.filter((table) => !seen(table.caption) || !seen(first(table)))
        .map((table) => table.caption?.textContent),
      scrolled: tables.filter((table) => table.scrollWidth > table.parentElement.clientWidth)
        .map((table) => table.caption?.textContent),
      boxes: charts.map((box) => box.clientWidth),
      drawn: charts.map((box) => box.querySelector("svg").clientWidth),
      marks: charts.map((box) => box.querySelectorAll(".trace path, .trace .point").length),
    });
  }
  const button = frame.contentDocument.querySelector(".legend button");
  const lines = () => button.closest("figure").querySelectorAll(".trace path.js-line").length;
  const before = lines();
  button.click();
  await pause(300);
  const toggled = { before, after: lines(), pressed: button.getAttribute("aria-pressed") };
  const page = frame.contentDocument, hits = page.getElementById("hits");
  const box = page.getElementById("find"), view = frame.contentWindow;
  const texts = () => [...hits.tBodies[0].rows].map((row) => row.cells[0].textContent);
  const searched = { all: texts() };
  box.value = "TOOLS s";
  box.dispatchEvent(new view.Event("input"));
  searched.some = texts();
  searched.told = page.getElementById("found").textContent;
  box.value = "tools";
  hits.querySelector('[data-column="4"]').click();
  searched.sorted = texts();
  const saved = [];
  view.URL.createObjectURL = (blob) => (saved.push(blob), "#");
  view.HTMLAnchorElement.prototype.click = () => {};  // nothing is to be written here
  for (const button of page.querySelectorAll(".csv")) button.click();
  const files = await Promise.all(saved.map((blob) => blob.text()));
  const result = { found, toggled, searched, files, told: frame.contentWindow.told };
  document.getElementById("result").textContent = JSON.stringify(result);
  frame.remove();
  document.getElementById("work").remove();
})();
</script>"""

_TRIES = 3
"""On a busy machine Chromium's virtual time may be over before the page has said what it found."""


@pytest.fixture(scope="module", params=PAGES)
def opened(request, tmp_path_factory):
    """What Chromium measured at each width, and what it complained about."""
    made, charts = PAGES[request.param]
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed; scripts/install-test-tools installs it")
    folder = tmp_path_factory.mktemp("browser")
    metrics, data = made()
    metrics["channels"][LONG] = metrics["channels"]["bm25+dense+generative"]
    difference = metrics["paired"]["bm25+dense+generative - bm25+dense"]
    metrics["paired"][f"{LONG} - bm25+dense+popularity+two_views"] = difference
    page = render_report(metrics, data).replace("<head>", f"<head>{LISTEN}", 1)
    work = FRAME.replace("WIDTHS", json.dumps(WIDTHS))
    work = work.replace("PAGE", json.dumps(page).replace("<", "\\u003c"))
    (folder / "frame.html").write_text(work, "utf-8")
    command = [
        CHROMIUM,
        "--headless=new",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        *(["--no-sandbox"] if os.geteuid() == 0 else []),
        f"--user-data-dir={folder / 'profile'}",
        "--window-size=1400,1000",
        "--virtual-time-budget=60000",
        "--dump-dom",
        (folder / "frame.html").as_uri(),
    ]
    for _ in range(_TRIES):
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        if result := re.search(r'<pre id="result">(.+?)</pre>', done.stdout):
            break
    assert result, f"the page was not drawn: {done.stdout[-2000:]} {done.stderr[-2000:]}"
    return json.loads(result[1]) | {"charts": charts}


def test_the_browser_has_nothing_to_complain_about(opened):
    assert opened["told"] == []


@pytest.mark.parametrize("place", range(len(WIDTHS)), ids=[f"{width} px" for width in WIDTHS])
def test_the_page_fits_its_width(opened, place):
    found = opened["found"][place]
    assert found["width"] == WIDTHS[place]
    assert found["wide"] == []
    assert found["page"] <= found["width"]
    assert len(found["boxes"]) == opened["charts"]
    assert found["drawn"] == found["boxes"]
    assert max(found["boxes"]) < found["width"]
    assert min(found["marks"]) > 0


@pytest.mark.parametrize("place", range(len(WIDTHS)), ids=[f"{width} px" for width in WIDTHS])
def test_captions_and_first_figures_are_seen_without_scrolling(opened, place):
    found = opened["found"][place]
    assert found["tables"] > 8
    assert found["cut"] == []


def test_no_table_needs_scrolling_on_a_desk(opened):
    assert opened["found"][WIDTHS.index(1280)]["scrolled"] == []


def test_a_legend_entry_hides_its_series(opened):
    toggled = opened["toggled"]
    assert toggled["pressed"] == "false"
    assert 0 < toggled["after"] < toggled["before"]


def test_queries_are_found_by_their_words_and_their_category(opened):
    searched = opened["searched"]
    assert [query.split()[0] for query in searched["all"]] == ["lamp", "drill", "saw"]
    assert searched["some"] == ["drill", "saw"]  # an s in "Tools", too
    assert searched["told"] == "2 found"
    assert searched["sorted"] == ["saw", "drill"]  # by recall of the second channel


def test_every_table_can_be_saved(opened):
    files = [file.removeprefix("\ufeff").split("\r\n") for file in opened["files"]]
    assert len(files) > 5
    (channels,) = [file for file in files if file[0].startswith("channel,recall@10")]
    names = [line.split(",")[0] for line in channels[1:] if line]
    assert names[:4] == ["bm25", "dense", "generative", "two_views"]
    assert names[-1] == LONG
    (differences,) = [file for file in files if file[0].startswith("difference,recall@10")]
    assert re.match(r'bm25\+dense\+generative less bm25\+dense,"\+0\.\d{3} \[', differences[1])
    (queries,) = [file for file in files if file[0].startswith("query,category")]
    # What a spreadsheet would take for a formula stays text.
    assert queries[1:] == ["saw,'=1+1 Tools,1,0,0.125,0.25", "drill,Tools,2,1,0.5,1", ""]
