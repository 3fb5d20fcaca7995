"""A real browser over pages that are given as text: what it measures, and what it complains of."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# In each frame: does it scroll sideways, what is drawn where, and which words of a drawing leave it.
_MEASURE = """
const out = {};
for (const frame of document.querySelectorAll("iframe")) {
  const page = frame.contentDocument, root = page.documentElement, seen = svg => svg.getClientRects().length > 0;
  const drawings = [...page.querySelectorAll("svg")].filter(seen);
  const box = element => element.getBoundingClientRect();
  out[frame.name] = {
    wide: root.scrollWidth, room: root.clientWidth, paper: getComputedStyle(page.body).backgroundColor,
    beyond: [...page.querySelectorAll("body *")].filter(e => box(e).right > root.clientWidth + 1)
      .map(e => e.tagName + " " + e.textContent.slice(0, 40)),
    topologies: drawings.filter(svg => svg.classList.contains("topology")).length,
    bars: drawings.filter(svg => svg.classList.contains("memory")).map(svg =>
      [...svg.querySelectorAll("rect.part")].map(part => box(part).width / box(svg).width)),
    curves: drawings.map(svg => svg.querySelector("path.curve")).filter(Boolean).map(path => path.getTotalLength()),
    lost: drawings.flatMap(svg => [...svg.querySelectorAll("text")].filter(text => {
      const [a, b] = [box(text), box(svg)];
      return a.left < b.left - 1 || a.right > b.right + 1 || a.top < b.top - 1 || a.bottom > b.bottom + 1;
    }).map(text => text.textContent)),
    smallest: Math.min(...drawings.flatMap(svg => [...svg.querySelectorAll("text")].map(text =>
      parseFloat(getComputedStyle(text).fontSize) * box(svg).width / svg.viewBox.baseVal.width))),
  };
}
document.getElementById("measured").textContent = JSON.stringify(out);
"""


@dataclass(frozen=True)
class Looked:
    """`frames` by name as measured; `console` has the output of its console."""

    frames: Mapping[str, Mapping[str, Any]]
    console: tuple[str, ...]


def browser() -> str:
    """The browser's command. Where there is none a test is skipped, but not in CI, which installs one."""
    executable = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if executable is None:
        if os.environ.get("CI"):
            pytest.fail("no browser: CI installs chromium before it runs the tests")
        pytest.skip("no browser on this machine: install chromium to look at the reports")
    return executable


def look(frames: Mapping[str, tuple[str, int]], folder: Path, *, dark: bool = False) -> Looked:
    """Open documents, each with its width in CSS pixels, in frames of one page."""
    inner = "".join(
        f'<iframe name="{name}" style="border:0;width:{width}px;height:900px" srcdoc="{html.escape(page)}"></iframe>'
        for name, (page, width) in frames.items()
    )
    document = folder / "frames.html"
    script = f'<script>addEventListener("load", () => {{ {_MEASURE} }});</script>'
    document.write_text(f'<!doctype html><pre id="measured"></pre>{inner}{script}', encoding="utf-8")
    command = [
        browser(),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--enable-logging=stderr",
        f"--user-data-dir={folder / 'profile'}",
        *(["--blink-settings=preferredColorScheme=0"] if dark else []),
        "--dump-dom",
        document.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    measured = re.search(r'<pre id="measured">(.*?)</pre>', done.stdout, re.DOTALL)
    assert measured is not None, done.stdout[:2000] + done.stderr[-2000:]
    console_lines = tuple(line for line in done.stderr.splitlines() if "CONSOLE" in line)
    return Looked(json.loads(html.unescape(measured[1])), console_lines)
