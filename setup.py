"""Package metadata; the lower bounds are the versions that the tests ran on."""

import pathlib

import setuptools

_README = pathlib.Path(__file__).with_name("README.md")

setuptools.setup(
  name="byol-jax",
  version="0.1.0",
  description="Bootstrap Your Own Latent (arXiv 2006.07733) in JAX and Haiku",
  long_description=_README.read_text(encoding="utf-8"),
  long_description_content_type="text/markdown",
  license="Apache-2.0",
  license_files=["LICENSE"],
  packages=[
    *setuptools.find_packages(include=["byol_jax", "byol_jax.*"]),
    "byol_jax.configs",
    "byol_jax.configs.eval",
    "byol_jax.experiments",
  ],
  # Beside the package in a clone, and no modules of such names elsewhere.
  package_dir={
    "byol_jax.configs": "configs",
    "byol_jax.experiments": "experiments",
  },
  package_data={
    "byol_jax.experiments": ["paper_tables.json"],
  },
  entry_points={"console_scripts": ["byol = byol_jax.cli:main"]},
  python_requires=">=3.11",
  install_requires=[
    "absl-py>=2.5",
    "chex>=0.1.92",
    "dm-haiku>=0.0.17",
    "etils>=1.15",  # Paths in buckets; comes with Orbax.
    "filelock>=4.0",  # JAX needs it to limit its cache of programs.
    "importlib_resources>=6.5",  # tensorflow-datasets needs it, undeclared.
    "jax>=0.10.2",
    "matplotlib>=3.11",
    "ml-collections>=1.1",
    "numpy>=2.4",
    "optax>=0.2.8",
    "orbax-checkpoint>=0.12.8",
    "pillow>=13.0",  # Picture formats that TensorFlow cannot read.
    "pycocotools>=2.0.11",  # COCO's own score of detections.
    "safetensors>=0.8",  # Weights for other programs, without pickle.
    "scikit-image>=0.26",
    "scikit-learn>=1.9",
    "tensorboard>=2.21",
    "tensorflow>=2.21",
    "tensorflow-datasets>=4.9.10",
    "tensorstore>=0.1.86",  # Comes with Orbax.
    "threadpoolctl>=3.6",  # Comes with scikit-learn.
    "tqdm>=4.70",
  ],
  extras_require={
    "test": [
      "build>=1.6",
      "dill>=0.4.1",  # Checkpoints of the released code, for tests.
      "hypothesis>=6.170",
      "pyarrow>=26.0",
      "pytest>=9.2",
      "pytest-xdist>=3.8",
      "pyyaml>=6.0",  # Comes with ml-collections.
      "ruff==0.17.6",
      "selenium>=4.51",  # Drives chromium, where there is one.
      "setuptools>=84.0",
      "torch==2.13.0",  # CI compares with real PyTorch.
    ],
    "docs": [
      "mkdocs>=1.6",
      "mkdocs-material>=9.8",
      "mkdocstrings[python]>=1.0",
    ],
    "parquet": ["pyarrow>=26.0"],
    "umap": ["umap-learn>=0.5"],  # byol_jax.inspect --map=umap.
    "wandb": ["wandb>=0.31"],
    "tpu": ["jax[tpu]"],
    "cuda": ["jax[cuda13]"],
  },
)
