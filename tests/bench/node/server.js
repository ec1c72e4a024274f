// The tutorial's server: Express, an OAuth library, tokens in Redis. POST /auth mints (SETEX), GET /secret
// validates (GET). Ends when its standard input does.
//
//   node server.js PORT REDIS-URL
import OAuth2Server from '@node-oauth/oauth2-server';
import express from 'express';
import { createClient } from 'redis';

const [port, url] = process.argv.slice(2);
const { Request, Response } = OAuth2Server;
const clients = [{ id: 'billing-service', secret: process.env.BENCH_SECRET, grants: ['client_credentials'] }];

const redis = createClient({ url });
await redis.connect();
const key = (token) => `express:${token}`;

const model = {
  getClient: async (id, secret) => clients.find((client) => client.id === id && client.secret === secret),
  getUserFromClient: async () => ({}),
  validateScope: async () => ['read', 'write'],
  saveToken: async (token, client, user) => {
    const saved = { ...token, client: { id: client.id }, user };
    const life = Math.round((token.accessTokenExpiresAt - Date.now()) / 1000);
    await redis.setEx(key(token.accessToken), life, JSON.stringify(saved));
    return saved;
  },
  getAccessToken: async (token) => {
    const saved = JSON.parse(await redis.get(key(token)));
    return saved && { ...saved, accessTokenExpiresAt: new Date(saved.accessTokenExpiresAt) };
  },
};

const oauth = new OAuth2Server({ model, allowBearerTokensInQueryString: false });
const answer = (call) => async (request, response) => {
  try {
    response.json(await call(new Request(request), new Response(response)));
  } catch (problem) {
    response.status(problem.code || 500).json({ error: problem.name });
  }
};

const app = express();
app.use(express.urlencoded({ extended: false }));
app.post('/auth', answer((request, response) => oauth.token(request, response)));
app.get('/secret', answer(async (request, response) => {
  await oauth.authenticate(request, response);
  return { message: 'Welcome to the secret area!' };
}));
app.listen(Number(port), '127.0.0.1');
process.stdin.on('end', () => process.exit(0)).resume();
