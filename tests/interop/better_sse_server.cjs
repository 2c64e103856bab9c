// A thousand events of better-sse: node better_sse_server.cjs PORT
const http = require("node:http");
const timers = require("node:timers/promises");
const { createSession } = require("better-sse");

const EVENTS = 1000;

const server = http.createServer(async (request, response) => {
    const last = Number(request.headers["last-event-id"] ?? 0);
    if (last === EVENTS) {
        response.writeHead(204).end();
        return;
    }
    const session = await createSession(request, response, { retry: 50, keepAlive: 100 });
    for (let number = last + 1; number <= EVENTS && session.isConnected; number++) {
        session.push(number, "message", String(number));
        await timers.setTimeout(1);
    }
    response.end();
});
server.listen(Number(process.argv[2]), "127.0.0.1");
