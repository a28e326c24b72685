// An OpenID Connect provider (oidc-provider, certified) on a free loopback port: whoever types a name is that person,
// and the name says the groups: `kim+leads+staff` is `kim` of `leads` and `staff`. Prints its issuer as its first line.
// Arguments: the client's id, its secret, where it may be sent back to.
import { createServer } from 'node:http'

import { Provider } from 'oidc-provider'

const [client, secret, ...back] = process.argv.slice(2)
const FORM = `<!doctype html><html lang="en"><title>Example Corp</title>
<form method="post"><label>Who are you? <input name="login"></label><button>Sign in</button></form>`

const server = createServer()
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`
  const provider = new Provider(issuer, {
    clients: [{ client_id: client, client_secret: secret, redirect_uris: back, grant_types: ['authorization_code'], response_types: ['code'] }],
    claims: { openid: ['sub'], profile: ['name', 'preferred_username', 'groups'] },
    features: { devInteractions: { enabled: false } },
    pkce: { required: () => true },
    findAccount: (_, id) => {
      const [name, ...groups] = id.split('+')
      return { accountId: id, claims: () => ({ sub: id, name, preferred_username: name, groups }) }
    },
    // Nobody is asked whether the client may know: a company's own provider does not either.
    loadExistingGrant: async ({ oidc }) => {
      const grant = new provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId })
      grant.addOIDCScope('openid profile')
      await grant.save()
      return grant
    },
  })
  const answer = provider.callback()
  server.on('request', (request, response) => {
    if (!request.url.startsWith('/interaction/')) answer(request, response)
    else if (request.method !== 'POST') response.setHeader('content-type', 'text/html').end(FORM)
    else {
      let body = ''
      request.on('data', (data) => { body += data })
      request.on('end', () => {
        const accountId = new URLSearchParams(body).get('login')
        void provider.interactionFinished(request, response, { login: { accountId } })
      })
    }
  })
  console.log(issuer)
})
