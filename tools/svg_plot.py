"""A line chart as an SVG file: small, of text that can be reviewed, without any package."""

import html
import math
from dataclasses import dataclass, field

WIDTH, HEIGHT = 820, 440
LEFT, RIGHT, TOP, BOTTOM = 80, 270, 48, 56  # margins; the legend is on the right
# Distinguishable without colour vision too (Okabe and Ito), and by their marks.
COLOURS = ["#000000", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a7a7a"]
DASHES = ["", "", "", "", "6 3", "6 3", "2 3", "2 3"]


@dataclass
class Line:
    name: str
    points: list = field(default_factory=list)  # (x, y), both positive


def power_ticks(low, high):
    """1, 2 and 5 times each power of ten, if that is not too many, else the powers."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [factor * 10.0 ** power for power in powers for factor in (1, 2, 5)]
    inside = [tick for tick in ticks if low * 0.999 <= tick <= high * 1.001]
    return inside if len(inside) <= 10 else [t for t in inside if math.log10(t) % 1 == 0]


def label(value):
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


class Axis:
    """A logarithmic scale from values to pixels."""

    def __init__(self, low, high, first, last):
        self.low, self.high, self.first, self.last = math.log10(low), math.log10(high), first, last

    def __call__(self, value):
        part = (math.log10(value) - self.low) / (self.high - self.low)
        return self.first + part * (self.last - self.first)


def text(x, y, words, anchor="middle", extra=""):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{extra}>'
            f"{html.escape(words)}</text>")


def chart(title, x_name, y_name, lines, x_ticks):
    """The SVG text of the lines, on two logarithmic axes."""
    lines = [line for line in lines if line.points]
    ys = [y for line in lines for _, y in line.points]
    low, high = min(ys) / 1.3, max(ys) * 1.3
    x_of = Axis(min(x_ticks) / 1.15, max(x_ticks) * 1.15, LEFT, WIDTH - RIGHT)
    y_of = Axis(low, high, HEIGHT - BOTTOM, TOP)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
           f'width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="13">',
           f"<title>{html.escape(title)}</title>",
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
           text(LEFT, 26, title, "start", ' font-size="16" font-weight="bold"')]
    for tick in power_ticks(low, high):
        y = y_of(tick)
        out.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#dddddd"/>')
        out.append(text(LEFT - 8, y + 4, label(tick), "end"))
    for tick in x_ticks:
        x = x_of(tick)
        out.append(f'<path d="M{x:.1f} {HEIGHT - BOTTOM}v6" stroke="#000000"/>')
        out.append(text(x, HEIGHT - BOTTOM + 20, label(tick)))
    out.append(f'<path d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}" fill="none" '
               'stroke="#000000"/>')
    out.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, x_name))
    middle = (TOP + HEIGHT - BOTTOM) / 2
    out.append(text(18, middle, y_name, extra=f' transform="rotate(-90 18 {middle:.1f})"'))
    for number, line in enumerate(lines):
        colour, dash = COLOURS[number % len(COLOURS)], DASHES[number % len(DASHES)]
        places = [(x_of(x), y_of(y)) for x, y in line.points]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        stroke = f'stroke="{colour}" stroke-width="2"' + (f' stroke-dasharray="{dash}"' * bool(dash))
        out.append(f'<path d="M{path}" fill="none" {stroke}/>')
        out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in places]
        x, y = WIDTH - RIGHT + 16, TOP + 12 + 22 * number
        out.append(f'<path d="M{x} {y}h24" fill="none" {stroke}/>')
        out.append(f'<circle cx="{x + 12}" cy="{y}" r="3.5" fill="{colour}"/>')
        out.append(text(x + 32, y + 4, line.name, "start"))
    return "\n".join(out + ["</svg>"]) + "\n"
