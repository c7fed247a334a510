"""A run that begins with the weights of another."""

from collections.abc import Mapping

from byol_jax import byol, checkpoint, parallel
from byol_jax.types import Variables


def state(path: str, own: byol.State) -> byol.State:
  """Takes over the weights of another run, if one is named.

  The classifier stays fresh, since the classes may be others, and so do the
  optimizer's state and the step.

  Args:
    path: of a workdir or a checkpoint (`checkpoint.load_params`); "" for none.
    own: the run's state, replicated.

  Returns:
    That state with the other run's weights and averages.

  Raises:
    CheckpointError: there is none that can be read, or it has another network.
  """
  if not path:
    return own
  saved, _ = checkpoint.load_params(path)
  own = parallel.first(own)
  if not saved["target"]["params"]:
    saved["target"] = saved["online"]  # It was its own target.
  online, target = (
    Variables(
      params=_taken(saved[name]["params"], getattr(own, name).params, path),
      stats=_taken(saved[name]["stats"], getattr(own, name).stats, path),
    )
    for name in ("online", "target")
  )
  return parallel.replicate(own._replace(online=online, target=target))


def _taken(saved: Mapping, own: Mapping, path: str) -> dict:
  """`own` with every module but the classifier from `saved`."""
  found = {}
  for module, leaves in own.items():
    shapes, theirs = _text(leaves), _text(saved.get(module, {}))
    if module != "classifier" and shapes != theirs:
      raise checkpoint.CheckpointError(
        f"init_from={path} holds another network: {module} has {theirs} there"
        f" and {shapes} here."
      )
    found[module] = leaves if module == "classifier" else saved[module]
  return found


def _text(leaves: Mapping) -> str:
  """Names and shapes of one module."""
  return ", ".join(f"{x} {list(leaves[x].shape)}" for x in leaves) or "nothing"
