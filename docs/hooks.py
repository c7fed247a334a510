"""What the site has beside the pages of docs/: settings, and linked files.

MkDocs calls the functions that begin with on_.
"""

import pathlib
import re
import runpy

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = pathlib.Path(__file__).parent.parent
_FILES = "files"  # Folder of the site for what lies outside of docs/.
_OUTSIDE = re.compile(r"\]\(\.\./([^)#\s]+)")
_ALWAYS = ("CONTRIBUTING.md",)
_SETTINGS = "<!-- settings -->"


def on_files(files: Files, config: MkDocsConfig) -> Files:
  """Adds a page for each file of the repository that a page links to."""
  pages = [file for file in files if file.src_uri.endswith(".md")]
  texts = [pathlib.Path(file.abs_src_path).read_text("utf-8") for file in pages]
  linked = {name for text in texts for name in _OUTSIDE.findall(text)}
  for name in sorted(linked.union(_ALWAYS)):
    files.append(File.generated(config, _page(name), content=_shown(name)))
  return files


def on_page_markdown(
  markdown: str, page: Page, config: MkDocsConfig, files: Files
) -> str:
  """Points links to the added pages, and writes the settings."""
  del config, files
  if page.file.src_uri.startswith(f"{_FILES}/"):
    return markdown
  if _SETTINGS in markdown:
    loaded = runpy.run_path(str(ROOT / "docs" / "settings.py"))
    markdown = markdown.replace(_SETTINGS, loaded["markdown"]())
  return _OUTSIDE.sub(lambda match: f"]({_page(match[1])}", markdown)


def _page(name: str) -> str:
  """Where the site has a file of the repository."""
  return f"{_FILES}/{name.removesuffix('.md')}.md"


def _shown(name: str) -> str:
  text = (ROOT / name).read_text(encoding="utf-8")
  if name.endswith(".md"):
    # Pictures beside it stay in the repository.
    return re.sub(r"!\[[^]]*\]\([^)]*\)", "", text)
  return f"# {name}\n\n```{pathlib.Path(name).suffix[1:]}\n{text}```\n"
