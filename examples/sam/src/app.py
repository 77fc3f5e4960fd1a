"""Tells the versions of what the layers hold."""

import requests


def handler(event, context):
    return {"requests": requests.__version__}
