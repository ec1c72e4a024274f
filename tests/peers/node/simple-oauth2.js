// simple-oauth2: the endpoints are told; form-urlencoded credentials ("strict", its default) or raw.
import { ClientCredentials } from 'simple-oauth2';
import { parameters, run } from './task.js';

function grant(task) {
  return new ClientCredentials({
    client: { id: task.id, secret: task.secret },
    auth: { tokenHost: task.issuer, tokenPath: task.endpoint ?? '/token', revokePath: '/revoke' },
    options: {
      authorizationMethod: task.method === 'post' ? 'body' : 'header',
      credentialsEncodingMode: task.method === 'raw basic' ? 'loose' : 'strict',
    },
  });
}

async function mint(task) {
  return (await grant(task).getToken(parameters(task))).token;
}

async function revoke(task) {
  return grant(task).createToken({ access_token: task.token }).revoke('access_token');
}

await run({ mint, revoke });
