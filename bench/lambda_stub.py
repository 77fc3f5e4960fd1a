"""Imitates the calls of AWS Lambda that publish layers: `lambda_stub.py MILLISECONDS`.

Answers each call after the given time and stores nothing. Prints its port on loopback. An emulator
would be slower than the pipeline that is measured.
"""

import asyncio
import base64
import hashlib
import itertools
import json
import re
import sys
from typing import Dict, Tuple

LAYERS = "/2018-10-31/layers/"
IDENTITY = (
    "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>000000000000</Account>"
    "</GetCallerIdentityResult></GetCallerIdentityResponse>"
)
numbers = itertools.count(1)


def region(headers: Dict[str, str]) -> str:
    scope = re.search(r"Credential=[^/]+/\d+/([^/]+)/", headers.get("authorization", ""))
    return scope.group(1) if scope else "us-east-1"


async def body(reader: asyncio.StreamReader, size: int) -> "Tuple[bytes, str]":
    """The end of a body, where all but the zip stands, and the SHA-256 of the zip."""
    digest, rest, seen = hashlib.sha256(), b"", b""
    zip_begun = zip_ended = False
    while size:
        piece = await reader.read(min(size, 3 << 18))
        if not piece:
            break
        size -= len(piece)
        rest += piece
        if not zip_begun:
            head, found, tail = rest.partition(b'"ZipFile":"')
            if not found:
                continue
            seen, rest, zip_begun = head, tail, True
        if not zip_ended:
            encoded, quote, tail = rest.partition(b'"')
            whole = len(encoded) if quote else len(encoded) // 4 * 4
            digest.update(base64.b64decode(encoded[:whole]))
            rest = tail if quote else encoded[whole:]
            zip_ended = bool(quote)
    return seen + rest, base64.b64encode(digest.digest()).decode()


def answer(method: str, path: str, place: str, digest: str) -> Tuple[int, str]:
    if path.rstrip("/") == LAYERS.rstrip("/"):
        return 200, json.dumps({"Layers": []})
    if not path.startswith(LAYERS):
        return 200, IDENTITY
    name, _, rest = path[len(LAYERS) :].partition("/versions")
    arn = f"arn:aws:lambda:{place}:000000000000:layer:{name}"
    if method == "POST" and not rest:
        number = next(numbers)
        return 201, json.dumps({
            "LayerArn": arn,
            "LayerVersionArn": f"{arn}:{number}",
            "Version": number,
            "CreatedDate": "2026-11-01T02:20:00.123+0000",
            "Content": {"CodeSha256": digest, "CodeSize": 1},
        })
    if method == "POST":
        return 201, json.dumps({"Statement": "{}"})
    number = rest.strip("/").partition("/")[0]
    statement = {
        "Sid": "make_public", "Effect": "Allow", "Principal": "*",
        "Action": "lambda:GetLayerVersion", "Resource": f"{arn}:{number}",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    return 200, json.dumps({"Policy": policy, "RevisionId": "1"})


async def serve(
    delay: float, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            request, *lines = head.strip().split("\r\n")
            method, target, _ = request.split(" ", 2)
            pairs = (line.split(":", 1) for line in lines)
            headers = {name.lower(): value.strip() for name, value in pairs}
            _, digest = await body(reader, int(headers.get("content-length", "0")))
            await asyncio.sleep(delay)
            path = target.partition("?")[0]
            status, text = answer(method, path, region(headers), digest)
            kind = "text/xml" if text.startswith("<") else "application/json"
            content = text.encode()
            writer.write(
                f"HTTP/1.1 {status} OK\r\ncontent-type: {kind}\r\n"
                f"content-length: {len(content)}\r\n\r\n".encode() + content
            )
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main() -> None:
    delay = float(sys.argv[1]) / 1000
    server = await asyncio.start_server(
        lambda reader, writer: serve(delay, reader, writer), "127.0.0.1", 0, limit=1 << 22
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
