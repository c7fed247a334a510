"""A linear classifier on frozen features, by scikit-learn."""

import warnings

import numpy as np
import threadpoolctl

from byol_jax.evaluation.features import Features

# Inverse strengths of the L2 penalty, as scikit-learn counts them.
_STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
_HELD_OUT = 0.2


def linear_top1(train: Features, test: Features, seed: int) -> float:
  """Accuracy of a multinomial logistic regression.

  Features are standardised. The L2 strength is chosen on a fifth of the
  training pictures, of each class if it has five, then the classifier is fitted
  to all of them.

  Args:
    train: labelled features.
    test: labelled features.
    seed: of the held-out fifth.

  Returns:
    Share of test pictures classified right, in [0, 1].
  """
  # Its import takes a second, for which nobody waits at the start of a run.
  from sklearn import model_selection, preprocessing

  scaler = preprocessing.StandardScaler().fit(train.representation)
  x, y = scaler.transform(train.representation), train.labels
  _, counts = np.unique(y, return_counts=True)
  many = np.min(counts) * _HELD_OUT >= 1
  fit_x, held_x, fit_y, held_y = model_selection.train_test_split(
    x, y, test_size=_HELD_OUT, random_state=seed, stratify=y if many else None
  )
  scores = [_fit(fit_x, fit_y, c).score(held_x, held_y) for c in _STRENGTHS]
  best = _fit(x, y, _STRENGTHS[int(np.argmax(scores))])
  return float(best.score(scaler.transform(test.representation), test.labels))


def _fit(x, y, strength):
  from sklearn import exceptions, linear_model

  model = linear_model.LogisticRegression(C=strength, max_iter=200)
  # With threads, OpenBLAS takes minutes where another program is running.
  with threadpoolctl.threadpool_limits(1), warnings.catch_warnings():
    # Early stopping of the weakest penalties costs no accuracy here.
    warnings.simplefilter("ignore", exceptions.ConvergenceWarning)
    return model.fit(x, y)
