"""moto's DynamoDB on a port of its own, one request after the other: moto itself bears no threads.

python -m tests.moto_server PORT
"""

from __future__ import annotations

import sys
import threading

from botocore.awsrequest import AWSRequest
from moto import mock_aws
from moto.core.models import botocore_stubber
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

_one_at_a_time = threading.Lock()


@Request.application
def app(request: Request) -> Response:
    if request.method == "GET":
        return Response("healthy")
    headers = {name: value for name, value in request.headers.items() if name.lower().startswith(("x-amz", "auth"))}
    asked = AWSRequest("POST", "https://dynamodb.us-east-1.amazonaws.com/", headers=headers, data=request.get_data())
    with _one_at_a_time:
        answer = botocore_stubber("before-send.dynamodb", asked.prepare())
    assert answer is not None
    return Response(answer.content, answer.status_code, content_type="application/x-amz-json-1.0")


if __name__ == "__main__":
    with mock_aws():
        make_server("127.0.0.1", int(sys.argv[1]), app, threaded=True).serve_forever()
