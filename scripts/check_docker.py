"""Checks docker/: what the files say of each other must hold. Called by check-docker, at the root of the repository."""

import fnmatch
import json
import os
import re
import sys
import tomllib

import yaml

problems = []


def check(holds, problem):
    if not holds:
        problems.append(problem)


def dockerfile(path, ignored):
    with open(path, encoding="utf-8") as text:
        source = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", text.read(), flags=re.M))
    instructions = [line.split(None, 1) for line in source.splitlines() if line.strip()]
    arguments = dict(rest.split("=", 1) for word, rest in instructions if word == "ARG" and "=" in rest)
    stages = []
    for word, rest in instructions:
        if word == "FROM":
            image = re.sub(r"\$\{(\w+)\}", lambda name: arguments.get(name[1], ""), rest.split()[0])
            check(re.fullmatch(r"[\w./-]+:[\w.-]+", image), f"{path}: no version in FROM {image}")
            stages.append({"name": rest.split()[-1], "words": {}})
            continue
        if stages:
            stages[-1]["words"][word] = rest
        if word == "COPY" and "--from=" not in rest:
            for each in rest.split()[:-1]:
                check(os.path.exists(each), f"{path}: COPY {each}: no such file")
                check(not ignored(each), f"{path}: COPY {each}: left out by .dockerignore")
        elif word == "COPY":
            stage = re.search(r"--from=(\S+)", rest)[1]
            check(stage in [each["name"] for each in stages[:-1]], f"{path}: no stage {stage}")
    final = stages[-1]["words"]
    check(re.match(r"[1-9]\d*(:|$)", final.get("USER", "")), f"{path}: the last stage runs as root or by a name")
    for word in ("HEALTHCHECK", "ENTRYPOINT"):
        check(word in final, f"{path}: the last stage has no {word}")
    return final


def dockerignore():
    with open(".dockerignore", encoding="utf-8") as text:
        lines = [line.strip() for line in text if line.strip() and not line.startswith("#")]

    def ignored(path):
        left_out = False
        for line in lines:
            if fnmatch.fnmatch(path, line.lstrip("!")):
                left_out = not line.startswith("!")
        return left_out

    return ignored


def compose(path, image_has_healthcheck):
    with open(path, encoding="utf-8") as text:
        model = yaml.safe_load(text)
    schema = os.environ.get("COMPOSE_SCHEMA")
    if schema:
        import jsonschema

        with open(schema, encoding="utf-8") as text:
            validator = jsonschema.validators.validator_for({})(json.load(text))
        for error in validator.iter_errors(model):
            problems.append(f"{path}: {error.json_path}: {error.message[:200]}")
        print(f"{path}: compared with {schema}")
    services, base = model["services"], os.path.dirname(path)
    for name, service in services.items():
        at = f"{path}: {name}"
        image = service.get("image", "")
        check(re.search(r":(?!latest$)[\w.-]+$", image), f"{at}: image {image} has no version")
        if "build" in service:
            context = os.path.normpath(os.path.join(base, service["build"]["context"]))
            check(os.path.isfile(os.path.join(context, service["build"]["dockerfile"])), f"{at}: no Dockerfile")
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                check(os.path.exists(os.path.join(base, source)), f"{at}: {source}: no such file")
            else:
                check(source in model.get("volumes", {}), f"{at}: volume {source} is not declared")
        for port in service.get("ports", []):
            check(port.startswith("127.0.0.1:"), f"{at}: port {port} is open to the network")
        needs = service.get("depends_on", {})
        for other in needs:
            check(other in services, f"{at}: depends on {other}, which is not there")
            if isinstance(needs, dict) and needs[other]["condition"] == "service_healthy" and other in services:
                healthy = "healthcheck" in services[other] or ("build" in services[other] and image_has_healthcheck)
                check(healthy, f"{at}: waits for the health of {other}, which has no healthcheck")
    return services


def headwater(path, services):
    with open(path, "rb") as text:
        config = tomllib.load(text)
    advertised = services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    for broker in config["kafka"]["brokers"]:
        check(f"//{broker}" in advertised, f"{path}: broker {broker} is not among {advertised}")
    check("@postgres:5432/" in config["source"]["url"], f"{path}: source.url names another host than the service")
    check(config["admin"]["listen"] == "0.0.0.0:8642", f"{path}: the admin server cannot be reached by Prometheus")
    with open("grafana/prometheus/prometheus.yml", encoding="utf-8") as text:
        targets = yaml.safe_load(text)["scrape_configs"][0]["static_configs"][0]["targets"]
    for target in targets:
        check(target.split(":")[0] in services, f"prometheus.yml: target {target} is no service")


final = dockerfile("docker/Dockerfile", dockerignore())
services = compose("docker/compose.yaml", "HEALTHCHECK" in final)
headwater("docker/headwater.toml", services)
if problems:
    sys.exit("\n".join(problems))
print(f"docker/: {len(services)} services and the Dockerfile hold together")
