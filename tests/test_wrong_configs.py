"""Wrong command lines: exit code 2 and one sentence, whatever is wrong."""

import ast
import builtins
import contextlib
import io
import itertools
import os
import pathlib
import re

import hypothesis
import pytest
from absl import flags
from hypothesis import strategies

from byol_jax import evaluate, inputs, main, parallel, records, schema, stopping

ROOT = pathlib.Path(__file__).parent.parent

# Every file of configs/ with one preset, and what it needs on a new machine.
RANDOM = "--config.encoder=random"
BASES = {
  "cpu.py": (),
  "cifar10.py:desk": (),
  "folder.py": ("--config.data.train_path=.",),
  "imagenet.py:300": (),
  "imagenette.py": (),
  "moco_v2.py:200": (),
  "simclr.py:100": (),
  "stl10.py": (),
  "eval/knn.py": (RANDOM,),
  "eval/linear.py": (RANDOM,),
  "eval/finetune.py": (RANDOM,),
  "eval/logistic.py": (RANDOM,),
  "eval/supervised.py": (),
}
PROTOCOLS = {
  "eval/knn.py": "knn",
  "eval/linear.py": "classify",
  "eval/finetune.py": "classify",
  "eval/logistic.py": "logistic",
  "eval/supervised.py": "classify",
}
PRETRAINING = sorted(set(BASES) - set(PROTOCOLS))
CLASSIFY = [base for base, name in PROTOCOLS.items() if name == "classify"]

_NUMBERS = ("", "x", "nan", "-1", "(1,)", "None", "True", "1 2", "1e999", "--")
# Wrong for all settings of a type; a null or half a letter cannot be typed.
WRONG = {
  int: (*_NUMBERS, "1.5", "1e3", "0x", "2147483648", 5000 * "9"),
  float: (*_NUMBERS, "inf", "-1e-9", "1e31", "1e-31", "0,5", "1/2"),
  bool: ("", "2", "maybe", "None", "1.0", "(True,)", "yes", "\x1b[31m"),
  tuple: (
    *("(None,)", "(-1,)", "((1,),)", "(1,", "(True,1)", "(1e999,)", "(1j,)"),
    *("{'a':1,'b':2,'c':3,'d':4}", "(0.5,'x')", "1;2", 3000 * "-" + "1"),
    *(300 * "(", "(2147483648,2147483649)", "[[]]", "(nan,1)", "b'x'"),
  ),
}
_LETTERS = "aZ09 _-.,:;/\\'\"$`(){}[]%~*?|&<>!#=\n\t\u00e9\u0661\x1b"
TEXTS = strategies.one_of(
  strategies.text(_LETTERS, max_size=20),
  strategies.sampled_from(
    [
      *("$(touch pwned)", "`touch pwned`", "; touch pwned", "| touch pwned"),
      *("../..", "~", "/dev/null", "gs:/", "s3://x", "file:///", "%s", "{0}"),
      *(text for texts in WRONG.values() for text in texts),
    ]
  ),
)

CONTRADICTIONS = [
  *(
    (base, changes)
    for base in PRETRAINING
    for changes in (
      ("training.warmup_epochs=5", "training.num_epochs=5"),
      ("training.num_epochs=5", "training.schedule_epochs=4.5"),
      ("training.batch_size=99",),
      ("training.batch_size=64", "training.micro_batches=24"),
      ("evaluation.batch_size=7",),
      ("evaluation.knn_images=3", "evaluation.knn_neighbours=4"),
      ("objective.negatives=queue", "objective.negative_weight=0"),
      ("objective.normalization=batch", "objective.negative_weight=1"),
      ("network.predictor=none", "optimizer.predictor_multiplier=2"),
      ("network.encoder_norm=none", "network.weight_standardization=True"),
      ("network.encoder_norm=group", "network.norm_groups=7"),
      ("network.stem=imagenet", "data.image_px=31"),
      ("data.source=folder", "data.train_path="),
      ("data.source=folder", "data.train_path=no_such"),
      ("data.source=tfds", "data.tfds_name="),
      ("data.source=photo_patches", "data.train_path=."),
      ("init_from=no_such",),
      ("init_from=s3://no/such",),
    )
  ),
  *(
    (base, changes)
    for base in PROTOCOLS
    for changes in (
      ("encoder=",),
      ("encoder=no_such",),
      ("encoder=.", "like="),
      ("encoder=.", "like=."),
      ("encoder=pixels", "like=", "data.image_px=0"),
      ("data.source=set", "data.sets=()"),
      ("data.source=set", "data.sets=cats"),
      ("data.source=photo_patches", "data.sets=pets"),
      ("data.sets_root=no_such",),
      ("data.source=folder", "data.sets=()", "data.train_path=no_such"),
      ("evaluation.batch_size=9",),
      ("data.views=host", "data.stored_px=9"),
    )
  ),
  *(
    (base, changes)
    for base in CLASSIFY
    for changes in (
      ("data.hold_out=none",),
      ("data.hold_out=random", "data.hold_out_share=0"),
      ("training.num_epochs=0", "training.num_steps=0"),
      ("training.refit=True", "data.train_share=0.5"),
      ("augment.kind=none", "augment.randaugment_layers=2"),
      ("data.metric=map11", "training.label_smoothing=0.1"),
      ("optimizer.learning_rates=0", "optimizer.decay_over_rate=True"),
    )
  ),
]

# Beside a config that is right.
MALFORMED = [
  *("x", "-", "--no_such=1", "--no_such", "--=1", "-config", "--config"),
  *("--config=", "--config=no_such.py", "--config=.", "--config=:x"),
  *("--config.", "--config.=1", "--config..seed=1", "--config.seed.x=1"),
  *("--config.data=1", "--config.data={}", "--config.items=1"),
  *("--config.seed", "--noconfig.seed", "--config.seed =1", "--CONFIG.seed=1"),
  *("--config.data.source[0]=t", "--dry_run=maybe", "--workdir="),
  *("--num_processes=two", "--num_processes=-1", "--process_id=9"),
  *("--flagfile=no_such", "--flagfile=."),
]


# A config file; "{}" is what it does first.
FILE = """
import importlib.util
import sys

class _Own(ValueError):
  pass

def get_config(preset=""):
  {}
  path = {!r}
  spec = importlib.util.spec_from_file_location("known", path)
  known = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(known)
  config = known.get_config()
  with config.unlocked(), config.ignore_type():
    {}
  return config.lock()
"""
ERRORS = sorted(
  name
  for name, kind in vars(builtins).items()
  if isinstance(kind, type)
  and issubclass(kind, Exception)
  and not issubclass(kind, (Warning, UnicodeError))
  and kind not in (Exception, StopAsyncIteration)
  and "Group" not in name
)
FIRST = [
  *(f"raise {name}({text!r})" for name in ERRORS for text in ("", "a:\nb")),
  *("return", "return 3", "return {}", "return dict(seed=1)", "no_such"),
  *("1 / 0", "assert False", "import no_such", "[][1]", "{}['x']", "len(1)"),
  *("sys.exit()", "sys.exit('no')", "sys.exit(3)", "get_config()", "int('x')"),
  *(
    "raise _Own('of its own kind') from KeyError('a')",
    "open('no_such')",
    "(((",
    "\0",
  ),
  *("  indented = 1", "return _Own", "b'\\xff'.decode()", "yield 1"),
]
# What no setting may be, so that any key can have it.
NO_SETTING = [
  *("None", "[]", "[1]", "{1}", "b'x'", "1j", "object()", "lambda: 1", "..."),
  *("float('nan')", "(None,)", "((),)", "10**400", "10**5000", "(10**400,)"),
  *("-1", "-1e-9", "(float('inf'),)", "range(3)", "{'x': 1}", "type"),
]


class _BeganError(Exception):
  """A command line was accepted."""


def _begin(*arguments, **keywords):
  raise _BeganError


@pytest.fixture(scope="module", autouse=True)
def _place(tmp_path_factory):
  """An empty folder, where nothing that is accepted does any work."""
  folder = tmp_path_factory.mktemp("empty")
  with pytest.MonkeyPatch.context() as patch:
    patch.chdir(folder)
    patch.setattr(inputs, "open_inputs", _begin)
    patch.setattr(evaluate, "run", _begin)
    # They are for the whole process.
    patch.setattr(stopping, "install", lambda farewell: None)
    patch.setattr(records, "log_plainly", lambda: None)
    yield
  assert os.listdir(folder) == []


def examples(count):
  """The same examples every time, and none kept on disk."""
  return hypothesis.settings(
    max_examples=count,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck),
  )


def _call(*arguments):
  """Exit code, None if work would begin, and what is said."""
  values, said = flags.FlagValues(), io.StringIO()
  with (
    contextlib.redirect_stderr(said),
    contextlib.redirect_stdout(said),
    pytest.MonkeyPatch.context() as patch,
  ):
    patch.setattr(flags, "FLAGS", values)
    try:
      main.parse_flags(["main", *arguments], values)
      main.main(["main"])
    except _BeganError:
      return None, said.getvalue()
    except SystemExit as error:
      return error.code, said.getvalue()
  raise AssertionError(f"{arguments} ended by itself.")


def _check_refused(*arguments):
  code, said = _call(*arguments)
  assert code == 2, (code, said)
  assert len(said.splitlines()) == 1
  assert said.startswith("byol_jax: ")
  assert "Traceback" not in said
  assert len(said.split()) > 2
  assert said[:-1].isprintable()


def _of(base):
  return (f"--config={ROOT / 'configs' / base}", *BASES[base])


def _known(base):
  """The settings of a config with their types, but for free texts."""
  known = schema.of(PROTOCOLS.get(base))
  return {key: rule for key, rule in known.items() if rule.allowed != "a text"}


@pytest.mark.parametrize("base", BASES)
def test_configs_are_right_as_they_are(base):
  assert _call(*_of(base)) == (None, "")


@strategies.composite
def _wrong_settings(draw):
  """A config, a key of it and a text that is wrong for its type."""
  base = draw(strategies.sampled_from(sorted(BASES)))
  known = _known(base)
  key = draw(strategies.sampled_from(sorted(known)))
  kind = known[key].types[-1]
  if kind is str:
    names = TEXTS.filter(lambda text: not known[key].holds(text))
    return base, key, draw(names)
  return base, key, draw(strategies.sampled_from(WRONG[kind]))


@examples(250)
@hypothesis.given(_wrong_settings())
def test_a_wrong_value_is_refused(drawn):
  base, key, text = drawn
  _check_refused(*_of(base), f"--config.{key}={text}")


@examples(150)
@hypothesis.given(strategies.data())
def test_any_text_is_taken_or_refused(data):
  base = data.draw(strategies.sampled_from(sorted(BASES)))
  keys = strategies.sampled_from(sorted(schema.of(PROTOCOLS.get(base))))
  drawn = data.draw(
    strategies.lists(strategies.tuples(keys, TEXTS), min_size=1, max_size=4)
  )
  arguments = [f"--config.{key}={text}" for key, text in drawn]
  code, said = _call(*_of(base), *arguments)
  assert code in (None, 2), said
  assert len(said.splitlines()) == (0 if code is None else 1)


@examples(60)
@hypothesis.given(strategies.data())
def test_an_unknown_key_is_refused(data):
  base = data.draw(strategies.sampled_from(sorted(BASES)))
  known = set(schema.of(PROTOCOLS.get(base)))
  every = known.union(schema.RULES, *schema.EVALUATION_RULES.values())
  key = data.draw(strategies.sampled_from(sorted(every)))
  if key in known:
    at = data.draw(strategies.integers(0, len(key)))
    inserted = data.draw(strategies.sampled_from(["_", "x", ".", "[0]", "-"]))
    key = key[:at] + inserted + key[at:]
  _check_refused(*_of(base), f"--config.{key}=1")


@pytest.mark.parametrize("flag", MALFORMED)
def test_a_malformed_flag_is_refused(flag):
  _check_refused(*_of("cpu.py"), flag)


@pytest.mark.parametrize(
  "address",
  ["", "nonsense", "host:port", "host:0", "host:65536", ":1", "x:\u00b2"],
)
def test_a_wrong_address_is_refused_before_it_is_used(monkeypatch, address):
  # It would end the process at once, or after minutes.
  monkeypatch.setattr(parallel, "initialize", _begin)
  flag = f"--coordinator_address={address}"
  _check_refused(*_of("cpu.py"), flag, "--num_processes=1", "--process_id=0")


@pytest.mark.parametrize("base", BASES)
def test_an_unknown_preset_is_refused(base):
  _check_refused(
    f"--config={ROOT / 'configs' / base.partition(':')[0]}:no_such"
  )


@examples(150)
@hypothesis.given(strategies.sampled_from(CONTRADICTIONS), strategies.data())
def test_a_contradiction_is_refused(contradiction, data):
  base, changes = contradiction
  changes = [f"--config.{change}" for change in changes]
  _check_refused(*_of(base), *data.draw(strategies.permutations(changes)))


@pytest.fixture(scope="module")
def write(tmp_path_factory):
  """Writes config files; each has its own name, since Python caches them."""
  numbers, folder = itertools.count(), tmp_path_factory.mktemp("configs")

  def written(base, first="pass", last="pass"):
    path = folder / f"config{next(numbers)}.py"
    known = str(ROOT / "configs" / base)
    path.write_text(FILE.format(first, known, last), encoding="utf-8")
    return f"--config={path}"

  return written


def test_the_config_file_is_right_as_it_is(write):
  assert _call(write("cpu.py")) == (None, "")


@examples(80)
@hypothesis.given(
  first=strategies.sampled_from(FIRST), overridden=strategies.booleans()
)
def test_a_config_file_that_fails_is_refused(write, first, overridden):
  more = ["--config.seed=3"] if overridden else []
  _check_refused(write("cpu.py", first), *more)


@examples(100)
@hypothesis.given(strategies.data())
def test_a_config_file_with_other_settings_is_refused(write, data):
  base = data.draw(
    strategies.sampled_from(sorted(x for x in BASES if ":" not in x))
  )
  key = data.draw(
    strategies.sampled_from(sorted(schema.of(PROTOCOLS.get(base))))
  )
  change = data.draw(
    strategies.sampled_from(
      [
        f"del config.{key}",
        f"config.{key}_more = 1",
        f"config.{key.partition('.')[0]} = 10**400",
        *(f"config.{key} = {value}" for value in NO_SETTING),
      ]
    )
  )
  _check_refused(write(base, last=change), *BASES[base])


def _calls(path):
  """What a module calls, as it is written, and its keyword arguments."""
  for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
    if isinstance(node, ast.Call):
      yield ast.unparse(node.func), {x.arg for x in node.keywords}


def test_no_text_reaches_a_shell():
  found, others = set(), set()
  shells = re.compile(r"os\.(system|popen|exec\w*|spawn\w*)|eval|exec|.*output")
  for folder in ("byol_jax", "experiments", "benchmarks"):
    for path in (ROOT / folder).rglob("*.py"):
      for name, keywords in _calls(path):
        others.add(name)
        if shells.fullmatch(name) or "shell" in keywords:
          found.add((path.name, name))
  assert "subprocess.run" in others
  assert found == set()
