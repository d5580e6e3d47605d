"""A real browser without a window: Chromium, from MM_CKPT_MIGRATE_CHROMIUM or the PATH."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
DARK, LIGHT = "preferredColorScheme=0", "preferredColorScheme=1"
QUIET = (
    "--headless",
    "--disable-gpu",
    "--no-first-run",
    "--disable-component-update",
    "--disable-background-networking",
    "--disable-sync",
    "--enable-logging=stderr",
    "--hide-scrollbars",
)


def found() -> str | None:
    named = os.environ.get("MM_CKPT_MIGRATE_CHROMIUM")
    return named or next(filter(None, map(shutil.which, NAMES)), None)


def without_script(page: Path) -> str:
    """The page as one sees it who allows no scripts."""
    text, taken = re.subn(r"<script>.*</script>", "", page.read_text("utf-8"), flags=re.DOTALL)
    assert taken == 1
    return text


# On a busy machine Chromium may complain of its own parts, or give the page before it has run.
ATTEMPTS = 3


@dataclass
class Browser:
    program: str
    folder: Path

    def run(self, page: Path, *options: str, blink: str = LIGHT, fragment: str = "") -> tuple[str, str]:
        """What it writes on stdout, and what pages say on the console."""
        # Chromium's sandbox does not start as root; the pages here are our own.
        root = ["--no-sandbox"] if os.geteuid() == 0 else []
        command = [
            self.program,
            *QUIET,
            *root,
            f"--user-data-dir={self.folder / 'profile'}",
            "--window-size=1280,900",
            f"--blink-settings={blink}",
            *options,
            f"{page.as_uri()}{fragment}",
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        return done.stdout, "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)

    def pages_printed(self, page: Path, blink: str = LIGHT) -> int:
        """How many sheets of paper it takes."""
        paper = self.folder / "paper.pdf"
        self.run(page, f"--print-to-pdf={paper}", "--no-pdf-header-footer", blink=blink)
        return len(re.findall(rb"/Type\s*/Page\b(?!s)", paper.read_bytes()))

    def ask(
        self, page: Path, script: str, *, width: int = 1280, blink: str = LIGHT, plain: bool = False
    ) -> Any:
        """What a function body returns, run in the page's window; `plain`: without its scripts.

        The page lies in a frame, as no window of Chromium is as narrow as a phone.
        """
        text = without_script(page) if plain else page.read_text(encoding="utf-8")
        outer = self.folder / "outer.html"
        outer.write_text(
            f'<!DOCTYPE html><body><iframe width="{width}" height="800" style="border: 0" '
            f'srcdoc="{html.escape(text)}"></iframe><script>onload = () => {{'
            f"const window = frames[0], document = window.document;"
            f"globalThis.document.body.dataset.said = JSON.stringify((() => {{{script}}})());"
            f"}}</script></body>",
            encoding="utf-8",
        )
        for _ in range(ATTEMPTS):
            out, console = self.run(outer, "--dump-dom", blink=blink)
            found = re.findall(r'<body data-said="([^"]*)"', out)
            if found and not console:
                break
        assert not console, console
        (said,) = found
        return json.loads(html.unescape(said))
