"""Any picture file to 8-bit RGB, with Pillow."""

import contextlib
import io
import struct
import threading
import zlib
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

# What Pillow raises for bytes that are no complete picture.
ERRORS = (
  OSError,
  SyntaxError,
  ValueError,
  EOFError,
  struct.error,
  zlib.error,
  Image.DecompressionBombError,
  Image.DecompressionBombWarning,
)
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
# EXIF: the tag of the orientation, and what makes its values upright.
_ORIENTATION = 0x0112
_TURNS = {
  2: Image.Transpose.FLIP_LEFT_RIGHT,
  3: Image.Transpose.ROTATE_180,
  4: Image.Transpose.FLIP_TOP_BOTTOM,
  5: Image.Transpose.TRANSPOSE,
  6: Image.Transpose.ROTATE_270,
  7: Image.Transpose.TRANSVERSE,
  8: Image.Transpose.ROTATE_90,
}
# Almost every header is shorter; of the others the whole file is read.
_HEADER_BYTES = 1 << 16
# A JPEG decodes much faster at an eighth of its size, yet is read to its end.
_DRAFT_SHRINKAGE = 8
# What Pillow raises for EXIF that is no EXIF, while the picture is sound.
_EXIF_ERRORS = (SyntaxError, ValueError, struct.error)
# Decoding takes up to 30 bytes a pixel, so that the largest pictures, in all
# threads at once, could fill any memory: beyond so many pixels each is alone.
_GIANT_PIXELS = 1 << 24
_giants = threading.Lock()


def decode(encoded: bytes) -> np.ndarray:
  """Decodes a whole picture file.

  Args:
    encoded: a JPEG, PNG, WebP, BMP or GIF file.

  Returns:
    [height, width, 3] uint8, as `to_rgb` has it.

  Raises:
    ERRORS: if the bytes are no complete picture.
  """
  with opened(encoded) as picture:
    return to_rgb(picture)


def reason(error: Exception) -> str:
  """Why a file is no complete picture, or could not be read, in a few words.

  Args:
    error: one of `ERRORS`.
  """
  if isinstance(error, Image.UnidentifiedImageError):
    return "no picture of a known format"
  if isinstance(error, OSError) and error.strerror:
    return error.strerror  # Without the path, which the caller names.
  return str(error) or type(error).__name__


def to_rgb(picture: Image.Image) -> np.ndarray:
  """Converts a picture of any mode to upright 8-bit RGB.

  16 bits are scaled down to 8, not clipped; transparency shows white; grey is
  copied to three channels; of an animation only the first frame counts.

  Args:
    picture: as opened by Pillow.

  Returns:
    [height, width, 3] uint8.
  """
  # Not ImageOps.exif_transpose, which fails over any broken EXIF entry.
  turn = _TURNS.get(orientation(picture))
  if turn is not None:
    picture = picture.transpose(turn)
  if picture.mode.startswith("I"):
    # 65535 / 257 = 255.
    grey = np.clip(np.rint(np.asarray(picture) / 257.0), 0, 255)
    return np.repeat(grey.astype(np.uint8)[:, :, None], 3, axis=2)
  if picture.mode in ("LA", "PA", "RGBA") or "transparency" in picture.info:
    picture = picture.convert("RGBA")
    white = Image.new("RGBA", picture.size, "white")
    picture = Image.alpha_composite(white, picture)
  return np.asarray(picture.convert("RGB"))


def orientation(picture: Image.Image) -> int:
  """How EXIF has a picture turned: 1, upright, to 8.

  Args:
    picture: as opened by Pillow; 1 where its EXIF is missing or broken.
  """
  try:
    said = picture.getexif().get(_ORIENTATION)
  except _EXIF_ERRORS:
    return 1
  return said if said in _TURNS else 1


def centre_square(image: np.ndarray, share: float, image_px: int) -> np.ndarray:
  """Cuts the central square out and resizes it.

  Args:
    image: [height, width, 3] uint8.
    share: side of the square over the shorter side, in (0, 1].
    image_px: side of the result.

  Returns:
    [image_px, image_px, 3] uint8, bicubic.
  """
  height, width = image.shape[:2]
  side = int(share * min(height, width))
  top, left = (height - side + 1) // 2, (width - side + 1) // 2
  square = image[top : top + side, left : left + side]
  if side == image_px:
    return square
  resized = Image.fromarray(square).resize(
    (image_px, image_px), Image.Resampling.BICUBIC
  )
  return np.asarray(resized)


def inspect(encoded: bytes) -> bool:
  """Checks that a picture is complete, as cheaply as its format allows.

  Args:
    encoded: the file.

  Returns:
    Whether it is an 8-bit RGB or grey JPEG that needs no rotation: every JPEG
    decoder then agrees with `to_rgb`.

  Raises:
    ERRORS: if the bytes are no complete picture.
  """
  if not encoded:
    raise EOFError("empty file")
  with opened(encoded) as picture:
    plain = _is_plain_jpeg(picture)
    if plain:
      picture.draft(
        None, [max(1, side // _DRAFT_SHRINKAGE) for side in picture.size]
      )
    picture.load()
    return plain


def inspect_header(read: Callable[[int | None], bytes]) -> bool:
  """As `inspect`, but trusts everything after the header.

  Args:
    read: number of bytes to the beginning of the file, None to all of it.

  Returns:
    As `inspect`; False also where the header cannot be understood.
  """
  try:
    with _open(read(_HEADER_BYTES)) as picture:
      return _is_plain_jpeg(picture)
  except ERRORS:
    pass
  try:
    with _open(read(None)) as picture:
      return _is_plain_jpeg(picture)
  except ERRORS:
    return False


def _open(encoded: bytes) -> Image.Image:
  return Image.open(io.BytesIO(encoded), formats=_FORMATS)


@contextlib.contextmanager
def opened(encoded: bytes) -> Iterator[Image.Image]:
  """Opens a picture to be decoded; giant ones wait for each other.

  Args:
    encoded: the file.

  Raises:
    ERRORS: if it is no picture of a known format.
  """
  with _open(encoded) as picture:
    width, height = picture.size
    is_giant = width * height > _GIANT_PIXELS
    with _giants if is_giant else contextlib.nullcontext():
      yield picture


def _is_plain_jpeg(picture: Image.Image) -> bool:
  return (
    picture.format == "JPEG"
    and picture.mode in ("RGB", "L")
    and orientation(picture) == 1
  )
