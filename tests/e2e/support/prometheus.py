"""A strict reader of the Prometheus text format 0.0.4.

    families = parse(text)                        # {"mintd_mints_total": Family, …}; raises FormatError
    families["mintd_build_info"].samples          # [Sample(name, {"version": "0.1.0"}, 1.0), …]
    check_never_falls(before, after)              # counters, histogram buckets, counts and sums

Beyond the format itself it asks for what `promtool check metrics` asks for: HELP and TYPE for each
family, once, before its samples, a family's lines together; no sample twice; counters end in _total;
histograms have cumulative buckets in rising order up to +Inf, with _sum and _count. A family may
have no sample yet.
"""
import dataclasses
import math
import re

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?Inf|NaN")
_ESCAPES = {"\\": "\\", "n": "\n", '"': '"'}
_TYPES = ("counter", "gauge", "histogram", "summary", "untyped")


class FormatError(AssertionError):
    pass


@dataclasses.dataclass
class Sample:
    name: str
    labels: dict
    value: float


@dataclasses.dataclass
class Family:
    name: str
    help: str = None
    type: str = None
    samples: list = dataclasses.field(default_factory=list)

    def value(self, **labels):
        """The sum of the samples that carry these labels."""
        return sum(s.value for s in self.samples if labels.items() <= s.labels.items())


def _labels(text, line):
    """Reads `name="value",…}` and returns (labels, what follows the brace)."""
    labels, at = {}, 0
    while True:
        if text[at : at + 1] == "}":
            return labels, text[at + 1 :]
        name = _LABEL_NAME.match(text, at)
        if not name or text[name.end() : name.end() + 2] != '="':
            raise FormatError("label in %r" % line)
        at, value = name.end() + 2, []
        while text[at : at + 1] != '"':
            if at >= len(text):
                raise FormatError("label value without end in %r" % line)
            if text[at] == "\\":
                if text[at + 1 : at + 2] not in _ESCAPES:
                    raise FormatError("escape in %r" % line)
                value.append(_ESCAPES[text[at + 1]])
                at += 2
            else:
                value.append(text[at])
                at += 1
        if name[0] in labels:
            raise FormatError("label twice in %r" % line)
        labels[name[0]] = "".join(value)
        at += 1
        if text[at : at + 1] == ",":
            at += 1
        elif text[at : at + 1] != "}":
            raise FormatError("labels of %r" % line)


def _sample(line):
    name = _NAME.match(line)
    if not name:
        raise FormatError("sample %r" % line)
    rest, labels = line[name.end() :], {}
    if rest.startswith("{"):
        labels, rest = _labels(rest[1:], line)
    if not rest.startswith(" ") or not _NUMBER.fullmatch(rest[1:]):
        raise FormatError("value of %r" % line)
    return Sample(name[0], labels, float(rest[1:]))


def _family_of(sample, families):
    for suffix in ("_bucket", "_sum", "_count"):
        base = families.get(sample.name[: -len(suffix)]) if sample.name.endswith(suffix) else None
        if base is not None and base.type in ("histogram", "summary"):
            if suffix != "_bucket" or base.type == "histogram":
                return base
    return families.get(sample.name)


def parse(data):
    text = data.decode("utf-8") if isinstance(data, bytes) else data
    if not text.endswith("\n") or "\r" in text:
        raise FormatError("lines end with LF, the last one too")
    families, current, closed = {}, None, set()
    for line in text[:-1].split("\n"):
        comment = re.fullmatch(r"# (HELP|TYPE) (\S+) (.*)", line)
        if comment:
            kind, name, rest = comment.groups()
            if not _NAME.fullmatch(name):
                raise FormatError("name in %r" % line)
            family = families.setdefault(name, Family(name))
            if getattr(family, kind.lower()) is not None or family.samples:
                raise FormatError("%s twice or late: %r" % (kind, line))
            if kind == "TYPE" and rest not in _TYPES:
                raise FormatError("type in %r" % line)
            setattr(family, kind.lower(), rest)
        elif line.startswith("#") or not line:
            continue
        else:
            sample = _sample(line)
            family = _family_of(sample, families)
            if family is None or family.type is None or not family.help:
                raise FormatError("no HELP and TYPE before %r" % line)
            family.samples.append(sample)
        if current is not None and family is not current:
            closed.add(current.name)
        if family.name in closed:
            raise FormatError("the lines of %s do not stand together: %r" % (family.name, line))
        current = family
    for family in families.values():
        _check_family(family)
    return families


def _check_family(family):
    seen = set()
    for sample in family.samples:
        key = (sample.name, tuple(sorted(sample.labels.items())))
        if key in seen:
            raise FormatError("twice: %r" % (key,))
        seen.add(key)
    if family.type == "counter":
        if not family.name.endswith("_total"):
            raise FormatError("the counter %s does not end in _total" % family.name)
        if not all(s.value >= 0 and math.isfinite(s.value) for s in family.samples):
            raise FormatError("a counter below 0: %s" % family.name)
    elif family.name.endswith("_total"):
        raise FormatError("%s is not a counter" % family.name)
    if family.type == "histogram":
        _check_histogram(family)


def _check_histogram(family):
    series = {}
    for sample in family.samples:
        labels = dict(sample.labels)
        bound = labels.pop("le", None)
        one = series.setdefault(tuple(sorted(labels.items())), {"buckets": []})
        kind = sample.name[len(family.name) :]
        if kind == "_bucket":
            if bound is None:
                raise FormatError("a bucket without le: %r" % sample)
            one["buckets"].append((float(bound), sample.value))
        elif kind in ("_sum", "_count") and bound is None:
            one[kind] = sample.value
        else:
            raise FormatError("in the histogram %s: %r" % (family.name, sample))
    for labels, one in series.items():
        bounds, counts = [b for b, _ in one["buckets"]], [c for _, c in one["buckets"]]
        about = "%s%r" % (family.name, labels)
        if "_sum" not in one or "_count" not in one:
            raise FormatError("_sum or _count missing: " + about)
        if not bounds or bounds[-1] != math.inf or bounds != sorted(set(bounds)):
            raise FormatError("bucket bounds: " + about)
        if counts != sorted(counts) or counts[-1] != one["_count"]:
            raise FormatError("buckets are not cumulative: " + about)


def _monotonic(families):
    for family in families.values():
        if family.type in ("counter", "histogram"):
            for sample in family.samples:
                yield (sample.name, tuple(sorted(sample.labels.items()))), sample.value


def check_never_falls(before, after):
    """No counter of `before` is missing or lower in `after`."""
    now = dict(_monotonic(after))
    for key, value in _monotonic(before):
        assert key in now, "gone: %r" % (key,)
        assert now[key] >= value, "fell: %r from %r to %r" % (key, value, now[key])
