import jax
import jax.numpy as jnp
import numpy as np
import pytest

from byol_jax import parallel, replicas

TREE = {
  "weights": np.linspace(-1.0, 1.0, 12, dtype=np.float32).reshape(3, 4),
  "count": np.int32(7),
  "flag": np.array([True, False]),
  "half": np.arange(4, dtype=np.float16),
}


def _with(name, change):
  value = np.array(TREE[name])
  change(value)
  return {**TREE, name: value}


def _next(value):
  value[1, 2] = np.nextafter(value[1, 2], np.float32(2.0))


def _swap(value):
  value[0, [0, 1]] = value[0, [1, 0]]


def _turn(value):
  value[:] = ~value


def _negative_zero(value):
  value[0] = -0.0


CHANGED = {
  "last bit": _with("weights", _next),
  "order": _with("weights", _swap),
  "flag": _with("flag", _turn),
  "sign of zero": _with("half", _negative_zero),
  "count": {**TREE, "count": np.int32(8)},
}


@pytest.mark.parametrize("name", CHANGED)
def test_fingerprint_sees_every_bit(name):
  made = jax.jit(replicas.fingerprint)
  assert made(TREE) == made(jax.tree.map(jnp.array, TREE))
  assert made(CHANGED[name]) != made(TREE)


def test_check_accepts_equal_replicas_whatever_they_hold():
  tree = {**TREE, "bad": np.array([np.nan, np.inf], np.float32)}
  replicas.check(replicas.Copies(parallel.replicate(tree)), step=3)


def test_check_names_step_host_and_device():
  differ = parallel.pmap(lambda x: {**TREE, "count": x})
  counts = parallel.shard({"x": np.array([7, 8], np.int32)})["x"]
  message = r"^At step 3 the parameters of host 0 \(device 1\) are not those of"
  with pytest.raises(replicas.ReplicaError, match=message):
    replicas.check(replicas.Copies(differ(counts)), step=3)


def test_parts_are_compared_by_their_place_of_a_host(monkeypatch):
  common = parallel.replicate(TREE)
  parts = parallel.pmap(lambda x: {**TREE, "count": x})(
    parallel.shard({"x": np.array([7, 8], np.int32)})["x"]
  )
  replicas.check(replicas.Copies(common, parts), step=3)
  # As if each device were on a host of its own.
  monkeypatch.setattr(jax, "local_device_count", lambda: 1)
  message = r"^At step 3 the parameters of host 1 \(device 1\) are not those of"
  with pytest.raises(replicas.ReplicaError, match=message):
    replicas.check(replicas.Copies(common, parts), step=3)
