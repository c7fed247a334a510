import importlib.util
from importlib import metadata

import pytest

from byol_jax import chips

# GB of memory, TFLOP/s in bfloat16 and matrix units of 128 x 128, of a device
# as docs.cloud.google.com/tpu has them; v6e has two units of 256 x 256, each
# of which works as eight.
PUBLISHED = {
  "v2": (8, 22.5, 1),
  "v3": (16, 61.5, 2),
  "v4": (32, 275, 8),
  "v5e": (16, 197, 4),
  "v5p": (95, 459, 8),
  "v6e": (32, 918, 16),
}


def test_every_generation_has_its_numbers():
  assert set(chips.CHIPS) == set(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_chips_are_as_published(name):
  memory, rate, units = PUBLISHED[name]
  chip = chips.CHIPS[name]
  # The runtime keeps some for itself.
  assert 0.92 * memory < chip.gibibytes < 1.01 * memory
  clock = rate * 1e12 / (units * 128 * 128 * 2) / 1e9
  assert chip.gigahertz == pytest.approx(clock, rel=0.02)


@pytest.mark.parametrize(
  ("name", "sentence"),
  [
    ("v3", "--topology=v3 is no slice of TPUs: it must be one of v2, v3, v4,"),
    ("v9:2x2", "--topology=v9:2x2 is no slice of TPUs"),
    ("v3:2", "--topology=v3:2 is no slice of TPUs"),
    ("v3:2x2; ls", "--topology=v3:2x2; ls is no slice of TPUs"),
    ("v3:0x2", "--topology=v3:0x2 has 0 chips: a slice of v3 has 1 to 1,024."),
    ("v5e:16x32", "--topology=v5e:16x32 has 512 chips"),
  ],
)
def test_wrong_slices_are_refused(name, sentence):
  with pytest.raises(ValueError, match=r"^--topology") as error:
    chips.open_slice(name)
  assert str(error.value).startswith(sentence)


def test_a_missing_libtpu_is_said(monkeypatch):
  monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
  with pytest.raises(ValueError, match=r"pip install 'byol-jax\[tpu\]'"):
    chips.open_slice("v3:2x2")


@pytest.mark.parametrize("version", ["0.0.42", "0.0.42.1"])
def test_a_libtpu_that_would_crash_is_refused(monkeypatch, version):
  monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
  monkeypatch.setattr(metadata, "version", lambda name: version)
  with pytest.raises(
    ValueError, match=f"^--topology=v6e:2x2: libtpu {version} "
  ):
    chips.open_slice("v6e:2x2")
