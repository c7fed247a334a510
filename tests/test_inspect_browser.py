"""The page in a real browser, where there is one."""

import io
import shutil
import time

import numpy as np
import pytest
from PIL import Image

from byol_jax.inspection import findings, gallery, history, page

webdriver = pytest.importorskip("selenium.webdriver")
_CHROMIUM = shutil.which("chromium")
_DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
  not (_CHROMIUM and _DRIVER), reason="needs chromium and chromium-driver"
)
_FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-dev-shm-usage",
]
# Would be a whole script, were it not escaped.
_NAME = "<script>window.owned = 1</script><img src=x onerror='owned = 1'>.png"
_PATIENCE_SECS = 20.0


def _findings(count=60):
  rng = np.random.default_rng(0)
  thumbnails = []
  for shade in range(count):
    file = io.BytesIO()
    Image.new("RGB", (40, 30), (4 * shade, 90, 90)).save(file, "WEBP")
    thumbnails.append(file.getvalue())
  shown = gallery.Gallery(
    names=tuple(f"{number} {_NAME}" for number in range(count)),
    labels=np.arange(count, dtype=np.int32) % 3,
    class_names=("cat", _NAME, "ключ"),
    thumbnails=tuple(thumbnails),
  )
  lines = [{"step": step, "loss": 1.0 / step} for step in (1, 2, 3)]
  return findings.find(
    _NAME,
    shown,
    rng.normal(size=(count, 8)).astype(np.float32),
    findings.Wishes(4, 5, "tsne", 0),
    history.panels(lines),
  )


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
  """The page, opened without a network."""
  root = tmp_path_factory.mktemp("browser")
  (root / "page.html").write_text(page.page(_findings()), encoding="utf-8")
  options = webdriver.ChromeOptions()
  options.binary_location = _CHROMIUM
  for flag in (*_FLAGS, f"--user-data-dir={root}/profile"):
    options.add_argument(flag)
  options.set_capability(
    "goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"}
  )
  driver = webdriver.Chrome(
    options=options, service=webdriver.ChromeService(_DRIVER)
  )
  try:
    driver.set_window_size(1200, 900)
    driver.get((root / "page.html").as_uri())
    yield driver
  finally:
    driver.quit()


def _run(browser, script):
  return browser.execute_script(f"return {script}")


def _wait(browser, script):
  """Waits until something holds."""
  end = time.monotonic() + _PATIENCE_SECS
  while not _run(browser, script):
    assert time.monotonic() < end, script
    time.sleep(0.05)


def _point(browser, event, kind="mouse"):
  """Moves to the first picture of the map, or clicks at it."""
  browser.execute_script(
    """
    const canvas = document.getElementById("map");
    canvas.scrollIntoView({block: "center"});
    const box = canvas.getBoundingClientRect();
    const data = JSON.parse(document.getElementById("data").textContent);
    const share = (values) => (values[0] - Math.min(...values)) /
      (Math.max(...values) - Math.min(...values));
    const x = box.left + 14 + share(data.x) * (box.width - 28);
    const y = box.top + 14 + (1 - share(data.y)) * (box.height - 28);
    canvas.dispatchEvent(new PointerEvent(arguments[0],
      {clientX: x, clientY: y, pointerType: arguments[1], bubbles: true}));
    """,
    event,
    kind,
  )


def test_all_thumbnails_are_decoded(browser):
  _wait(browser, "[...document.images].every((x) => x.complete)")
  widths = _run(browser, "[...document.images].map((x) => x.naturalWidth)")
  assert widths == [40] * 24


def test_pointing_at_the_map_shows_the_picture(browser):
  assert _run(browser, "document.getElementById('card').hidden")
  _point(browser, "pointermove")
  assert not _run(browser, "document.getElementById('card').hidden")
  _wait(browser, "document.querySelector('#card img').naturalWidth === 40")
  text = _run(browser, "document.getElementById('card').textContent")
  assert f" {_NAME}" in text
  assert _run(browser, "document.querySelectorAll('#card .near img').length")
  _point(browser, "pointerleave")
  assert _run(browser, "document.getElementById('card').hidden")


def test_a_tap_shows_it_too_and_keys_move_on(browser):
  _point(browser, "click", "touch")
  first = _run(browser, "document.getElementById('card').textContent")
  assert not _run(browser, "document.getElementById('card').hidden")
  texts = {first}
  for key in ("ArrowLeft", "ArrowRight", "ArrowRight", "ArrowUp"):
    browser.execute_script(
      "document.getElementById('map').dispatchEvent("
      f"new KeyboardEvent('keydown', {{key: '{key}'}}))"
    )
    texts.add(_run(browser, "document.getElementById('card').textContent"))
  assert len(texts) > 1
  browser.execute_script(
    "document.getElementById('map').dispatchEvent("
    "new KeyboardEvent('keydown', {key: 'Escape'}))"
  )
  assert _run(browser, "document.getElementById('card').hidden")


def test_the_map_is_painted_and_a_class_stands_out(browser):
  painted = "document.getElementById('map').toDataURL()"
  before = _run(browser, f"window.before = {painted}")
  browser.execute_script("document.querySelector('[data-class]').click()")
  chosen = _run(browser, painted)
  browser.execute_script("document.querySelector('[data-class]').click()")
  assert len(before) > 5000
  assert chosen != before == _run(browser, painted)
  browser.execute_script("document.getElementById('pictures').click()")
  _wait(browser, f"{painted} !== window.before")
  browser.execute_script("document.getElementById('pictures').click()")


@pytest.mark.parametrize("width", [390, 1200])
def test_the_page_is_no_wider_than_the_window(browser, width):
  browser.execute_cdp_cmd(
    "Emulation.setDeviceMetricsOverride",
    {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False},
  )
  assert _run(browser, "document.documentElement.scrollWidth") <= width


def test_no_name_ran_nothing_was_loaded_and_nothing_is_complained_of(browser):
  assert _run(browser, "typeof window.owned") == "undefined"
  assert _run(browser, "document.title") == _NAME
  wanted = [
    entry["message"]
    for entry in browser.get_log("performance")
    if '"Network.requestWillBeSent"' in entry["message"]
  ]
  assert len(wanted) > 10
  assert not [x for x in wanted if '"url":"http' in x]
  assert browser.get_log("browser") == []


def test_the_map_is_painted_before_any_size_is_observed(browser):
  never = "window.ResizeObserver = class { observe() {} };"
  browser.execute_cdp_cmd(
    "Page.addScriptToEvaluateOnNewDocument", {"source": never}
  )
  browser.refresh()
  painted = _run(browser, "document.getElementById('map').toDataURL()")
  assert len(painted) > 5000
