// The SDK of MCP at /stream and at /json: node mcp_server.cjs PORT. Its tool `count` sends a thousand messages.
const http = require("node:http");
const timers = require("node:timers/promises");
const { McpServer } = require("@modelcontextprotocol/sdk/server/mcp.js");
const { StreamableHTTPServerTransport } = require("@modelcontextprotocol/sdk/server/streamableHttp.js");

const MESSAGES = 1000;

// What was sent, to be sent again; the ids are the numbers from 1.
class Events {
    sent = [];

    async storeEvent(stream, message) {
        this.sent.push({ stream, message });
        return String(this.sent.length);
    }

    async replayEventsAfter(id, { send }) {
        const { stream } = this.sent[id - 1];
        for (let next = Number(id); next < this.sent.length; next++) {
            if (this.sent[next].stream === stream) await send(String(next + 1), this.sent[next].message);
        }
        return stream;
    }
}

async function connect(options) {
    const server = new McpServer({ name: "count", version: "1" }, { capabilities: { logging: {} } });
    server.registerTool("count", {}, async ({ sendNotification }) => {
        for (let number = 1; number <= MESSAGES; number++) {
            await sendNotification({ method: "notifications/message", params: { level: "info", data: number } });
            await timers.setTimeout(1);
        }
        return { content: [{ type: "text", text: "counted" }] };
    });
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: () => "session", ...options });
    await server.connect(transport);
    return transport;
}

async function main() {
    const transports = {
        "/stream": await connect({ eventStore: new Events() }),
        "/json": await connect({ enableJsonResponse: true }),
    };
    const server = http.createServer((request, response) => transports[request.url].handleRequest(request, response));
    server.listen(Number(process.argv[2]), "127.0.0.1");
}

main();
