#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws terminal output with ANSI colours as an SVG picture: terminal_svg.py TITLE < output > picture.svg"""
import html
import re
import sys

FONT_SIZE, LINE_HEIGHT, CHARACTER_WIDTH, MARGIN = 13, 18, 7.83, 14
FOREGROUND, BACKGROUND, BAR = "#d6deeb", "#12161f", "#1d2331"
COLOURS = {30: "#5c6773", 31: "#ff6b6b", 32: "#9ccc65", 33: "#ffd166", 34: "#6cb6ff", 35: "#d0a2f7", 36: "#5fd7d7",
           37: FOREGROUND, 90: "#7f8c9f"}
ESCAPE = re.compile(r"\x1b\[([0-9;]*)m")


def styled_runs(line):
    """Pairs of style attributes and text."""
    colour, bold, position = FOREGROUND, False, 0
    for escape in ESCAPE.finditer(line):
        yield colour, bold, line[position:escape.start()]
        position = escape.end()
        for code in (int(word or 0) for word in escape.group(1).split(";")):
            if code == 0:
                colour, bold = FOREGROUND, False
            bold = bold or code == 1
            colour = COLOURS.get(code, colour)
    yield colour, bold, line[position:]


def draw_line(line, y):
    x, parts = float(MARGIN), []
    for colour, bold, text in styled_runs(line):
        if text.strip():
            weight = ' font-weight="bold"' if bold else ""
            parts.append(f'<text x="{x:.1f}" y="{y}" fill="{colour}"{weight} xml:space="preserve">{html.escape(text)}</text>')
        x += len(text) * CHARACTER_WIDTH
    return parts


def main():
    title = sys.argv[1]
    lines = sys.stdin.read().expandtabs(8).rstrip("\n").split("\n")
    columns = max(len(ESCAPE.sub("", line)) for line in lines)
    width, top = int(columns * CHARACTER_WIDTH + 2 * MARGIN), 30
    height = top + len(lines) * LINE_HEIGHT + MARGIN
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
           f'font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="{FONT_SIZE}">',
           f'<rect width="{width}" height="{height}" rx="8" fill="{BACKGROUND}"/>',
           f'<path d="M0 8a8 8 0 0 1 8-8h{width - 16}a8 8 0 0 1 8 8v14H0z" fill="{BAR}"/>',
           f'<text x="{width / 2}" y="16" fill="{COLOURS[90]}" text-anchor="middle">{html.escape(title)}</text>']
    for number, line in enumerate(lines):
        out += draw_line(line, top + (number + 1) * LINE_HEIGHT - 4)
    print("\n".join(out + ["</svg>"]))


if __name__ == "__main__":
    main()
