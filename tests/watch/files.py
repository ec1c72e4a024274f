"""What the files of deploy/ and docs/ hold: queries, rules, headings."""
import json
import os
import re

import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ALERTS = os.path.join(ROOT, "deploy/prometheus/alerts.yml")
BY_PROMETHEUS = {"job", "instance"}  # labels that a scrape adds
SELECTOR = re.compile(r"\b((?:mintd|process)_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
PLAIN = re.compile(r"[\w.|+-]+")


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def panels():
    """{"row: title: legend": query}, with Grafana's variables filled in."""
    found, row = {}, None
    for panel in json.loads(read("deploy/grafana/mintd.json"))["panels"]:
        if panel["type"] == "row":
            row = panel["title"]
            continue
        for target in panel["targets"]:
            name = "%s: %s: %s" % (row, panel["title"], target["legendFormat"])
            assert name not in found, name
            found[name] = target["expr"].replace("$instance", ".*").replace("$__rate_interval", "30s")
    return found


def alerts():
    """The rules of alerts.yml."""
    return [rule for group in yaml.safe_load(read("deploy/prometheus/alerts.yml"))["groups"] for rule in group["rules"]]


def queries():
    return {**panels(), **{rule["alert"]: rule["expr"] for rule in alerts()}}


def missing(query, samples):
    """What a query names that is in none of the samples [(name, labels)]: series, labels, values of labels."""
    by_name = {}
    for name, labels in samples:
        by_name.setdefault(name, []).append(labels)
    known_labels = set()
    for name, matchers in SELECTOR.findall(query):
        if name not in by_name:
            yield "there is no series %s" % name
            continue
        labels = {}
        for one in by_name[name]:
            for label, value in one.items():
                labels.setdefault(label, set()).add(value)
        known_labels |= set(labels)
        for label, operator, text in MATCHER.findall(matchers):
            if label in BY_PROMETHEUS:
                continue
            if label not in labels:
                yield "%s has no label %s" % (name, label)
            elif operator in ("=", "=~") and PLAIN.fullmatch(text) and ".." not in text:
                for value in set(text.split("|") if operator == "=~" else [text]) - labels[label]:
                    yield '%s has no %s="%s"' % (name, label, value)
    for group in re.findall(r"\b(?:by|without) \(([^)]*)\)", query):
        for label in re.split(r",\s*", group):
            if label not in known_labels | BY_PROMETHEUS:
                yield "by an unknown label %s" % label


def headings(page):
    """Anchors of a page, in order, with the text of their sections."""
    parts = re.split(r"^(#+ .+)$", read(page), flags=re.MULTILINE)[1:]
    return {re.sub(r"[^\w -]", "", head.lstrip("#").strip().lower()).replace(" ", "-"): body
            for head, body in zip(parts[::2], parts[1::2])}
