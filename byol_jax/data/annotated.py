"""Pictures with masks, depth maps or boxes, decoded when they are read."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from byol_jax.data import folder, pairing, pictures, problems


class AnnotatedSource(NamedTuple):
  """Random access to pictures and what is to be predicted of them.

  Attributes:
    num_images: how many there are.
    class_names: the name of each class; empty where there are none.
    read: position to the picture [height, width, 3] uint8 and its target, such
      as a mask or a depth map [height, width]; may be called by several threads
      at once.
    name: position to a name for messages.
    fingerprint: position to a few bytes that differ when the target does; none
      where the set's own name and version tell.
    difficult: of each picture which of its objects do not count, [objects]
      bool; empty where there are none, or only reading tells.
  """

  num_images: int
  class_names: tuple[str, ...]
  read: Callable[[int], tuple[np.ndarray, Any]]
  name: Callable[[int], str]
  fingerprint: Callable[[int], bytes] = lambda position: b""
  difficult: Sequence[np.ndarray] = ()


def open_pairs(
  place: pairing.Place, decode: Callable[[bytes], np.ndarray]
) -> AnnotatedSource:
  """Opens pictures and the masks or depth maps of the same name beside them.

  Pictures without such a file are left out, with one warning.

  Args:
    place: folder or tar, in the layout of VOC or any other of two folders.
    decode: bytes of a target's file to [height, width]; raises
      `pictures.ERRORS`.

  Returns:
    The pairs sorted by name, or in the list's order.

  Raises:
    ValueError: as `pairing.open_pairs`; by `read`, a file cannot be decoded, a
      picture is to be turned, or a target has another size than its picture.
  """
  pairs = pairing.open_pairs(place, folder.EXTENSIONS)

  def read(position):
    names = pairs.names[position]
    image = decoded_picture(pairing.read(pairs, names.image), names.image)
    target = _decoded(pairing.read(pairs, names.target), names.target, decode)
    if target.shape != image.shape[:2]:
      sizes = [f"{x.shape[1]}x{x.shape[0]}" for x in (target, image)]
      raise ValueError(
        f"{problems.printable(names.target)} has {sizes[0]} pixels, and its"
        f" picture has {sizes[1]}."
      )
    return image, target

  return AnnotatedSource(
    num_images=len(pairs.names),
    class_names=(),
    read=read,
    name=lambda position: pairs.names[position].image,
    fingerprint=pairing.fingerprints(pairs),
  )


def decoded_picture(encoded: bytes, name: str) -> np.ndarray:
  """Decodes a picture whose pixels have answers.

  Args:
    encoded: the file.
    name: for messages.

  Returns:
    [height, width, 3] uint8.

  Raises:
    ValueError: it cannot be decoded, or EXIF wants it turned: whether a mask or
      a box was drawn on it before or after that, no file says.
  """

  def decode(encoded):
    with pictures.opened(encoded) as picture:
      return pictures.orientation(picture), pictures.to_rgb(picture)

  orientation, image = _decoded(encoded, name, decode)
  if orientation != 1:
    raise ValueError(
      f"{problems.printable(name)} has the EXIF orientation {orientation}, and"
      " what belongs to it may fit it before or after turning: save the picture"
      " without this entry, turned as its mask or boxes are."
    )
  return image


def decode_mask(encoded: bytes) -> np.ndarray:
  """The class numbers of a mask.

  Args:
    encoded: a picture file, 8-bit grey or with a palette, whose indices count.

  Returns:
    [height, width] uint8.

  Raises:
    ValueError: it has colours, or is no picture (`pictures.ERRORS`).
  """
  with pictures.opened(encoded) as mask:
    if mask.mode not in ("L", "P", "1"):
      raise ValueError(
        f"a mask of mode {mask.mode}, where class numbers are needed: 8-bit"
        " grey, or a palette"
      )
    return np.asarray(mask).astype(np.uint8)


def select(
  source: AnnotatedSource, positions: Sequence[int] | np.ndarray
) -> AnnotatedSource:
  """Some pictures of a source.

  Args:
    source: any.
    positions: [n] integers in [0, num_images).
  """
  chosen = [int(position) for position in positions]
  return source._replace(
    num_images=len(chosen),
    read=lambda position: source.read(chosen[position]),
    name=lambda position: source.name(chosen[position]),
    fingerprint=lambda position: source.fingerprint(chosen[position]),
    difficult=[source.difficult[i] for i in chosen if source.difficult],
  )


def _decoded(encoded: bytes, name: str, decode: Callable[[bytes], Any]) -> Any:
  try:
    return decode(encoded)
  except pictures.ERRORS as error:
    raise ValueError(
      f"{problems.printable(name)} cannot be decoded"
      f" ({pictures.reason(error)})."
    ) from error
