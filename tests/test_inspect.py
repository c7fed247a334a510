"""The page of a tiny encoder and pictures with names that mean harm."""

import html.parser
import json
import os
import shutil

import jax
import numpy as np
import pytest
import stored
from absl import flags
from PIL import Image

from byol_jax import inspect
from byol_jax.data import problems

# With the slash between folder and file, the first is a whole script.
_CLASSES = ("<script>alert(1)<", "b \"'& $x$", "ключ")
_FILES = (
  "script>.png",
  "--><img src=x onerror=alert(1)>.png",
  "two\nlines\t.png",
  os.fsdecode(b"\xff\xfe.png"),
  "'\" onload='alert(1)'.png",
)
_NAMES = sorted(f"{kind}/{name}" for kind in _CLASSES for name in _FILES)
_LINES = (
  '{"step": 1, "loss": 4.0, "train_top1": 0.1}\n{"step": 2, "loss": NaN}\n'
  '{"step": 3, "loss": 2.0, "<b>_top1": 0.5}\n{"step": 4, "lo'
)


class Page(html.parser.HTMLParser):
  """What a browser would see.

  Attributes:
    tags: names and attributes, in order.
    texts: of each kind of element that holds text.
  """

  def __init__(self, path):
    super().__init__()
    self.tags, self.texts, self._open = [], {}, ""
    self.whole = path.read_text(encoding="utf-8")
    self.feed(self.whole)
    self.close()

  def handle_starttag(self, tag, attrs):
    self.tags.append((tag, dict(attrs)))
    self._open = tag

  def handle_endtag(self, tag):
    self._open = ""

  def handle_data(self, data):
    self.texts.setdefault(self._open, []).append(data)

  def all(self, tag):
    return [attrs for name, attrs in self.tags if name == tag]

  @property
  def data(self):
    (text,) = [x for x in self.texts["script"] if x.startswith('{"x"')]
    return json.loads(text)


def _pictures(root):
  images = np.random.default_rng(0).integers(0, 256, (len(_NAMES), 8, 8, 3))
  for name, image in zip(_NAMES, images.astype(np.uint8), strict=True):
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(root / name)


def _run(*arguments):
  values = flags.FlagValues()
  batch = f"--batch_size={2 * jax.device_count()}"
  inspect.parse_flags(["x", batch, *arguments], values)
  inspect.main([], values)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
  """The folder of the command: run, pictures, page and figures."""
  root = tmp_path_factory.mktemp("inspected")
  _pictures(root / "pictures")
  stored.save_encoder(root / "run")
  (root / "run" / "metrics.jsonl").write_text(_LINES)
  _run(
    f"--encoder={root}/run",
    f"--images={root}/pictures",
    "--labelled",
    f"--out={root}/page.html",
    f"--figures={root}/new/figures",
    "--num_queries=5",
    "--num_neighbours=4",
  )
  return root


@pytest.fixture(scope="module")
def page(made):
  return Page(made / "page.html")


def test_no_name_becomes_markup(page):
  assert len(page.all("script")) == 2
  # Five pictures, and four neighbours of each.
  assert len(page.all("img")) == 25
  attributes = {name for _, attrs in page.tags for name in attrs}
  assert not {name for name in attributes if name.startswith("on")}
  assert not page.all("b") or "top1" not in "".join(page.texts["b"])
  shown = {attrs["alt"] for attrs in page.all("img")}
  assert len(shown) > 5
  assert shown <= {problems.printable(name) for name in _NAMES}


def test_the_script_gets_all_names_as_text(page):
  assert page.data["names"] == [problems.printable(name) for name in _NAMES]
  assert "<script>alert(1)</script>.png" in page.data["names"]
  assert page.data["classes"] == list(_CLASSES)
  assert page.data["labels"] == [0] * 5 + [1] * 5 + [2] * 5
  assert page.whole.count("</script>") == 2


def test_nothing_is_loaded_and_no_other_script_may_run(page):
  sources = [attrs["src"] for _, attrs in page.tags if "src" in attrs]
  assert all(x.startswith("data:image/webp;base64,") for x in sources)
  assert not page.all("link")
  links = [attrs["href"] for attrs in page.all("a")]
  assert len(links) == 5
  assert all(link.startswith("#") for link in links)
  (policy,) = (x for x in page.all("meta") if "http-equiv" in x)
  assert policy["content"].startswith("default-src 'none'; img-src data:;")
  assert "script-src 'sha256-" in policy["content"]


def test_rows_show_the_nearest_with_marks(page):
  labels = page.data["labels"]
  marks = [text for text in page.texts["span"] if text in "✓✗"]
  assert len(marks) == 20
  names = page.data["names"]
  rows = np.array([names.index(x["alt"]) for x in page.all("img")])
  for query, *near in rows.reshape(5, 5):
    assert near == page.data["near"][query]
    assert query not in near
  same = np.equal(*np.array(labels)[[rows[::5].repeat(4), _others(rows)]])
  assert 0 < same.sum() < 20
  assert [mark == "✓" for mark in marks] == list(same)


def _others(rows):
  return rows.reshape(5, 5)[:, 1:].ravel()


def test_head_tells_run_and_pictures(page):
  (title,) = page.texts["title"]
  assert title.endswith("run, step 7")
  facts = dict(zip(page.texts["dt"], page.texts["dd"], strict=True))
  assert facts["Pictures"] == "15"
  assert facts["Classes"] == "3"
  assert facts["Features"] == "16"
  assert facts["Seen by the network"] == "8 x 8 pixels"
  assert facts["Right by neighbours"].endswith("%")


def test_curves_are_those_of_the_record(page):
  text = page.whole
  assert "Loss" in text
  assert "Accuracy" in text
  assert "&lt;b&gt;_top1" in text
  assert "no record of the training" not in text


def test_identifiers_are_unique(page):
  found = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
  assert len(found) == len(set(found)) > 10


def test_figures_are_pictures(made):
  folder = made / "new" / "figures"
  expected = {"map", "neighbours", "spectrum", "confusion", "curves"}
  assert {path.name for path in folder.iterdir()} == {
    f"{name}.png" for name in expected
  }
  for path in folder.iterdir():
    with Image.open(path) as picture:
      assert min(picture.size) > 300
      assert np.asarray(picture.convert("L")).std() > 5


def test_the_projector_has_all_pictures(made):
  folder = made / "run" / "tensorboard"
  rows = np.loadtxt(folder / "projector" / "features.tsv")
  assert rows.shape == (15, 16)
  assert rows.std() > 0.01
  assert (folder / "projector_config.pbtxt").is_file()


@pytest.fixture(scope="module")
def unlabelled(made):
  shutil.copytree(made / "run", made / "bare", ignore=_record)
  _run(
    f"--encoder={made}/bare/checkpoints",
    f"--images={made}/pictures",
    f"--out={made}/unlabelled.html",
    "--max_images=9",
    "--noprojector",
  )
  return Page(made / "unlabelled.html")


def _record(folder, names):
  return {"metrics.jsonl", "tensorboard"} & set(names)


def test_without_labels_and_record_the_page_says_so(unlabelled, made):
  assert "no record of the training" in unlabelled.whole
  assert "Classes by neighbours" not in unlabelled.whole
  assert "✓" not in unlabelled.whole
  assert unlabelled.data["labels"] == unlabelled.data["colours"] == []
  assert not (made / "bare" / "tensorboard").exists()


def test_of_many_pictures_some_are_drawn_in_order(unlabelled):
  names = unlabelled.data["names"]
  assert len(names) == 9
  known = [problems.printable(name) for name in _NAMES]
  places = [known.index(name) for name in names]
  assert places == sorted(set(places))
  assert places != list(range(9))
  assert "9 of 15, drawn at random (seed 0)" in unlabelled.whole
