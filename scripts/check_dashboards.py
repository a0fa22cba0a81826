"""Runs every query of Grafana dashboards against a Prometheus and fails when one gives no data.

usage: check_dashboards.py PROMETHEUS_URL DASHBOARD.json…      (called by check-grafana)
"""

import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

# What Grafana fills in.
VARIABLES = {
    "$__rate_interval": "5s",
    "$__interval": "5s",
    "$__range": "1m",
    "$instance": ".*",
    "$job": ".*",
    "$pipeline": ".*",
}
SECONDS_TO_WAIT = 30


def ask(prometheus, expression):
    """The samples of an instant query; Prometheus' own words when it refuses it."""
    url = f"{prometheus}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]["result"], None
    except urllib.error.HTTPError as error:
        return [], json.load(error)["error"]
    except OSError as error:
        return [], str(error)


def queries(dashboard):
    """Title of the panel and expression of each target, panels in rows included."""
    for panel in dashboard["panels"]:
        for inner in [panel, *panel.get("panels", [])]:
            for target in inner.get("targets", []):
                yield inner["title"], target["expr"]


def fill(expression):
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return expression


def main():
    prometheus, *files = sys.argv[1:]
    waiting = {}
    for file in files:
        with open(file, encoding="utf-8") as text:
            dashboard = json.load(text)
        ids = [panel["id"] for panel in dashboard["panels"]]
        if len(ids) != len(set(ids)):
            sys.exit(f"{file}: two panels have one id")
        for title, expression in queries(dashboard):
            waiting[(file, title, fill(expression))] = "not asked"
    total = len(waiting)
    if not total:
        sys.exit("no query found")
    deadline = time.monotonic() + SECONDS_TO_WAIT
    while waiting and time.monotonic() < deadline:
        for key in list(waiting):
            result, refusal = ask(prometheus, key[2])
            if result:
                del waiting[key]
            else:
                waiting[key] = refusal or "no data"
        time.sleep(0.5)
    for (file, title, expression), why in waiting.items():
        print(f"{file}: {title}: {why}: {expression}", file=sys.stderr)
    if waiting:
        sys.exit(1)
    print(f"{total} dashboard queries give data")


if __name__ == "__main__":
    main()
