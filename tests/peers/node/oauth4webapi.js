// oauth4webapi: everything by way of the metadata (RFC 8414).
import * as oauth from 'oauth4webapi';
import { client, parameters, run } from './task.js';

const insecure = { [oauth.allowInsecureRequests]: true };
const authentication = { basic: oauth.ClientSecretBasic, post: oauth.ClientSecretPost };
const authenticate = (task) => authentication[task.method](task.secret);

async function discover(task) {
  const issuer = new URL(task.issuer);
  const response = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure });
  return oauth.processDiscoveryResponse(issuer, response);
}

async function mint(task) {
  const server = await discover(task);
  if (task.endpoint) server.token_endpoint = task.issuer + task.endpoint;
  const response = await oauth.clientCredentialsGrantRequest(
    server, client(task), authenticate(task), parameters(task), insecure);
  return oauth.processClientCredentialsResponse(server, client(task), response);
}

async function introspect(task) {
  const server = await discover(task);
  const response = await oauth.introspectionRequest(
    server, client(task), authenticate(task), task.token, insecure);
  return oauth.processIntrospectionResponse(server, client(task), response);
}

async function revoke(task) {
  const server = await discover(task);
  const response = await oauth.revocationRequest(
    server, client(task), authenticate(task), task.token, insecure);
  return oauth.processRevocationResponse(response);
}

async function use(task) {
  const url = new URL(task.issuer + task.path);
  const response = await oauth.protectedResourceRequest(
    task.token, 'GET', url, undefined, undefined, insecure);
  return response.json();
}

async function discoverResource(task) {
  const resource = new URL(task.issuer + '/secret');
  const response = await oauth.resourceDiscoveryRequest(resource, insecure);
  return oauth.processResourceDiscoveryResponse(resource, response);
}

await run({ discover, discoverResource, mint, introspect, revoke, use });
