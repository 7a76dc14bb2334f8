"""Line charts as SVG, written by hand: no package, the same bytes for the same figures, readable in a diff."""
from html import escape

COLOURS = ["#1f6f8b", "#c8553d", "#588157", "#7a5195", "#8d6b1f"]
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 320, 70, 16, 54, 48


def ticks(low, high, count=5):
    """Round numbers from `low` to `high`."""
    span = (high - low) or 1
    step = 10 ** len(str(int(span / count))) / 10 if span / count >= 1 else 10 ** -len(str(int(count / span)))
    while span / step > count:
        step *= 2 if span / step / 2 <= count else 2.5 if span / step / 2.5 <= count else 5
    first = int(low / step) * step
    values = [first + i * step for i in range(int((high - first) / step) + 1)]
    return [round(v, 10) for v in values if v >= low]


def number(value):
    return f"{value:,.0f}" if abs(value) >= 10 or value == int(value) else f"{value:g}"


def chart(title, across, up, series, labels=None, from_zero=True):
    """`series` is {name: [(x, y)]}. With `labels`, x is 0, 1, 2, … and these are what stands below."""
    series = {name: [p for p in points if p[1] is not None] for name, points in series.items()}
    points = [p for line in series.values() for p in line]
    if not points:
        points = [(0, 0)]
    low_x, high_x = min(x for x, _ in points), max(x for x, _ in points)
    low_y = 0 if from_zero else min(y for _, y in points)
    high_y = max(y for _, y in points) * 1.05 or 1
    high_x = high_x if high_x > low_x else low_x + 1

    def at(x, y):
        return (LEFT + (x - low_x) / (high_x - low_x) * (WIDTH - LEFT - RIGHT),
                HEIGHT - BOTTOM - (y - low_y) / (high_y - low_y or 1) * (HEIGHT - TOP - BOTTOM))
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12" fill="#333">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
           f'<text x="{LEFT}" y="20" font-size="14" font-weight="bold">{escape(title)}</text>']
    for value in ticks(low_y, high_y):
        _, y = at(low_x, value)
        out.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
                   f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{number(value)}</text>')
    marks = list(enumerate(labels)) if labels else [(v, number(v)) for v in ticks(low_x, high_x, 8)]
    for value, label in marks:
        x, _ = at(value, low_y)
        out.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{escape(str(label))}</text>')
    out.append(f'<text x="{(WIDTH + LEFT - RIGHT) / 2:.0f}" y="{HEIGHT - 8}" text-anchor="middle">{escape(across)}</text>')
    out.append(f'<text transform="translate(14 {(HEIGHT + TOP - BOTTOM) / 2:.0f}) rotate(-90)" text-anchor="middle">{escape(up)}</text>')
    x = LEFT
    for i, (name, line) in enumerate(series.items()):
        colour = COLOURS[i % len(COLOURS)]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in (at(*p) for p in line))
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        if len(line) <= 40:
            out += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{colour}"/>' for a, b in (at(*p) for p in line)]
        out.append(f'<rect x="{x}" y="32" width="12" height="4" fill="{colour}"/><text x="{x + 17}" y="39">{escape(name)}</text>')
        x += 34 + 7 * len(name)
    return "\n".join(out + ["</svg>", ""])
