"""Monocular depth: an encoder's last map, up-projected (paper, Table 4b)."""

import functools

import chex
import jax.numpy as jnp
import ml_collections
import numpy as np

from byol_jax import inputs, parallel
from byol_jax.augment import policies, views
from byol_jax.data import annotated, annotated_batches, depth_maps
from byol_jax.dense import depth_baseline, depth_scoring, places
from byol_jax.dense import task as tasks
from byol_jax.depth import losses
from byol_jax.networks import centres, dense, network, up_projection
from byol_jax.parallel import AXIS

# Of a depth: of a network that has learned nothing yet it would overflow.
_MAX_LOG = 20.0


def make(
  config: ml_collections.ConfigDict, spec: network.EncoderSpec
) -> tasks.Task:
  """Assembles the task.

  Args:
    config: a validated config of the protocol `depth`.
    spec: shape of the encoder.
  """
  functions = make_network(config, spec)
  predict = parallel.pmap(
    lambda variables, images: _depth(
      config, functions.apply(variables, _unit(images), dense.INFERENCE)[0]
    )
  )
  height, width = config.depth.image_px
  shown = np.zeros((2, height, width, 3), np.float32)
  return tasks.Task(
    init=lambda key: parallel.one_device(functions.init)(key, shown),
    loss=_make_loss(config, functions),
    train_batches=functools.partial(_train_batches, config, spec),
    evaluate=lambda variables, source: tasks.Tested(
      depth_scoring.evaluate(config, predict, variables, source)
    ),
    draw=functools.partial(depth_scoring.draw, config, predict),
    metric="delta1",
    higher_is_better=True,
    baseline=functools.partial(depth_baseline.scores, config),
  )


def open_part(
  config: ml_collections.ConfigDict, part: str
) -> annotated.AnnotatedSource:
  """Opens the pictures of a part.

  Args:
    config: a validated config of the protocol `depth`.
    part: "train" or "test".

  Returns:
    Pictures and their depth [height, width] float32, 0 where it is not known.

  Raises:
    ValueError: the data is not there.
  """
  data = config.data
  if data.source == "tfds":
    # TensorFlow takes seconds to import: only those who need it wait.
    from byol_jax.data import tfds_depth

    split = data.train_split if part == "train" else data.test_split
    return tfds_depth.open_depth(
      data.tfds_name, split, data.data_dir, data.depth_scale
    )
  if not data.test_share:
    return _open_pairs(data, part)
  whole = _open_pairs(data, "train")
  first, last = depth_maps.last_share(whole, data.test_share)
  return first if part == "train" else last


def _open_pairs(data, part: str) -> annotated.AnnotatedSource:
  return annotated.open_pairs(
    places.of(data, part),
    lambda encoded: depth_maps.decode(encoded, data.depth_scale),
  )


def make_network(
  config: ml_collections.ConfigDict, spec: network.EncoderSpec
) -> dense.Functions:
  """The encoder and up-projections on its last map.

  Args:
    config: a validated config of the protocol `depth`.
    spec: shape of the encoder.

  Returns:
    Functions of images [batch, height, width, 3] in [0, 1], whose outputs are
    [batch, rows, columns] float32, `up_projection.output_size`: depth, or with
    the scale-invariant loss its logarithm.
  """

  def forward(images, modes):
    dtype = config.training.compute_dtype if modes.head else "float32"
    encoder = dense.backbone(spec, AXIS, compute_dtype=dtype)
    x = encoder.trunk(images, modes.trunk)
    x = encoder.last_group(x, modes.last_group)
    head = up_projection.DepthHead(
      config.depth.widths, dense.head_norm(spec, AXIS)
    )
    return head(x, modes.head)

  return dense.functions(forward)


def _unit(images: chex.Array) -> chex.Array:
  return images.astype(jnp.float32) / 255.0


def _depth(config, outputs: chex.Array) -> chex.Array:
  """What the network's outputs say of depth."""
  if config.depth.loss == "scale_invariant":
    return jnp.exp(jnp.clip(outputs, -_MAX_LOG, _MAX_LOG))
  return outputs


def _make_loss(config, functions: dense.Functions) -> tasks.Loss:
  """Of pictures in other colours, which are drawn by the key."""
  section = config.depth

  def loss(variables, batch, key, modes):
    crops = {"view1": batch["images"], "index": batch["index"]}
    changed = views.views_from_crops(crops, key, (_policy(section),))
    outputs, stats = functions.apply(variables, changed["view1"], modes)
    if section.loss == "scale_invariant":
      value = losses.scale_invariant(
        outputs, batch["depth"], section.invariance, AXIS
      )
    else:
      value = losses.reverse_huber(outputs, batch["depth"], AXIS)
    return value, (stats, {})

  return loss


def _policy(settings) -> policies.Policy:
  """The photometry; crop and flip are the host's, who knows the depth."""
  return policies.Policy(
    crop_area=(1.0, 1.0),
    crop_ratio=(1.0, 1.0),
    flip=0.0,
    jitter=1.0,
    brightness=settings.brightness,
    contrast=0.0,
    saturation=settings.saturation,
    hue=settings.hue,
    grayscale=settings.grayscale,
    blur=0.0,
    blur_sigma=(1.0, 1.0),
    blur_divider=1.0,
    solarize=0.0,
    solarize_threshold=1.0,
  )


def _train_batches(config, spec, source, first_step: int):
  """Pictures and depth at the size of the network's output."""
  seen = config.depth.image_px
  _, stride = centres.first(spec, seen[0], centres.num_groups(spec, 1))
  size = up_projection.output_size(seen, stride, len(config.depth.widths))

  def prepare(image, depth, draw):
    box = depth_maps.window(depth.shape, config.depth.resized_px, seen)
    zoom = draw.example.uniform(1.0, config.depth.zoom)
    box = depth_maps.zoomed(box, zoom, draw.example.random(2))
    image = depth_maps.seen(image, box, seen)
    depth = depth_maps.sampled(depth, box, size) / np.float32(zoom)
    if draw.example.random() < config.depth.flip:
      image, depth = image[:, ::-1], depth[:, ::-1]
    return {"images": image, "depth": depth}

  reader = inputs.reader(config.seed, config.training.batch_size)
  return annotated_batches.train_batches(source, prepare, reader, first_step)
