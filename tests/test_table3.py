"""Ours beside the paper's transfer table."""

import pytest

from byol_jax.data import benchmark_sets
from byol_jax.evaluation import table3


@pytest.mark.parametrize("rows", [table3.LOGISTIC, table3.FINE_TUNED])
def test_every_row_has_every_set(rows):
  assert set(table3.COLUMNS) == set(benchmark_sets.SETS)
  assert {len(line.split()) for line in rows.values()} == {12}


@pytest.mark.parametrize(
  ("config", "food", "caption"),
  [
    ({"protocol": "logistic"}, "75.3", "Logistic regression"),
    (
      {"protocol": "classify", "training": {"frozen": False}},
      "88.5",
      "Fine-tuning",
    ),
  ],
)
def test_the_papers_rows_are_those_of_the_protocol(config, food, caption):
  rows, text = table3.rows_of(config)
  assert rows["BYOL"].split()[0] == food
  assert text.startswith(caption)


@pytest.mark.parametrize(
  "config",
  [{"protocol": "knn"}, {"protocol": "classify", "training": {"frozen": True}}],
)
def test_the_paper_has_no_rows_for_other_protocols(config):
  assert table3.rows_of(config)[0] == {}


def test_our_row_has_a_dash_for_what_lacks():
  text = table3.table({"BYOL": " ".join(["1.0"] * 12)}, {"dtd": 0.5}, "mine")
  *_, paper, ours = text.splitlines()
  assert paper.count("1.0") == 12
  cells = [cell.strip() for cell in ours.strip("|").split("|")]
  assert cells == ["mine (ours)", *["-"] * 8, "50.0", *["-"] * 3]
