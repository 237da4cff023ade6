"""Draw the dashboard from a run: ``python docs/images/dashboard.py g t > dashboard.svg``.

Needs a running supervisor with stacks that have something to show. KEYs are pressed before.
"""

from __future__ import annotations

import argparse
import html
import re
import sys

import anyio

from stacker.client import session
from stacker.tui.app import Dashboard

SIZE = (132, 30)
TREND_S = 13
"""Until the history of the processor's load is full."""


async def draw(keys: list[str]) -> str:
    app = Dashboard(session.connect(session.Place()))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause(1)
        await pilot.press(*keys)
        await pilot.pause(TREND_S)
        return without_padding(without_web_fonts(app.export_screenshot(title="stacker ui")))


def without_web_fonts(picture: str) -> str:
    """Take the reader's own monospaced font: a picture should not ask other hosts for anything."""
    picture = re.sub(r"@font-face\s*\{.*?\}\s*", "", picture, flags=re.DOTALL)
    return picture.replace("Fira Code", "ui-monospace, Menlo, Consolas, DejaVu Sans Mono")


def without_padding(picture: str) -> str:
    """Move texts to where their first letter is: not every program draws leading spaces."""

    def moved(found: re.Match[str]) -> str:
        x, _, length, between, text = found.groups()
        letters = text.replace("&#160;", " ")
        shown = letters.strip(" ")
        if not shown:
            return found.group()
        cell = float(length) / len(html.unescape(letters))
        start = float(x) + cell * (len(letters) - len(letters.lstrip(" ")))
        width = cell * len(html.unescape(shown))
        shown = shown.replace(" ", "&#160;")
        return f'x="{start:g}"{found["y"]} textLength="{width:g}"{between}>{shown}<'

    pattern = r'x="([\d.]+)"(?P<y> y="[\d.]+") textLength="([\d.]+)"([^>]*)>([^<]*)<'
    return re.sub(pattern, moved, picture)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "keys", metavar="KEY", nargs="*", help="as Textual names it: down, e, slash"
    )
    sys.stdout.write(anyio.run(draw, parser.parse_args().keys))
