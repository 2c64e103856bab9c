// A thousand events of Express behind its compression middleware: node express_server.cjs PORT
// At /first there is one event, and the stream stays.
const timers = require("node:timers/promises");
const compression = require("compression");
const express = require("express");

const EVENTS = 1000;

const app = express();
app.use(compression());
app.get("/first", (request, response) => {
    response.type("text/event-stream").set("Cache-Control", "no-cache");
    response.write("data: first\n\n");
    response.flush();
});
app.get("/events", async (request, response) => {
    const last = Number(request.get("last-event-id") ?? 0);
    if (last === EVENTS) {
        response.status(204).end();
        return;
    }
    response.type("text/event-stream").set("Cache-Control", "no-cache");
    response.write("retry: 50\n\n");
    for (let number = last + 1; number <= EVENTS && !response.destroyed; number++) {
        response.write(`id: ${number}\ndata: ${number}\n\n`);
        response.flush();
        await timers.setTimeout(1);
    }
    response.end();
});
app.listen(Number(process.argv[2]), "127.0.0.1");
