"""A thousand events of Flask in some three seconds: gunicorn flask_server:app"""

import time

from flask import Flask, Response, request

EVENTS = 1000

app = Flask(__name__)


def after(last):
    for number in range(last + 1, EVENTS + 1):
        yield f"retry: 50\nid: {number}\ndata: {number}\n\n"
        time.sleep(0.003)


@app.get("/events")
def events():
    last = int(request.headers.get("Last-Event-ID", 0))
    if last == EVENTS:
        return "", 204
    return Response(after(last), mimetype="text/event-stream")
