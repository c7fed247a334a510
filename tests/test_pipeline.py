"""Batches by tf.data: order, hosts, resuming, decoding and padding."""

import io
import itertools

import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from byol_jax.augment import crops, policies
from byol_jax.data import (
  folder,
  host_crops,
  memory,
  pictures,
  pipeline,
  sources,
)

_NUM_IMAGES = 30
_POLICY = policies.Policy(
  crop_area=(0.08, 1.0),
  crop_ratio=(3 / 4, 4 / 3),
  flip=0.5,
  jitter=0.8,
  brightness=0.4,
  contrast=0.4,
  saturation=0.2,
  hue=0.1,
  grayscale=0.2,
  blur=0.5,
  blur_sigma=(0.1, 2.0),
  blur_divider=4.0,
  solarize=0.2,
  solarize_threshold=0.5,
)
_COLOURS_KEPT = _POLICY._replace(
  jitter=0.0, grayscale=0.0, blur=0.0, solarize=0.0
)

_WHOLE = sources.Geometry("crop_then_resize", 1.0)


def _views(where="device", policy=_POLICY):
  return sources.Views((policy, policy), 8, where)


def _reader(host=0, num_hosts=1, seed=0, batch_size=12):
  return sources.Reader(seed, batch_size, host, num_hosts)


def _arrays(num_images=_NUM_IMAGES, size=12):
  images = np.random.default_rng(0).integers(
    0, 256, (num_images, size, size, 3), np.uint8
  )
  labels = np.arange(num_images, dtype=np.int32) % 7
  return sources.ArraySource(images, labels, tuple("abcdefg"))


def _smooth(number, height, width):
  """A picture that survives JPEG compression."""
  rows, columns = np.mgrid[:height, :width] / 40
  waves = [np.sin(number + k + 3 * rows + k * columns) for k in range(3)]
  return (127.5 + 127 * np.stack(waves, axis=-1)).astype(np.uint8)


def _encode(image, file_format, mode="RGB", **options):
  file = io.BytesIO()
  Image.fromarray(image).convert(mode).save(file, file_format, **options)
  return file.getvalue()


def _rotated():
  exif = Image.Exif()
  exif[0x0112] = 6
  return exif


_KINDS = {
  "rgb.jpg": ("JPEG", "RGB", {}),
  "grey.jpg": ("JPEG", "L", {}),
  "full_chroma.jpg": ("JPEG", "RGB", {"subsampling": 0}),
  "progressive.jpg": ("JPEG", "RGB", {"progressive": True}),
  "cmyk.jpg": ("JPEG", "CMYK", {}),
  "rotated.jpg": ("JPEG", "RGB", {"exif": _rotated()}),
  "rgba.png": ("PNG", "RGBA", {}),
  "palette.gif": ("GIF", "RGB", {}),
  "lossy.webp": ("WEBP", "RGB", {}),
}


@pytest.fixture(scope="module")
def encoded(tmp_path_factory):
  """Pictures of every kind and of several sizes, in a folder."""
  root = tmp_path_factory.mktemp("pictures")
  for number, (name, kind) in enumerate(_KINDS.items()):
    file_format, mode, options = kind
    image = _smooth(number, 40 + 7 * number, 90 - 6 * number)
    content = _encode(image, file_format, mode, **options)
    (root / name).write_bytes(content)
  return folder.open_pictures(str(root), "", False, "fatal")


def _train(source, reader, start_step, count, views=None):
  batches = pipeline.train_batches(
    source, views or _views(), reader, start_step
  )
  return list(itertools.islice(batches, count))


def _assert_equal(first, second):
  assert set(first) == set(second)
  for name in first:
    np.testing.assert_array_equal(first[name], second[name], err_msg=name)


@pytest.mark.parametrize(
  ("where", "dtype"), [("device", np.uint8), ("host", np.float32)]
)
def test_train_batches_have_two_different_views(where, dtype):
  (batch,) = _train(_arrays(), _reader(), 0, 1, _views(where))
  assert set(batch) == {"view1", "view2", "index", "labels"}
  for name in ("view1", "view2"):
    assert batch[name].shape == (12, 8, 8, 3)
    assert batch[name].dtype == dtype
    assert batch[name].max() <= (255 if where == "device" else 1.0)
    assert batch[name].std() > 0.1
  assert np.any(batch["view1"] != batch["view2"])
  assert batch["index"].dtype == batch["labels"].dtype == np.int32
  np.testing.assert_array_equal(batch["labels"], batch["index"] % 7)


@pytest.mark.parametrize("num_images", [12, 24, 36])
def test_each_epoch_is_another_permutation(num_images):
  steps = num_images // 12
  batches = _train(_arrays(num_images), _reader(), 0, 2 * steps)
  orders = np.stack([batch["index"] for batch in batches]).reshape(2, -1)
  for order in orders:
    np.testing.assert_array_equal(np.sort(order), np.arange(num_images))
  assert np.any(orders[0] != orders[1])


def test_same_picture_gets_other_views_in_the_next_epoch():
  first, second = _train(_arrays(12), _reader(), 0, 2)
  first = first["view1"][np.argsort(first["index"])]
  second = second["view1"][np.argsort(second["index"])]
  assert np.all(np.any(first != second, axis=(1, 2, 3)))


def test_seeds_change_order_and_views():
  (first,) = _train(_arrays(12), _reader(seed=0), 0, 1)
  (second,) = _train(_arrays(12), _reader(seed=1), 0, 1)
  assert np.any(first["index"] != second["index"])
  # Seed and view must not be interchangeable: view 2 of seed 0, view 1 of 1.
  order1, order2 = np.argsort(first["index"]), np.argsort(second["index"])
  assert np.any(first["view2"][order1] != second["view1"][order2])


@pytest.mark.parametrize(
  ("where", "step"), [("device", 1), ("host", 2), ("host", 3)]
)
def test_resumed_batches_are_the_same(encoded, where, step):
  reader = _reader(batch_size=4)
  whole = _train(encoded, reader, 0, 5, _views(where))
  resumed = _train(encoded, reader, step, 5 - step, _views(where))
  for first, second in zip(whole[step:], resumed, strict=True):
    _assert_equal(first, second)


@pytest.mark.parametrize("num_hosts", [2, 3, 4])
def test_hosts_share_the_batch_of_one_host(num_hosts):
  source = _arrays()
  parts = [
    _train(source, _reader(host, num_hosts), 1, 3) for host in range(num_hosts)
  ]
  whole = _train(source, _reader(), 1, 3)
  for batch, *shares in zip(whole, *parts, strict=True):
    together = {
      name: np.concatenate([share[name] for share in shares]) for name in batch
    }
    order, other = np.argsort(batch["index"]), np.argsort(together["index"])
    _assert_equal(
      {name: values[order] for name, values in batch.items()},
      {name: values[other] for name, values in together.items()},
    )


def test_views_are_the_drawn_crops_of_the_picture():
  source = _arrays(12)
  (batch,) = _train(
    source, _reader(seed=5), 0, 1, _views("host", _COLOURS_KEPT)
  )
  for view in range(2):
    uniforms = np.stack(
      [
        host_crops.draw_uniforms(5, tf.constant(0, tf.int64), index, view, 12)
        for index in tf.constant(batch["index"], tf.int64)
      ]
    )
    draw = policies.crop_draw(jnp.asarray(uniforms), _COLOURS_KEPT)
    assert 0 < draw.flip.sum() < 12
    expected = crops.crop_and_resize(
      jnp.asarray(source.images[batch["index"]]), crops.box(draw, 12, 12), 8
    )
    actual = batch[f"view{view + 1}"]
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1 / 255)


def test_train_batches_carry_several_labels_for_each_picture():
  labels = np.random.default_rng(1).integers(-1, 2, (12, 5), np.int32)
  source = _arrays(12)._replace(labels=labels)
  (batch,) = _train(source, _reader(), 0, 1)
  np.testing.assert_array_equal(batch["labels"], labels[batch["index"]])


@pytest.mark.parametrize("where", ["host", "device"])
def test_one_view_is_the_first_of_two(where):
  views = _views(where)
  (both,) = _train(_arrays(12), _reader(), 0, 1, views)
  (alone,) = _train(
    _arrays(12), _reader(), 0, 1, views._replace(policies=(_POLICY,))
  )
  assert both["view1"].std() > 0.1
  _assert_equal(alone, {k: x for k, x in both.items() if k != "view2"})


def test_device_views_are_the_rounded_crops(encoded):
  reader = _reader(batch_size=9)
  kept = [
    _train(encoded, reader, 0, 1, _views(where, _COLOURS_KEPT))[0]
    for where in ("device", "host")
  ]
  np.testing.assert_array_equal(
    kept[0]["view1"], np.round(kept[1]["view1"] * 255)
  )


@pytest.fixture(scope="module")
def whole_squares(encoded):
  """The evaluation's pictures when nothing is cut off the shorter side."""
  reader = _reader(batch_size=9)
  (batch,) = pipeline.eval_batches(encoded, 8, reader, _WHOLE)
  return batch["images"]


@pytest.mark.parametrize("kind", _KINDS)
def test_pictures_of_every_kind_are_decoded_alike(encoded, whole_squares, kind):
  number = sorted(_KINDS).index(kind)
  image = pictures.decode(encoded.read(number)).astype(np.float32)
  height, width = image.shape[:2]
  side = min(height, width)
  top, left = (height - side + 1) // 2, (width - side + 1) // 2
  square = image[top : top + side, left : left + side]
  expected = tf.image.resize(square, (8, 8), method="bicubic")
  assert whole_squares[number].std() > 10
  np.testing.assert_allclose(whole_squares[number], expected, atol=3)


@pytest.mark.parametrize(("subsampling", "num_equal"), [(0, 47), (2, 46)])
def test_plain_jpegs_decode_only_the_crop(subsampling, num_equal):
  jpeg = _encode(_smooth(1, 64, 96), "JPEG", subsampling=subsampling)
  box = host_crops.Box(*tf.constant([13, 21, 30, 47]))
  cut = host_crops.decode_cut(tf.constant(jpeg), box, "INTEGER_ACCURATE")
  cut = cut.numpy().astype(int)
  whole = pictures.decode(jpeg).astype(int)[13:43, 21:68]
  # The chroma beyond the crop is not there to be interpolated with.
  np.testing.assert_array_equal(cut[:, :num_equal], whole[:, :num_equal])
  np.testing.assert_allclose(cut, whole, rtol=0, atol=12)


def _as_records(source):
  """The same files without knowing their formats; labels lie beside them."""

  def read(position):
    return source.read(position), 100 + position

  names = tuple(map(str, range(100 + source.num_images)))
  return sources.RecordSource(source.num_images, True, names, read)


def test_records_are_decoded_by_their_bytes(encoded):
  reader = _reader(batch_size=9)
  (known,) = pipeline.eval_batches(encoded, 8, reader)
  (batch,) = pipeline.eval_batches(_as_records(encoded), 8, reader)
  rotated = sorted(_KINDS).index("rotated.jpg")
  others = np.arange(9) != rotated
  np.testing.assert_array_equal(
    known["images"][others], batch["images"][others]
  )
  assert np.any(known["images"][rotated] != batch["images"][rotated])
  np.testing.assert_array_equal(batch["labels"], 100 + batch["index"])


def test_records_train_like_files(encoded):
  records = _as_records(encoded)
  (first,) = _train(encoded, _reader(batch_size=4), 1, 1)
  (second,) = _train(records, _reader(batch_size=4), 1, 1)
  np.testing.assert_array_equal(first["index"], second["index"])
  rotated = first["index"] == sorted(_KINDS).index("rotated.jpg")
  np.testing.assert_array_equal(
    first["view1"][~rotated], second["view1"][~rotated]
  )


@pytest.mark.parametrize("num_hosts", [1, 2, 3, 4])
@pytest.mark.parametrize("num_images", [11, 13, 24])
def test_eval_batches_show_each_picture_once(num_hosts, num_images):
  source = _arrays(num_images, size=8)
  seen = []
  for host in range(num_hosts):
    reader = _reader(host, num_hosts)
    batches = list(pipeline.eval_batches(source, 8, reader, _WHOLE))
    assert len(batches) == -(-num_images // 12)
    for batch in batches:
      real = batch["mask"]
      assert batch["images"].shape == (12 // num_hosts, 8, 8, 3)
      assert batch["images"].dtype == np.uint8
      assert batch["index"].dtype == batch["labels"].dtype == np.int32
      index = batch["index"][real]
      np.testing.assert_array_equal(batch["images"][real], source.images[index])
      np.testing.assert_array_equal(batch["labels"][real], source.labels[index])
      seen.extend(index)
  np.testing.assert_array_equal(np.sort(seen), np.arange(num_images))


def test_eval_batches_cut_the_centre():
  images = np.zeros((1, 16, 16, 3), np.uint8)
  # Side int(0.875 * 16) = 14 from (2 + 1) // 2 = 1 on.
  images[:, 1:15, 1:15] = 200
  source = sources.ArraySource(images, np.zeros(0, np.int32), ())
  (batch,) = pipeline.eval_batches(source, 7, _reader())
  np.testing.assert_array_equal(batch["images"][0], np.full((7, 7, 3), 200))
  assert "labels" not in batch


@pytest.mark.parametrize(("height", "width"), [(40, 60), (60, 40), (33, 33)])
def test_resize_then_crop_keeps_the_middle_of_the_resized(height, width):
  image = _smooth(3, height, width)
  source = sources.ArraySource(image[None], np.zeros(0, np.int32), ())
  geometry = sources.Geometry("resize_then_crop", 0.8)
  (batch,) = pipeline.eval_batches(source, 16, _reader(), geometry)
  # The shorter side becomes 16 / 0.8 = 20 pixels.
  shape = [round(20 * side / min(height, width)) for side in (height, width)]
  resized = tf.image.resize(image, shape, method="bicubic")
  top, left = ((side - 16 + 1) // 2 for side in shape)
  expected = resized[top : top + 16, left : left + 16]
  assert np.std(expected) > 10
  np.testing.assert_allclose(batch["images"][0], expected, rtol=0, atol=0.51)


def test_geometries_agree_on_encoded_pictures_of_every_kind(encoded):
  reader = _reader(batch_size=9)
  geometry = sources.Geometry("resize_then_crop", 1.0)
  (batch,) = pipeline.eval_batches(encoded, 8, reader, geometry)
  (cut,) = pipeline.eval_batches(encoded, 8, reader, _WHOLE)
  assert np.any(batch["images"] != cut["images"])
  np.testing.assert_allclose(
    batch["images"].mean((1, 2)), cut["images"].mean((1, 2)), atol=12
  )


@pytest.mark.parametrize("order", sources.GEOMETRY_ORDERS)
def test_pools_are_shown_as_files_are(order):
  images = np.stack([_smooth(number, 20, 32) for number in range(12)])
  source = sources.ArraySource(images, np.zeros(0, np.int32), ())
  geometry = sources.Geometry(order, 0.75)
  (pool,) = memory.eval_batches(source, 9, _reader(), geometry)
  (files,) = pipeline.eval_batches(source, 9, _reader(), geometry)
  assert pool["images"].std() > 10
  np.testing.assert_allclose(
    pool["images"].astype(int), files["images"].astype(int), atol=1
  )


@pytest.mark.parametrize(
  "geometry",
  [
    sources.Geometry("crop", 1.0),
    sources.Geometry("crop_then_resize", 0.0),
    sources.Geometry("resize_then_crop", 1.1),
  ],
)
def test_impossible_geometry_is_named(geometry):
  with pytest.raises(ValueError, match=r"(crop|0.0|1.1).*(one of|in \(0, 1\])"):
    next(pipeline.eval_batches(_arrays(), 8, _reader(), geometry))


def test_picture_that_cannot_be_decoded_is_one_sentence(tmp_path):
  for name, content in (("a.jpg", b"no picture"), ("b.png", b"nor this")):
    (tmp_path / name).write_bytes(content)
  source = folder.open_pictures(str(tmp_path), "", False, "unchecked")
  with pytest.raises(
    ValueError, match=r"(a.jpg|b.png) cannot be decoded .*data.corrupt"
  ):
    _train(source, _reader(batch_size=2), 0, 1)


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_that_is_no_class_is_refused(label):
  file = _encode(np.zeros((9, 9, 3), np.uint8), "PNG")
  labels = [0, 1, 2, label]
  source = sources.RecordSource(
    4, True, tuple("abc"), lambda n: (file, labels[n])
  )
  with pytest.raises(ValueError, match=f"label {label}, and 3 classes"):
    list(pipeline.eval_batches(source, 8, _reader(batch_size=4)))


def test_wrong_place_for_the_views_is_named():
  with pytest.raises(ValueError, match=r"data.views='memory'"):
    pipeline.train_batches(_arrays(), _views("memory"), _reader(), 0)


def test_set_smaller_than_a_batch_is_named():
  with pytest.raises(ValueError, match=r"5 images"):
    pipeline.train_batches(_arrays(5), _views(), _reader(), 0)


def test_tensorflow_sees_no_accelerator():
  assert tf.config.get_visible_devices("GPU") == []


def _stream(num_images=_NUM_IMAGES):
  """A stream over PNG files whose red channel is their label."""
  labels = np.arange(num_images, dtype=np.int64)
  files = [
    _encode(np.full((9, 9, 3), label, np.uint8), "PNG") for label in labels
  ]

  def open_stream(seed, host, num_hosts):
    dataset = tf.data.Dataset.from_tensor_slices(
      {"encoded": files, "label": labels}
    ).shard(num_hosts, host)
    return dataset if seed is None else dataset.shuffle(num_images, seed)

  names = tuple(map(str, labels))
  return sources.StreamSource(num_images, True, names, open_stream)


def test_stream_epochs_are_different_permutations():
  batches = _train(_stream(24), _reader(), 0, 4)
  orders = np.stack([batch["labels"] for batch in batches]).reshape(2, -1)
  for order in orders:
    np.testing.assert_array_equal(np.sort(order), np.arange(24))
  assert np.any(orders[0] != orders[1])


@pytest.mark.parametrize(("step", "num_hosts"), [(1, 1), (2, 2), (3, 1)])
def test_stream_resumes_exactly(step, num_hosts):
  reader = _reader(num_hosts - 1, num_hosts)
  whole = _train(_stream(), reader, 0, 5)
  resumed = _train(_stream(), reader, step, 5 - step)
  for first, second in zip(whole[step:], resumed, strict=True):
    _assert_equal(first, second)


def test_stream_hosts_share_pictures_and_indices():
  parts = [_train(_stream(24), _reader(host, 2), 0, 2) for host in range(2)]
  for name in ("labels", "index"):
    values = [batch[name] for part in parts for batch in part]
    np.testing.assert_array_equal(
      np.sort(np.concatenate(values)), np.arange(24)
    )


def test_stream_evaluation_shows_each_picture_once_in_order():
  seen = []
  for host in range(2):
    batches = list(pipeline.eval_batches(_stream(25), 8, _reader(host, 2)))
    assert len(batches) == 3
    for batch in batches:
      labels = batch["labels"][batch["mask"]]
      np.testing.assert_array_equal(
        batch["images"][batch["mask"]][:, 0, 0, 0], labels
      )
      np.testing.assert_array_equal(batch["index"][batch["mask"]], labels)
      seen.extend(labels)
  np.testing.assert_array_equal(np.sort(seen), np.arange(25))
