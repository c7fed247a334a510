"""Any picture file to 8-bit RGB, with Pillow."""

import io

import numpy as np
from PIL import Image, ImageOps

# Tag of the orientation, and the value that asks for no rotation.
_ORIENTATION, _UPRIGHT = 0x0112, 1


def decode(encoded: bytes) -> np.ndarray:
  """Decodes a whole picture file.

  Args:
    encoded: a file in any format that Pillow reads.

  Returns:
    [height, width, 3] uint8, as `to_rgb` has it.

  Raises:
    OSError: if the bytes are no complete picture.
  """
  with Image.open(io.BytesIO(encoded)) as picture:
    return to_rgb(picture)


def to_rgb(picture: Image.Image) -> np.ndarray:
  """Converts a picture of any mode to upright 8-bit RGB.

  16 bits are scaled down to 8, not clipped; transparency shows white; grey is
  copied to three channels; of an animation only the first frame counts.

  Args:
    picture: as opened by Pillow.

  Returns:
    [height, width, 3] uint8.
  """
  picture = ImageOps.exif_transpose(picture)
  if picture.mode.startswith("I"):
    # 65535 / 257 = 255.
    grey = np.clip(np.rint(np.asarray(picture) / 257.0), 0, 255)
    return np.repeat(grey.astype(np.uint8)[:, :, None], 3, axis=2)
  if picture.mode in ("LA", "PA", "RGBA") or "transparency" in picture.info:
    picture = picture.convert("RGBA")
    white = Image.new("RGBA", picture.size, "white")
    picture = Image.alpha_composite(white, picture)
  return np.asarray(picture.convert("RGB"))


def is_plain_jpeg(picture: Image.Image) -> bool:
  """Whether every JPEG decoder agrees with `to_rgb`: no CMYK, no rotation."""
  return (
    picture.format == "JPEG"
    and picture.mode in ("RGB", "L")
    and picture.getexif().get(_ORIENTATION, _UPRIGHT) == _UPRIGHT
  )


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
