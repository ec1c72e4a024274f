// openid-client: a configuration by discovery (RFC 8414), then one call for each thing.
import * as openid from 'openid-client';
import { parameters, run } from './task.js';

const authentication = { basic: openid.ClientSecretBasic, post: openid.ClientSecretPost };

function configure(task) {
  const authenticate = task.method ? authentication[task.method](task.secret) : openid.None();
  return openid.discovery(new URL(task.issuer), task.id ?? 'none', undefined, authenticate, {
    algorithm: 'oauth2',
    execute: [openid.allowInsecureRequests],
  });
}

async function discover(task) {
  return (await configure(task)).serverMetadata();
}

async function mint(task) {
  return openid.clientCredentialsGrant(await configure(task), parameters(task));
}

async function introspect(task) {
  return openid.tokenIntrospection(await configure(task), task.token);
}

async function revoke(task) {
  return openid.tokenRevocation(await configure(task), task.token);
}

async function use(task) {
  const url = new URL(task.issuer + task.path);
  const response = await openid.fetchProtectedResource(await configure(task), task.token, url, 'GET');
  return response.json();
}

await run({ discover, mint, introspect, revoke, use });
