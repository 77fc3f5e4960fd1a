"""moto's server, with an account for each access key of 12 digits, as in LocalStack."""

import re
import sys

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

ACCOUNT = re.compile(r"Credential=(\d{12})/")

moto = DomainDispatcherApplication(create_backend_app)


def application(environ, start_response):
    signed_by = ACCOUNT.search(environ.get("HTTP_AUTHORIZATION", ""))
    if signed_by:
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = signed_by[1]
    return moto(environ, start_response)


run_simple("127.0.0.1", int(sys.argv[1]), application, threaded=True)
