// An OpenID Connect provider (oidc-provider, certified) on a free loopback port: whoever types a name is that person,
// and the name says the groups: `kim+leads+staff` is `kim` of `leads` and `staff`. Prints its issuer as its first line.
// Arguments: the client's id, its secret, where it may be sent back to.
import { createServer } from 'node:http'

import { Provider } from 'oidc-provider'

const [client, secret, ...back] = process.argv.slice(2)
const server = createServer()
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`
  const provider = new Provider(issuer, {
    clients: [{ client_id: client, client_secret: secret, redirect_uris: back, grant_types: ['authorization_code'], response_types: ['code'] }],
    claims: { openid: ['sub'], profile: ['name', 'preferred_username', 'groups'] },
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    findAccount: (_, id) => {
      const [name, ...groups] = id.split('+')
      return { accountId: id, claims: () => ({ sub: id, name, preferred_username: name, groups }) }
    },
  })
  server.on('request', provider.callback())
  console.log(issuer)
})
