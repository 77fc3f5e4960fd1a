"""Prints, as JSON, the layers that boto3 sees: boto_view.py ENDPOINT REGION… [--download]

Prints the versions by region and layer, newest first. With --pointers, prints the parameters below
/klayers by region and name instead. Credentials come from the environment.
"""

import argparse
import hashlib
import json
import sys
import urllib.request

import boto3
from botocore.config import Config


def pages(call, items, **arguments):
    """Yields the items of all pages."""
    while True:
        page = call(**arguments)
        yield from page[items]
        if not page.get("NextMarker"):
            return
        arguments["Marker"] = page["NextMarker"]


def pointers(clients):
    found = {}
    for region, client in clients:
        paginator = client.get_paginator("get_parameters_by_path")
        for page in paginator.paginate(Path="/klayers", Recursive=True):
            for parameter in page["Parameters"]:
                found[f"{region} {parameter['Name']}"] = parameter["Value"]
    return found


def layers(clients, download):
    return {
        region: {
            layer["LayerName"]: [
                view(client, layer["LayerName"], listed, download)
                for listed in pages(
                    client.list_layer_versions, "LayerVersions", LayerName=layer["LayerName"]
                )
            ]
            for layer in pages(client.list_layers, "Layers")
        }
        for region, client in clients
    }


def statements(client, layer, version):
    try:
        answer = client.get_layer_version_policy(LayerName=layer, VersionNumber=version)
    except client.exceptions.ResourceNotFoundException:
        return []
    return json.loads(answer["Policy"])["Statement"]


def downloaded(client, arn):
    location = client.get_layer_version_by_arn(Arn=arn)["Content"]["Location"]
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(location, timeout=60) as answer:
        return hashlib.file_digest(answer, "sha256").hexdigest()


def view(client, layer, listed, download):
    whole = client.get_layer_version(LayerName=layer, VersionNumber=listed["Version"])
    arn = listed["LayerVersionArn"]
    seen = {
        "arn": arn,
        "version": listed["Version"],
        "description": listed.get("Description", ""),
        "created": listed["CreatedDate"],
        "runtimes": listed.get("CompatibleRuntimes", []),
        "architectures": listed.get("CompatibleArchitectures", []),
        "license": whole.get("LicenseInfo"),
        "code_sha256": whole["Content"]["CodeSha256"],
        "code_size": whole["Content"]["CodeSize"],
        "statements": statements(client, layer, listed["Version"]),
    }
    if download:
        seen["downloaded"] = downloaded(client, arn)
    return seen


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("endpoint")
    parser.add_argument("regions", nargs="+", metavar="region")
    parser.add_argument("--download", action="store_true")
    parser.add_argument("--pointers", action="store_true")
    options = parser.parse_args()
    # Create the session once: it reads the services' models, which takes longer than the calls.
    session = boto3.session.Session()
    config = Config(retries={"total_max_attempts": 1}, proxies={})

    def clients(service):
        for region in options.regions:
            yield region, session.client(
                service, region_name=region, endpoint_url=options.endpoint, config=config
            )

    if options.pointers:
        found = pointers(clients("ssm"))
    else:
        found = layers(clients("lambda"), options.download)
    json.dump(found, sys.stdout)


main()
