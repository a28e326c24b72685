// Shows the server's own OpenAPI document. What is tried from here has the session's cookie, or the token typed in, and
// the header without which nothing is changed.
window.addEventListener('load', () => {
  window.SwaggerUIBundle({
    url: '/api/v1/openapi.json',
    dom_id: '#swagger-ui',
    deepLinking: true,
    defaultModelsExpandDepth: 0,
    docExpansion: 'none',
    filter: true,
    // Nothing is told to another host.
    validatorUrl: null,
    requestInterceptor: (request) => {
      request.headers['X-Sayso'] = '1'
      return request
    },
  })
})
