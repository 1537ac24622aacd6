"""Words and units: what a label says, in a text and in a column's name alike."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal, NamedTuple


def word_set(text: str) -> frozenset[str]:
    """Return the words of a text as a set."""
    return frozenset(text.split())


Statistic = Literal["mean", "minimum", "maximum", "median", "sd", "n", "sum"]

STATISTICS: dict[str, Statistic] = {
    **dict.fromkeys(("mean", "avg", "average", "averaged", "averages", "averaging"), "mean"),
    **dict.fromkeys(("min", "minimum", "lowest", "smallest", "least"), "minimum"),
    **dict.fromkeys(("max", "maximum", "highest", "largest", "peak"), "maximum"),
    **dict.fromkeys(("median", "p50"), "median"),
    **dict.fromkeys(("std", "stdev", "stddev", "sd", "deviation", "±"), "sd"),
    **dict.fromkeys(("n", "count", "samples"), "n"),
    "sum": "sum",
}
"""Word → the statistic that it names."""

UNITS: dict[str, tuple[str, float]] = {
    **dict.fromkeys(("ns", "nanosecond", "nanoseconds"), ("time", 1e-9)),
    **dict.fromkeys(("us", "µs", "μs", "microsecond", "microseconds"), ("time", 1e-6)),
    **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds"), ("time", 1e-3)),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), ("time", 1.0)),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), ("time", 60.0)),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), ("time", 3600.0)),
    **dict.fromkeys(("day", "days"), ("time", 86400.0)),
    **dict.fromkeys(("tok/s", "tokens/s", "tps", "t/s"), ("token rate", 1.0)),
    **dict.fromkeys(("qps", "rps", "req/s"), ("request rate", 1.0)),
    **dict.fromkeys(("byte", "bytes"), ("memory", 1.0)),
    "kb": ("memory", 1e3),
    "mb": ("memory", 1e6),
    "gb": ("memory", 1e9),
    "tb": ("memory", 1e12),
    "kib": ("memory", 2.0**10),
    "mib": ("memory", 2.0**20),
    "gib": ("memory", 2.0**30),
    **dict.fromkeys(("%", "percent", "pct"), ("fraction", 0.01)),
    **dict.fromkeys(("w", "watt", "watts"), ("power", 1.0)),
    "kw": ("power", 1e3),
    "mw": ("power", 1e-3),
    **dict.fromkeys(("j", "joule", "joules"), ("energy", 1.0)),
    "kj": ("energy", 1e3),
    **dict.fromkeys(("hz",), ("frequency", 1.0)),
    "mhz": ("frequency", 1e6),
    "ghz": ("frequency", 1e9),
    "°c": ("degrees", 1.0),
}
"""Unit → (dimension, factor to its base unit)."""

_SAME = {
    **dict.fromkeys(("compilation", "compiling", "compiled", "compiler", "compilations"), "compile"),
    **dict.fromkeys(("duration", "elapsed", "timing", "times"), "time"),
    **dict.fromkeys(("temp",), "temperature"),
    **dict.fromkeys(("ctx",), "context"),
    **dict.fromkeys(("evaluation", "evaluating"), "eval"),
    **dict.fromkeys(("loading",), "load"),
    **dict.fromkeys(("generated", "generating", "gen"), "generation"),
    **dict.fromkeys(("ram", "vram"), "memory"),
    **dict.fromkeys(("speed",), "throughput"),
    **dict.fromkeys(("variation",), "cv"),
}

METRIC_WORDS = word_set("""throughput ttft latency compile memory accuracy power energy temperature load prompt eval inference precision
    recall perplexity bandwidth utilization utilisation loss score cost context itl execution size training build
    import startup cold warm cache quantization quality""")
"""What is measured. A text that names one is only supported by a column or file that names it as well."""

_STOP = word_set("""the a an and or of in on at to for from with by is are was were be been it its this that these those as than
    all any each per across over between range ranging approximately about around roughly value values total overall
    number numbers metric metrics data dataset file files test tests result results run runs stats
    statistics summary report reports figure figures table list first last latest show shows shown indicate
    performance standard which while there has have had not no we our their s t""")

_PHRASES = (
    (re.compile(r"time[\s_-]to[\s_-](?:the[\s_-])?first[\s_-]token", re.I), " ttft "),
    (
        re.compile(r"(?<![^\W_])tok(?:en)?s?[\s_]?(?:/|per)[\s_]?s(?:ec(?:ond)?)?s?(?![^\W_])", re.I),
        " tok/s ",
    ),
    (re.compile(r"(?<![^\W_])tok(?:en)?s_s(?:ec)?(?![^\W_])", re.I), " tok/s "),
)
_WORD = re.compile(r"tok/s|[^\W\d_]+\d*|\d+[^\W\d_]+|[%±]")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z][a-z])")


class Label(NamedTuple):
    """What a column's name says."""

    words: frozenset[str]
    """Of its last part that says what is measured: metric words and others, without units and statistics."""
    every: frozenset[str]
    """Of the whole path."""
    statistic: Statistic | None
    unit: str | None


def words_of(text: str) -> list[str]:
    """Return the words in order: lower case, phrases joined (``ttft``, ``tok/s``), synonyms and plurals made one."""
    for pattern, replacement in _PHRASES:
        text = pattern.sub(replacement, text)
    return [normal(word) for word in _WORD.findall(_CAMEL.sub(" ", text))]


@lru_cache(maxsize=20_000)
def normal(word: str) -> str:
    """Return the one form of a word."""
    word = word.lower()
    if word in _SAME:
        return _SAME[word]
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss") and word not in UNITS:
        word = word[:-1]
    return _SAME.get(word, word)


def saying(words: list[str]) -> frozenset[str]:
    """Return the words that say what is measured: no stop words; ``tok/s`` says throughput."""
    said = {word for word in words if word not in _STOP and word not in STATISTICS and word not in UNITS}
    if "tok/s" in words or "tps" in words:
        said = (said - {"token"}) | {"throughput"}
    return frozenset(said)


def statistic_of(words: list[str]) -> Statistic | None:
    """Return the statistic that the last such word names."""
    return next((STATISTICS[word] for word in reversed(words) if word in STATISTICS), None)


@lru_cache(maxsize=20_000)
def label_of(label: str) -> Label:
    """Parse a column's header or dotted key path.

    The last part counts; where it holds only units and statistics (``timing.mean_ms``), the one before it.
    """
    parts = [part for part in re.split(r"\.|\[\]|\[|\]", label) if part.strip()]
    said: frozenset[str] = frozenset()
    statistic: Statistic | None = None
    unit: str | None = None
    for part in reversed(parts):
        words = words_of(part)
        statistic = statistic or statistic_of(words)
        unit = unit or next((word for word in reversed(words) if word in UNITS and word != "min"), None)
        said = saying(words)
        if said:
            break
    return Label(said, saying(words_of(" ".join(parts))), statistic, unit)
