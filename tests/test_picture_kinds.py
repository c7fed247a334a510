"""The same picture in every kind of file looks the same in all three views."""

import io
import itertools
import struct
import zlib

import numpy as np
import pytest
import whole
from PIL import Image

from byol_jax.data import folder, host_crops, memory, pipeline, sources

# Four quarters, in reading order; no channel is near its limits.
_COLOURS = np.array(
  [[[200, 60, 60], [70, 180, 90]], [[60, 80, 190], [150, 140, 130]]], np.uint8
)
_BASE = _COLOURS.repeat(16, axis=0).repeat(16, axis=1)
_GREY = np.asarray(Image.fromarray(_BASE).convert("L"))
_PLAIN = np.full((1, 1, 3), 120, np.uint8)
# Everything of the picture, in its own colours.
_WHOLE = whole.POLICY
# How a picture is stored that a viewer turns upright, by EXIF orientation.
_STORED = {
  1: lambda x: x,
  2: lambda x: x[:, ::-1],
  3: lambda x: x[::-1, ::-1],
  4: lambda x: x[::-1],
  5: lambda x: x.transpose(1, 0, 2),
  6: lambda x: np.rot90(x),
  7: lambda x: x[::-1, ::-1].transpose(1, 0, 2),
  8: lambda x: np.rot90(x, -1),
}


def _encode(image, file_format, mode="RGB", **options):
  file = io.BytesIO()
  picture = Image.fromarray(image)
  if image.dtype == np.uint8:
    picture = picture.convert(mode, palette=Image.Palette.ADAPTIVE)
  if file_format in ("JPEG", "MPO"):
    options = {"quality": 95, "subsampling": 0, **options}
  picture.save(file, file_format, **options)
  return file.getvalue()


def _turned(orientation, file_format="JPEG", **options):
  exif = Image.Exif()
  exif[0x0112] = orientation
  stored = np.ascontiguousarray(_STORED[orientation](_BASE))
  return _encode(stored, file_format, exif=exif, **options)


def _animated(file_format, **options):
  others = [Image.new("RGB", (32, 32), "white")]
  return _encode(
    _BASE, file_format, save_all=True, append_images=others, **options
  )


def _chunk(name, content):
  checksum = zlib.crc32(name + content)
  return (
    struct.pack(">I", len(content))
    + name
    + content
    + struct.pack(">I", checksum)
  )


def _png_of_16_bits():
  """Red, green and blue of two bytes each, which Pillow cannot write."""
  rows = _BASE.repeat(2, axis=2).reshape(32, 192)
  body = b"".join(b"\0" + row.tobytes() for row in rows)
  header = struct.pack(">IIBBBBB", 32, 32, 16, 2, 0, 0, 0)
  return b"\x89PNG\r\n\x1a\n" + b"".join(
    itertools.starmap(
      _chunk,
      [(b"IHDR", header), (b"IDAT", zlib.compress(body)), (b"IEND", b"")],
    )
  )


def _ycck():
  """Pillow writes red, green, blue inverted twice: here they are Y, Cb, Cr."""
  cmyk = _encode(_BASE, "JPEG", "CMYK")
  place = cmyk.index(b"Adobe") + 11
  assert cmyk[place] == 0
  return cmyk[:place] + b"\2" + cmyk[place + 1 :]


def _as_ycck(colours):
  """What YCCK means by these numbers: the inverse of JPEG's colours."""
  y, blue, red = np.moveaxis(colours.astype(np.float64), -1, 0)
  blue, red = blue - 128, red - 128
  rgb = [
    y + 1.402 * red,
    y - 0.344136 * blue - 0.714136 * red,
    y + 1.772 * blue,
  ]
  return 255 - np.clip(np.stack(rgb, axis=-1), 0, 255)


_KINDS = {
  "png_called.jpg": (_encode(_BASE, "PNG"), _COLOURS),
  "jpeg_called.png": (_encode(_BASE, "JPEG"), _COLOURS),
  "webp_called.gif": (_encode(_BASE, "WEBP", lossless=True), _COLOURS),
  "grey.jpg": (_encode(_BASE, "JPEG", "L"), _GREY[::16, ::16, None]),
  "grey.png": (_encode(_BASE, "PNG", "LA"), _GREY[::16, ::16, None]),
  "cmyk.jpg": (_encode(_BASE, "JPEG", "CMYK"), _COLOURS),
  "ycck.jpg": (_ycck(), _as_ycck(_COLOURS)),
  "adobe_rgb.jpg": (_encode(_BASE, "JPEG", keep_rgb=True), _COLOURS),
  "progressive.jpg": (_encode(_BASE, "JPEG", progressive=True), _COLOURS),
  "grey_of_16_bits.png": (
    _encode(_GREY.astype(np.uint16) * 257, "PNG"),
    _GREY[::16, ::16, None],
  ),
  "colours_of_16_bits.png": (_png_of_16_bits(), _COLOURS),
  "palette.png": (_encode(_BASE, "PNG", "P"), _COLOURS),
  "palette.bmp": (_encode(_BASE, "BMP", "P"), _COLOURS),
  "animated.gif": (_animated("GIF"), _COLOURS),
  "animated.webp": (_animated("WEBP", lossless=True), _COLOURS),
  "animated.png": (_animated("PNG"), _COLOURS),
  "several.jpg": (_animated("MPO"), _COLOURS),
  "turned.png": (_turned(6, "PNG"), _COLOURS),
  "turned.webp": (_turned(8, "WEBP", lossless=True), _COLOURS),
  "one_pixel.jpg": (_encode(_PLAIN, "JPEG"), _PLAIN),
  "one_pixel.png": (_encode(_PLAIN, "PNG"), _PLAIN),
  "seven_pixels.jpg": (_encode(_PLAIN.repeat(7, 1), "JPEG"), _PLAIN),
  "wide.jpg": (_encode(_PLAIN.repeat(20_000, 1), "JPEG"), _PLAIN),
  "tall.jpg": (_encode(_PLAIN.repeat(20_000, 0), "JPEG"), _PLAIN),
  "tall.png": (_encode(_PLAIN.repeat(20_000, 0), "PNG"), _PLAIN),
  **{f"turn_{n}.jpg": (_turned(n), _COLOURS) for n in _STORED},
  **{
    f"broken_exif_{number}.{file_format.lower()}": (
      _encode(_BASE, file_format, exif=b"Exif\0\0" + exif),
      _COLOURS,
    )
    for file_format in ("JPEG", "PNG", "WEBP")
    for number, exif in enumerate((b"", b"no EXIF at all", b"MM\0*\0"))
  },
}
_NAMES = sorted(_KINDS)
_READER = sources.Reader(0, len(_KINDS), 0, 1)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
  root = tmp_path_factory.mktemp("kinds")
  for name, (content, _) in _KINDS.items():
    (root / name).write_bytes(content)
  found = folder.open_pictures(str(root), "", False, "fatal")
  assert found.num_images == len(_KINDS)
  return found


def _trained(source, where):
  views = sources.Views((_WHOLE,), 8, where)
  batch = next(pipeline.train_batches(source, views, _READER, 0))
  images = batch["view1"][np.argsort(batch["index"])]
  return 255 * images if where == "host" else images


@pytest.fixture(scope="module", params=["host", "device", "memory", "first"])
def shown(request, source):
  """All pictures, of 8 pixels, as one of the three views or evaluation."""
  if request.param == "memory":
    return memory.decode_all(source, 8).images
  if request.param == "first":
    geometry = sources.Geometry("resize_then_crop", 1.0)
    batch = next(pipeline.eval_batches(source, 8, _READER, geometry))
    return batch["images"]
  return _trained(source, request.param)


@pytest.mark.parametrize("name", _NAMES)
def test_every_kind_of_file_shows_its_picture(shown, name):
  quarters = shown[_NAMES.index(name)][1::5, 1::5]
  expected = np.broadcast_to(_KINDS[name][1], (2, 2, 3))
  np.testing.assert_allclose(quarters, expected, rtol=0, atol=14)


@pytest.mark.parametrize("transpose", [False, True])
def test_ends_of_a_very_long_picture_are_cut_off_alike(transpose):
  picture = np.zeros((2, 1001, 3), np.uint8)
  picture[:, 500 - 16 : 501 + 16] = 1
  picture[:, 500] = 2
  if transpose:
    picture = picture.transpose(1, 0, 2)
  kept = host_crops.shortened(picture).numpy()
  if transpose:
    kept = kept.transpose(1, 0, 2)
  assert kept.shape == (2, 33, 3)
  assert kept.min() == 1
  np.testing.assert_array_equal(kept[:, 16], 2)


@pytest.mark.parametrize("shape", [(1, 1, 3), (5, 80, 3), (80, 5, 3)])
def test_other_pictures_keep_their_ends(shape):
  picture = np.ones(shape, np.uint8)
  assert host_crops.shortened(picture).shape == shape
