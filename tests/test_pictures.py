"""Picture files of every kind to 8-bit RGB."""

import io

import numpy as np
import pytest
from PIL import Image

from byol_jax.data import pictures


def _encode(picture, file_format, **options):
  file = io.BytesIO()
  picture.save(file, file_format, **options)
  return file.getvalue()


def _noise(height=12, width=16, channels=3):
  shape = (height, width, channels)
  return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def _smooth(height=40, width=48):
  rows, columns = np.mgrid[:height, :width]
  planes = [rows * 4, columns * 4, 128 + rows - columns]
  return np.stack(planes, axis=-1).astype(np.uint8)


@pytest.mark.parametrize(
  ("file_format", "options"),
  [("PNG", {}), ("BMP", {}), ("WEBP", {"lossless": True})],
)
def test_decode_keeps_lossless_pixels(file_format, options):
  image = _noise()
  encoded = _encode(Image.fromarray(image), file_format, **options)
  np.testing.assert_array_equal(pictures.decode(encoded), image)


def test_decode_copies_grey_to_three_channels():
  image = _noise()[..., 0]
  decoded = pictures.decode(_encode(Image.fromarray(image), "PNG"))
  np.testing.assert_array_equal(decoded, np.stack([image] * 3, axis=-1))


def test_decode_scales_16_bits_instead_of_clipping():
  image = np.array([[0, 256, 32768, 65000, 65535]], np.uint16)
  decoded = pictures.decode(_encode(Image.fromarray(image), "PNG"))
  # 256 / 257 = 0.996, 65000 / 257 = 252.9 and 32768 / 257 = 127.5.
  np.testing.assert_array_equal(decoded[0, [0, 1, 3, 4], 0], [0, 1, 253, 255])
  assert decoded[0, 2, 0] in (127, 128)
  assert decoded.shape == (1, 5, 3)


def test_decode_shows_white_through_transparency():
  image = np.zeros((1, 3, 4), np.uint8)
  image[0, :, 0] = 100
  image[0, :, 3] = [255, 0, 51]
  decoded = pictures.decode(_encode(Image.fromarray(image), "PNG"))
  # 0.2 * (100, 0, 0) + 0.8 * 255 = (224, 204, 204).
  expected = [[[100, 0, 0], [255, 255, 255], [224, 204, 204]]]
  np.testing.assert_allclose(decoded, expected, atol=1)


def test_decode_resolves_palettes():
  image = np.zeros((4, 4, 3), np.uint8)
  image[:2] = (250, 10, 20)
  palette = Image.fromarray(image).convert(
    "P", palette=Image.Palette.ADAPTIVE, colors=2
  )
  decoded = pictures.decode(_encode(palette, "PNG"))
  np.testing.assert_array_equal(decoded, image)


def test_decode_takes_the_first_frame():
  frames = [Image.new("P", (6, 5), 0), Image.new("P", (6, 5), 1)]
  for frame in frames:
    frame.putpalette([10, 20, 30, 200, 210, 220])
  encoded = _encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
  decoded = pictures.decode(encoded)
  np.testing.assert_array_equal(decoded, np.full((5, 6, 3), [10, 20, 30]))


def test_decode_converts_cmyk():
  picture = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
  encoded = _encode(picture, "JPEG", quality=100)
  expected = np.broadcast_to([0, 255, 255], (16, 16, 3))
  np.testing.assert_allclose(pictures.decode(encoded), expected, atol=3)
  assert not pictures.inspect(encoded)


def _rotated_jpeg(image, orientation):
  picture = Image.fromarray(image)
  exif = picture.getexif()
  exif[0x0112] = orientation
  return _encode(picture, "JPEG", quality=95, exif=exif)


@pytest.mark.parametrize(
  ("orientation", "upright"),
  [
    (1, lambda image: image),
    (2, lambda image: image[:, ::-1]),
    (3, lambda image: image[::-1, ::-1]),
    (4, lambda image: image[::-1]),
    (5, lambda image: image.transpose(1, 0, 2)),
    (6, lambda image: np.rot90(image, -1)),
    (7, lambda image: image[::-1, ::-1].transpose(1, 0, 2)),
    (8, lambda image: np.rot90(image)),
    (9, lambda image: image),
  ],
)
def test_decode_turns_the_picture_upright(orientation, upright):
  exif = Image.Exif()
  exif[0x0112] = orientation
  encoded = _encode(Image.fromarray(_noise()), "PNG", exif=exif)
  np.testing.assert_array_equal(pictures.decode(encoded), upright(_noise()))


def test_decode_forgives_a_broken_exif_entry():
  exif = Image.Exif()
  exif[0x0112], exif[0x010E] = 6, "text"
  encoded = _encode(Image.fromarray(_smooth()), "JPEG", exif=exif)
  # The text's tag becomes that of the picture's height, a number.
  broken = encoded.replace(b"\x01\x0e\x00\x02", b"\x01\x01\x00\x02")
  assert broken != encoded
  assert not pictures.inspect(broken)
  np.testing.assert_array_equal(
    pictures.decode(broken), pictures.decode(encoded)
  )


def test_inspect_tells_plain_jpegs():
  image = _smooth()
  assert pictures.inspect(_encode(Image.fromarray(image), "JPEG"))
  assert pictures.inspect(_encode(Image.fromarray(image[..., 0]), "JPEG"))
  assert pictures.inspect(_rotated_jpeg(image, 1))
  assert not pictures.inspect(_rotated_jpeg(image, 6))
  assert not pictures.inspect(_encode(Image.fromarray(image), "PNG"))


def test_inspect_header_agrees_and_needs_no_body():
  jpeg = _encode(Image.fromarray(_noise(64, 64)), "JPEG")
  png = _encode(Image.fromarray(_smooth()), "PNG")
  assert pictures.inspect_header(lambda size: jpeg[:-500])
  assert not pictures.inspect_header(lambda size: png)
  assert not pictures.inspect_header(lambda size: b"no picture")


def test_inspect_header_reads_on_where_the_header_is_long():
  profile = bytes(100_000)
  jpeg = _encode(Image.fromarray(_smooth()), "JPEG", icc_profile=profile)
  sizes = []

  def read(size):
    sizes.append(size)
    return jpeg[:size]

  assert pictures.inspect_header(read)
  assert len(sizes) == 2
  assert sizes[1] is None


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.95])
def test_inspect_notices_truncation(file_format, share):
  encoded = _encode(Image.fromarray(_noise(64, 64)), file_format)
  pictures.inspect(encoded)
  with pytest.raises(pictures.ERRORS):
    pictures.inspect(encoded[: int(share * len(encoded))])


def test_centre_square_cuts_the_released_crop():
  image = _noise(20, 31)
  # Side int(0.875 * 20) = 17; top (3 + 1) // 2 = 2, left (14 + 1) // 2 = 7.
  square = pictures.centre_square(image, 0.875, 17)
  np.testing.assert_array_equal(square, image[2:19, 7:24])


def test_centre_square_resizes():
  image = np.full((20, 30, 3), 77, np.uint8)
  square = pictures.centre_square(image, 1.0, 8)
  np.testing.assert_array_equal(square, np.full((8, 8, 3), 77))
