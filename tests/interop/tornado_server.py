"""A thousand events of Tornado: python3 tornado_server.py PORT"""

import asyncio
import sys

import tornado.web

EVENTS = 1000


class Events(tornado.web.RequestHandler):
    async def get(self):
        last = int(self.request.headers.get("Last-Event-ID", 0))
        if last == EVENTS:
            self.set_status(204)
            return
        self.set_header("Content-Type", "text/event-stream")
        # Tornado sends the head with the first flush: until then the client sees nothing at all.
        await asyncio.sleep(0.2)
        for number in range(last + 1, EVENTS + 1):
            self.write(f"retry: 50\nid: {number}\ndata: {number}\n\n")
            await self.flush()
            await asyncio.sleep(0.001)


async def main():
    tornado.web.Application([("/events", Events)]).listen(int(sys.argv[1]), "127.0.0.1")
    await asyncio.Event().wait()


asyncio.run(main())
