import pytest

from byol_jax import exits


def test_release_closes_what_a_traceback_keeps_open():
  closed = []

  def batches():
    try:
      yield 1
    finally:
      closed.append(True)

  def job():
    kept = batches()
    next(kept)
    raise ValueError

  try:
    job()
  except ValueError as error:
    assert not closed
    exits.release(error)
    assert closed


def test_end_is_one_line_and_the_code(capsys):
  with pytest.raises(SystemExit) as error:
    exits.end(exits.STOPPED, "two\n  lines")
  assert error.value.code == 75
  assert capsys.readouterr().err == "byol_jax: two lines\n"
