"""A thousand events of sse-starlette, on uvicorn: python3 sse_starlette_server.py PORT, or the path of a Unix socket"""

import asyncio
import sys

import uvicorn
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

EVENTS = 1000


async def after(last):
    for number in range(last + 1, EVENTS + 1):
        yield ServerSentEvent(data=str(number), id=str(number), retry=50)
        await asyncio.sleep(0.001)


async def events(request):
    last = int(request.headers.get("last-event-id", 0))
    if last == EVENTS:
        return Response(status_code=204)
    return EventSourceResponse(after(last), ping=1)


app = Starlette(routes=[Route("/events", events)])
place = {"port": int(sys.argv[1])} if sys.argv[1].isdigit() else {"uds": sys.argv[1]}
uvicorn.run(app, host="127.0.0.1", log_level="critical", **place)
