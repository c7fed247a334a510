"""Which encoder is evaluated, and how pictures reach it."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax
import ml_collections
import numpy as np

from byol_jax import encoders, inputs, labelled, parallel
from byol_jax.augment import policies, sets
from byol_jax.data import sources
from byol_jax.evaluation import features
from byol_jax.networks import network
from byol_jax.types import Variables

_RANDOM, _PIXELS = "random", "pixels"
# Pictures that an untrained encoder takes its statistics from, on one device.
_MAX_DRAWN = 256
_NOTHING = Variables(params={}, stats={})


class Subject(NamedTuple):
  """An encoder and the data that it is evaluated on.

  Attributes:
    encoder: as found; an untrained one has variables, too.
    net: the encoder as functions; for raw pixels one that has no weights.
    data: the splits, and how pictures become views.
    parts: train, valid and test.
    geometry: how test pictures are cut.
    batch_size: of evaluation, all devices together.
  """

  encoder: encoders.Encoder
  net: network.Network
  data: inputs.Inputs
  parts: labelled.Parts
  geometry: sources.Geometry
  batch_size: int


def find(config: ml_collections.ConfigDict) -> encoders.Encoder:
  """Finds the encoder that a config names.

  Args:
    config: a validated config of an evaluation.

  Returns:
    The encoder; architecture, size and normalisation are the checkpoint's; of
    "random" and "pixels" those of `like`, or else of the config's `network`.
    `data.image_px` above 0 is another size.

  Raises:
    CheckpointError: there is no encoder at that path.
  """
  found = named(config)
  if config.data.image_px:
    found = found._replace(image_px=config.data.image_px)
  return found


def named(config: ml_collections.ConfigDict) -> encoders.Encoder:
  """As `find`, of a config without a size of its own."""
  path = config.like if config.encoder in (_RANDOM, _PIXELS) else config.encoder
  if path:
    found = encoders.open_encoder(path)
  else:
    spec = encoders.spec_of(config.network)
    found = encoders.Encoder(
      config.encoder, spec, config.network.image_px, None, {}
    )
  if config.encoder == _RANDOM:
    found = found._replace(name=_RANDOM, variables=None)
  if config.encoder == _PIXELS:
    found = found._replace(name=_PIXELS, variables=None, spec=None)
  return found


def prepare(
  config: ml_collections.ConfigDict,
  encoder: encoders.Encoder,
  parts: labelled.Parts,
) -> Subject:
  """Joins encoder and data.

  Args:
    config: a validated config of an evaluation.
    encoder: from `find`.
    parts: from `labelled.open_parts`.

  Returns:
    A subject; an untrained encoder is drawn by `config.seed`, its averages are
    the statistics of some training pictures.

  Raises:
    ValueError: the config asks for the views of the encoder's pretraining, and
      it has none.
  """
  subject = Subject(
    encoder=encoder._replace(variables=encoder.variables or _NOTHING),
    net=_net(encoder),
    data=inputs.Inputs(
      train=parts.train,
      test=parts.test,
      views=sources.Views(
        _policies(config, encoder), encoder.image_px, config.data.views
      ),
      num_classes=len(parts.class_names),
      reads=parts.reads,
    ),
    parts=parts,
    geometry=sources.Geometry(
      config.evaluation.geometry, config.evaluation.crop_share
    ),
    batch_size=config.evaluation.batch_size,
  )
  if encoder.spec and encoder.variables is None:
    key = jax.random.key(config.seed)
    images = _some_images(subject, config.seed)
    drawn = encoders.draw(encoder.spec, key, images)
    subject = subject._replace(encoder=encoder._replace(variables=drawn))
  return subject


def batches(
  subject: Subject, source: sources.Source
) -> Iterator[Mapping[str, np.ndarray]]:
  """One pass over pictures as a test shows them, this host's share."""
  return inputs.eval_batches(
    subject.data, source, subject.batch_size, subject.geometry
  )


def represent(subject: Subject, source: sources.Source) -> features.Features:
  """Features of all pictures of a source, in its order, on every host."""
  encode = features.make_encode(subject.net)
  variables = parallel.replicate(subject.encoder.variables)
  return features.extract(encode, variables, batches(subject, source))


def _net(encoder: encoders.Encoder) -> network.Network:
  if encoder.spec:
    return network.make_encoder(encoder.spec, parallel.AXIS)

  def apply(variables, images, is_training):
    del is_training
    pixels = images.reshape(len(images), -1)
    return network.Outputs(pixels, (), (), ()), variables.stats

  return network.Network(lambda key, images: _NOTHING, apply)


def _some_images(subject: Subject, seed: int) -> np.ndarray:
  """A batch of training pictures of all classes, uint8, on every host."""
  # In order, the first ones of a folder would all be of one class.
  some = inputs.subset(subject.parts.train, _MAX_DRAWN, seed)
  batch = next(batches(subject, some))
  on_devices = parallel.shard({k: batch[k] for k in ("images", "mask")})
  images, mask = map(parallel.gather, on_devices.values())
  return images[mask][:_MAX_DRAWN]


def _policies(config, encoder) -> tuple[policies.Policy, ...]:
  """The one view that training shows, if there is any training."""
  if config.protocol != "classify" or config.augment.kind == "none":
    return ()
  if config.augment.kind == "view":
    return (policies.Policy(**config.augment.view),)
  if "view1" not in encoder.augment:
    raise ValueError(
      "augment.kind=pretraining needs an encoder that was pretrained, which"
      f" {encoder.name} was not."
    )
  view1, view2 = map(_policy, (encoder.augment[x] for x in ("view1", "view2")))
  # Checkpoints from before the named sets have none.
  name = encoder.augment.get("set", "baseline")
  return sets.apply(name, view1, view2)[:1]


def _policy(view: Mapping[str, Any]) -> policies.Policy:
  """A view of a checkpoint's config, where tuples have become lists."""
  values = {k: tuple(v) if isinstance(v, list) else v for k, v in view.items()}
  return policies.Policy(**values)
