"""Which classes are taken for which, as a part of the page."""

import html
from collections.abc import Iterator

import numpy as np

from byol_jax.inspection import findings, neighbours

# More cells are too small for numbers, and still more for a table.
_MAX_NUMBERED, _MAX_SHOWN = 20, 100
_NUM_MISTAKES = 10


def section(found: findings.Findings) -> Iterator[str]:
  """The part of the page on classes; empty when unlabelled."""
  if not found.confusion:
    return
  names, mine = found.gallery.class_names, found.confusion
  share = np.bincount(found.gallery.labels).max() / len(found.gallery.labels)
  yield '<h2 id="classes">Classes by neighbours</h2>'
  yield (
    f"<p>Each picture gets the class that its {mine.votes} most similar others"
    f" vote for. <b>{mine.accuracy:.1%}</b> are right (always naming the most"
    f" frequent class: {share:.1%}). The others are the pictures of this page"
    " alone, so that this is not the number of the evaluation protocol.</p>"
  )
  if len(names) <= _MAX_SHOWN:
    yield (
      '<p class="soft">A row is a true class, a column a given one; the darker,'
      " the larger the share of the row.</p>"
    )
    yield from _table(mine.counts, names)
  else:
    yield (
      f'<p class="soft">A table of {len(names)} classes would not be'
      " readable.</p>"
    )
  yield from _mistakes(mine, names)


def mistakes(
  found: neighbours.Confusion, count: int
) -> list[tuple[int, int, int]]:
  """The most frequent mistakes: true class, given class, how often.

  Args:
    found: the counts.
    count: how many mistakes at most.
  """
  wrong = found.counts * (1 - np.eye(len(found.counts), dtype=np.int64))
  order = np.argsort(-wrong, axis=None, kind="stable")[:count]
  pairs = zip(*np.unravel_index(order, wrong.shape), strict=True)
  return [(int(i), int(j), int(wrong[i, j])) for i, j in pairs if wrong[i, j]]


def _table(counts: np.ndarray, names: tuple[str, ...]) -> Iterator[str]:
  escaped = [html.escape(name) for name in names]
  dense = len(names) > _MAX_NUMBERED
  look = "confusion dense" if dense else "confusion"
  heads = "".join(
    f'<th scope="col"><span title="{name}">{name}</span></th>'
    for name in escaped
  )
  yield f'<div class="scroll"><table class="{look}"><thead><tr><th></th>'
  yield f"{heads}<th>right</th></tr></thead><tbody>"
  for row, name in enumerate(escaped):
    total = counts[row].sum()
    cells = []
    for column, value in enumerate(counts[row]):
      text = f"{name} taken for {escaped[column]}: {value} of {total}"
      cells.append(_cell(value, value / total, text, (row == column, dense)))
    share = f"{counts[row, row] / total:.0%}"
    head = f'<th scope="row" title="{name}">{name}</th>'
    yield f'<tr>{head}{"".join(cells)}<td class="share">{share}</td></tr>'
  yield "</tbody></table></div>"


def _cell(value: int, share: float, text: str, kind: tuple[bool, bool]) -> str:
  is_own, dense = kind
  own = ' class="own"' if is_own else ""
  if not value:
    return f"<td{own}></td>"
  # A light one is still seen; a dark one leaves the number legible.
  look = f' style="background:rgba(var(--heat),{0.08 + 0.62 * share:.2f})"'
  return f'<td{own}{look} title="{text}">{"" if dense else value}</td>'


def _mistakes(
  found: neighbours.Confusion, names: tuple[str, ...]
) -> Iterator[str]:
  worst = mistakes(found, _NUM_MISTAKES)
  if not worst:
    yield "<p>There is no mistake.</p>"
    return
  yield "<p>The most frequent mistakes:</p><ul>"
  for true, given, count in worst:
    yield (
      f"<li>{html.escape(names[true])} taken for {html.escape(names[given])}:"
      f" {count} of {found.counts[true].sum()}</li>"
    )
  yield "</ul>"
