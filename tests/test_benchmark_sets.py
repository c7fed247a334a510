"""The twelve transfer sets against the paper's table and TFDS's sources."""

import pytest
import tensorflow_datasets as tfds

from byol_jax.data import benchmark_sets

_METRICS = {
  "top1": {"food101", "cifar10", "cifar100", "birdsnap", "sun397", "cars"}
  | {"dtd"},
  "mean_per_class": {"aircraft", "pets", "caltech101", "flowers"},
  "map11": {"voc2007"},
}
# Train and validation together, and test (paper, Table 10).
_TOTALS = {
  "food101": (75_750, 25_250),
  "cifar10": (50_000, 10_000),
  "cifar100": (50_000, 10_000),
  "birdsnap": (47_386, 2_443),
  "sun397": (19_850, 19_850),
  "cars": (8_144, 8_041),
  "aircraft": (6_667, 3_333),
  "voc2007": (5_011, 4_952),
  "dtd": (3_760, 1_880),
  "pets": (3_680, 3_669),
  "caltech101": (3_060, 6_084),
  "flowers": (2_040, 6_149),
}
_FOLDERS_ONLY = {"birdsnap", "aircraft"}


def test_there_are_twelve_sets_in_the_order_of_the_table():
  assert list(benchmark_sets.SETS) == list(_TOTALS)


@pytest.mark.parametrize("name", _TOTALS)
def test_sizes_and_metric_are_the_papers(name):
  found = benchmark_sets.SETS[name]
  train, valid, test = found.sizes
  assert (train + valid, test) == _TOTALS[name]
  assert name in _METRICS[found.metric]


@pytest.mark.parametrize("name", _TOTALS)
def test_what_is_held_out_is_the_valid_part(name):
  found = benchmark_sets.SETS[name]
  times = {"per_class": found.num_classes, "given": 0}.get(found.hold_out, 1)
  valid = found.sizes[1]
  assert found.hold_out_images * times == (valid if times else 0)
  assert bool(found.valid_split) == (found.hold_out == "given")


@pytest.mark.parametrize("name", sorted(set(_TOTALS) - _FOLDERS_ONLY))
def test_tfds_knows_the_set(name, tmp_path):
  found = benchmark_sets.SETS[name]
  builder = tfds.builder(found.tfds_name, data_dir=str(tmp_path))
  features = builder.info.features
  labels = (
    features["labels"].feature if name == "voc2007" else features["label"]
  )
  assert labels.num_classes == found.num_classes


def test_sets_without_a_builder_are_folders():
  without = {k for k, x in benchmark_sets.SETS.items() if not x.tfds_name}
  assert without == _FOLDERS_ONLY
