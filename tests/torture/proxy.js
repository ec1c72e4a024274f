// proxy.js PORT HOST:PORT: Node's own HTTP in front of a server, as its manual has it.
"use strict";
const http = require("http");
const [port, upstream] = process.argv.slice(2);
const [host, upstreamPort] = upstream.split(":");
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

http.createServer((request, response) => {
  const onward = http.request(
    { agent, host, port: upstreamPort, method: request.method, path: request.url, headers: request.headers },
    (answer) => {
      response.writeHead(answer.statusCode, answer.rawHeaders);
      answer.pipe(response);
    });
  onward.on("error", () => (response.headersSent ? response.destroy() : response.writeHead(502).end()));
  request.on("error", () => onward.destroy());
  request.pipe(onward);
}).listen(Number(port), "127.0.0.1");
