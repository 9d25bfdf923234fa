"""Line charts as inline SVG: a frame that maps values to pixels, and what is drawn in it.

Colours are CSS classes, so that one drawing serves light and dark pages.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from luthier.evaluation.report.html import esc, spoken


@dataclass(frozen=True, slots=True)
class Frame:
    """A plot area inside a drawing; values in the units of the axes, sizes in pixels of the view box."""

    width: int
    height: int
    x: tuple[float, float]
    """Least and greatest value of the horizontal axis."""
    y: tuple[float, float]
    """Least and greatest value of the vertical axis."""
    left: int = 46
    right: int = 14
    top: int = 14
    bottom: int = 44

    def at_x(self, value: float) -> float:
        """Return the pixel of a horizontal value."""
        low, high = self.x
        return self.left + (value - low) / ((high - low) or 1) * (self.width - self.left - self.right)

    def at_y(self, value: float) -> float:
        """Return the pixel of a vertical value; larger is higher up."""
        low, high = self.y
        return self.height - self.bottom - (value - low) / ((high - low) or 1) * (self.height - self.top - self.bottom)


def drawing(frame: Frame, body: str, *, title: str, css: str = "chart") -> str:
    """Return the whole drawing, scaled to the width of the page; ``title`` is read aloud by screen readers."""
    return (
        f'<svg class="{css}" viewBox="0 0 {frame.width} {frame.height}" role="img" aria-label="{esc(title)}">'
        f"{body}</svg>"
    )


def axes(frame: Frame, *, x_ticks: Sequence[float], y_ticks: Sequence[float], x_key: str, y_key: str) -> str:
    """Return grid lines, tick labels and the names of both axes."""
    parts = []
    bottom, right = frame.height - frame.bottom, frame.width - frame.right
    for tick in y_ticks:
        y = frame.at_y(tick)
        parts.append(
            f'<line class="grid" x1="{frame.left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="tick end" x="{frame.left - 7}" y="{y + 3.5:.1f}">{shown(tick)}</text>'
        )
    for tick in x_ticks:
        x = frame.at_x(tick)
        parts.append(
            f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{frame.top}" y2="{bottom}"/>'
            f'<text class="tick mid" x="{x:.1f}" y="{bottom + 16}">{shown(tick)}</text>'
        )
    parts.append(words(x_key, (frame.left + right) / 2, frame.height - 8, "axis mid"))
    middle = (frame.top + bottom) / 2
    parts.append(words(y_key, 12, middle, "axis mid", turn=f"rotate(-90 12 {middle:.1f})"))
    return "".join(parts)


def words(key: str, x: float, y: float, css: str, *, turn: str = "") -> str:
    """Return a sentence of the words inside a drawing, in both languages."""
    turned = f' transform="{turn}"' if turn else ""
    return "".join(
        f'<text class="{css} {code}" x="{x:.1f}" y="{y:.1f}"{turned}>{text}</text>' for code, text in spoken(key, {})
    )


def line(frame: Frame, points: Iterable[tuple[float, float]], css: str, *, title: str = "") -> str:
    """Return a line through points in axis units; ``title`` shows under the pointer."""
    path = " ".join(f"{frame.at_x(x):.1f},{frame.at_y(y):.1f}" for x, y in points)
    return f'<polyline class="line {css}" points="{path}">{f"<title>{esc(title)}</title>" if title else ""}</polyline>'


def dot(frame: Frame, x: float, y: float, css: str, *, radius: float = 3.5, title: str = "") -> str:
    """Return a dot at a point in axis units."""
    return (
        f'<circle class="{css}" cx="{frame.at_x(x):.1f}" cy="{frame.at_y(y):.1f}" r="{radius}">'
        f"{f'<title>{esc(title)}</title>' if title else ''}</circle>"
    )


def nice_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return at most about ``most`` round values that cover ``low`` to ``high``."""
    if not math.isfinite(high - low) or high <= low:
        return [low]
    raw = (high - low) / max(1, most - 1)
    power = 10.0 ** math.floor(math.log10(raw))
    size = next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= raw * 0.999)
    first, last = math.floor(low / size + 1e-9), math.ceil(high / size - 1e-9)
    return [round(k * size, 12) for k in range(first, last + 1)]


def shown(value: float) -> str:
    """Return a tick's number without needless zeros."""
    if value and abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.6g}"
