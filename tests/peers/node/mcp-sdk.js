// The SDK of the Model Context Protocol: from the resource's URL to a token for it, by itself.
import { auth, discoverAuthorizationServerMetadata } from '@modelcontextprotocol/sdk/client/auth.js';
import { ClientCredentialsProvider } from '@modelcontextprotocol/sdk/client/auth-extensions.js';
import { run } from './task.js';

async function discover(task) {
  return discoverAuthorizationServerMetadata(task.issuer);
}

// As its transports do: ask, and take the challenge apart for what auth() wants to know.
async function mint(task) {
  const provider = new ClientCredentialsProvider({
    clientId: task.id, clientSecret: task.secret, scope: task.scope ?? undefined,
    expectedIssuer: task.issuer,
  });
  const outcome = await auth(provider, { serverUrl: task.resource ?? task.issuer + '/secret' });
  if (outcome !== 'AUTHORIZED') throw new Error(outcome);
  return provider.tokens();
}

await run({ discover, mint });
