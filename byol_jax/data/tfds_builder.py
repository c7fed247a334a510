"""Finds what TensorFlow Datasets has prepared, or says how to prepare it."""

import tensorflow as tf
import tensorflow_datasets as tfds
from google.protobuf import json_format
from tensorflow_datasets.core import read_only_builder

_DEFAULT_DIR = "~/tensorflow_datasets"
# What TFDS was seen to raise over a damaged dataset_info.json or features.json,
# a place that cannot be reached, and a name that is none.
_DAMAGED = (
  json_format.ParseError,
  tf.errors.OpError,
  ValueError,
  LookupError,
  TypeError,
  OSError,
)
_MANUAL = {
  "imagenet2012": (
    " after putting ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar, which"
    " image-net.org gives to registered researchers, into"
    " {data_dir}/downloads/manual"
  )
}


def find(name: str, data_dir: str) -> tfds.core.DatasetBuilder:
  """A prepared set; its arguments and errors are those of `open_tfds`."""
  try:
    return read_only_builder.builder_from_files(name, data_dir=data_dir or None)
  except tfds.core.DatasetNotFoundError as error:
    raise ValueError(_not_prepared(name, data_dir)) from error
  except _DAMAGED as error:
    reason = str(error).strip().partition("\n")[0].rstrip(".")
    raise ValueError(
      f"the TFDS set {name!r} in {data_dir or _DEFAULT_DIR} cannot be opened"
      f" ({reason}): correct data.tfds_name and data.data_dir, or prepare it"
      " again."
    ) from error


def split_size(builder: tfds.core.DatasetBuilder, name: str, split: str) -> int:
  """Pictures in a split, at least one; errors are those of `open_tfds`."""
  try:
    num_images = builder.info.splits[split].num_examples
  except (ValueError, KeyError) as error:
    known = ", ".join(sorted(builder.info.splits))
    raise ValueError(
      f"the TFDS set {name!r} has no split {split!r}: it has {known}, and parts"
      " of them such as 'train[:1000]'."
    ) from error
  if not num_images:
    raise ValueError(f"the split {split!r} of the TFDS set {name!r} is empty.")
  return num_images


def has_random_access(builder: tfds.core.DatasetBuilder) -> bool:
  """Whether a set is prepared in the array_record format."""
  formats = builder.info.available_file_formats()
  return "array_record" in {file_format.value for file_format in formats}


def _not_prepared(name: str, data_dir: str) -> str:
  """How to get the data set, in one sentence."""
  where = data_dir or _DEFAULT_DIR
  bare_name = name.partition("/")[0].partition(":")[0]
  manual = _MANUAL.get(bare_name, "").format(data_dir=where)
  option = f", data_dir={data_dir!r}" if data_dir else ""
  command = (
    "import tensorflow_datasets as tfds;"
    f" tfds.builder({name!r}{option}, file_format='array_record')"
    ".download_and_prepare()"
  )
  return (
    f"the TFDS set {name!r} is not prepared in {where}: set data.data_dir or"
    f' prepare it once by `python -c "{command}"`{manual}.'
  )
