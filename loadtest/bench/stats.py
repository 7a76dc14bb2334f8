"""Percentiles, medians and slopes: the arithmetic of the report, without anything measured in it."""
import math


def percentile(ordered, share):
    """The nearest-rank percentile of sorted values; NaN of none."""
    if not ordered:
        return math.nan
    return ordered[min(len(ordered) - 1, max(0, math.ceil(share * len(ordered)) - 1))]


def summary(latencies):
    """Percentiles in milliseconds of latencies in seconds."""
    ordered = sorted(latencies)
    marks = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999), ("max", 1.0))
    return {name: round(percentile(ordered, share) * 1e3, 4) for name, share in marks} if ordered else {}


def lateness(begins, rate):
    """Seconds that each call was sent after it was due; `begins` in order.

    Number k was due k / rate after the first. Added to a call's own latency this counts from when the call was due rather
    than from when the generator got round to sending it, so neither a generator nor a server that stalls can hide it
    (coordinated omission)."""
    return [max(0.0, begin - (begins[0] + k / rate)) for k, begin in enumerate(begins)]


def over_time(calls, seconds=1.0):
    """[second, p99 in ms] of calls by when they began."""
    bins = {}
    start = min((begin for begin, _ in calls), default=0.0)
    for begin, latency in calls:
        bins.setdefault(int((begin - start) / seconds), []).append(latency)
    return [[i * seconds, round(percentile(sorted(v), 0.99) * 1e3, 4)] for i, v in sorted(bins.items())]


def quantile(buckets, share):
    """The quantile of a Prometheus histogram, [(upper bound, cumulative count)], by linear interpolation; None of none."""
    total = buckets[-1][1] if buckets else 0
    if total <= 0:
        return None
    rank, below, count = share * total, 0.0, 0.0
    for bound, cumulative in buckets:
        if cumulative >= rank:
            if math.isinf(bound):
                return below
            return below + (bound - below) * (rank - count) / max(cumulative - count, 1e-12)
        below, count = bound, cumulative
    return below


def slope(points):
    """The least-squares slope of (x, y) and its standard error; the error is infinite below three points."""
    n = len(points)
    if n < 3:
        return 0.0, math.inf
    mx, my = sum(x for x, _ in points) / n, sum(y for _, y in points) / n
    sxx = sum((x - mx) ** 2 for x, _ in points)
    if sxx == 0:
        return 0.0, math.inf
    b = sum((x - mx) * (y - my) for x, y in points) / sxx
    rest = sum((y - my - b * (x - mx)) ** 2 for x, y in points)
    return b, math.sqrt(rest / (n - 2) / sxx)


def median(values):
    values = sorted(values)
    n = len(values)
    return math.nan if not n else values[n // 2] if n % 2 else (values[n // 2 - 1] + values[n // 2]) / 2
