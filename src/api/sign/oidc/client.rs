//! What is asked of a provider: its discovery document and keys, kept for an hour; a code's tokens; claims.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreClientAuthMethod, CoreErrorResponseType,
    CoreGenderClaim, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm,
    CoreProviderMetadata, CoreRevocableToken, CoreRevocationErrorResponse, CoreTokenIntrospectionResponse,
    CoreTokenType,
};
use openidconnect::{
    AccessTokenHash, AdditionalClaims, AuthType, AuthorizationCode, ClaimsVerificationError, Client,
    ClientId, ClientSecret, CsrfToken, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet,
    IdTokenFields, IssuerUrl, Nonce, OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, Scope, SignatureVerificationError, StandardErrorResponse, StandardTokenResponse,
    SubjectIdentifier, TokenResponse as _, UserInfoClaims,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::access::Claims;
use crate::settings::Provider;
use crate::time::Timestamp;

use super::http::Http;
use super::{Fault, Trip};

/// How long what a provider says of itself is good.
const GOOD_FOR: Duration = Duration::from_secs(3_600);
/// Keys that are not known are asked for at most so often: a provider changes them without a word.
const AGAIN: Duration = Duration::from_secs(60);

/// Claims that the standard does not name.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Rest {
    #[serde(flatten)]
    rest: HashMap<String, Value>,
}

impl AdditionalClaims for Rest {}

type Tokens = StandardTokenResponse<
    IdTokenFields<
        Rest,
        EmptyExtraTokenFields,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    >,
    CoreTokenType,
>;

type Ours = Client<
    Rest,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// One that did not answer is not asked for so long: each try takes a connection, and seconds of who waits for it.
const NOT_AGAIN: Duration = Duration::from_secs(10);

/// The providers that were asked, by their names in the settings.
#[derive(Default)]
pub(in crate::api) struct Providers(Mutex<HashMap<String, Arc<Asked>>>);

/// What a provider answered last.
#[derive(Default)]
struct Asked {
    known: Mutex<Option<Arc<Known>>>,
    /// The settings it was asked by when it did not answer, when that was, and why.
    away: Mutex<Option<(Provider, Timestamp, String)>>,
    /// It is asked by one at a time; the others have the same answer.
    turn: tokio::sync::Mutex<()>,
}

impl Asked {
    /// The answer of late, if there is one.
    fn answer(
        &self,
        provider: &Provider,
        now: Timestamp,
        good_for: Duration,
    ) -> Option<Result<Arc<Known>, Fault>> {
        let known = lock(&self.known).clone();
        let good = known.filter(|known| known.provider == *provider && now.since(known.at) < good_for);
        let away = || match &*lock(&self.away) {
            Some((asked, at, why)) if asked == provider && now.since(*at) < NOT_AGAIN => Some(why.clone()),
            Some(_) | None => None,
        };
        good.map(Ok).or_else(|| away().map(|why| Err(Fault::Away(why))))
    }
}

/// A provider as it says it is.
pub(super) struct Known {
    /// The settings it was asked by.
    provider: Provider,
    http: Http,
    metadata: CoreProviderMetadata,
    at: Timestamp,
}

impl Providers {
    /// The provider, asked at most an hour ago.
    ///
    /// # Errors
    /// When it does not answer as it should.
    pub(super) async fn known(
        &self,
        name: &str,
        provider: &Provider,
        now: Timestamp,
    ) -> Result<Arc<Known>, Fault> {
        self.asked_since(name, provider, now, GOOD_FOR).await
    }

    /// Changes the code that a browser brought for who it is: the subject, and what is said of it.
    ///
    /// # Errors
    /// When the provider does not answer, or says what cannot be believed.
    pub(super) async fn ask(
        &self,
        name: &str,
        provider: &Provider,
        back_at: &str,
        code: String,
        trip: &Trip,
        now: Timestamp,
    ) -> Result<(String, Claims), Fault> {
        let mut known = self.known(name, provider, now).await?;
        let tokens = known.tokens(back_at, code, trip).await?;
        let mut claims = known.claims(&tokens, trip, now);
        if matches!(
            claims,
            Err(Unproven::Claims(ClaimsVerificationError::SignatureVerification(
                SignatureVerificationError::NoMatchingKey
            )))
        ) {
            known = self.asked_since(name, provider, now, AGAIN).await?;
            claims = known.claims(&tokens, trip, now);
        }
        let (subject, claims) = claims.map_err(|why| Fault::Untrue(format!("the ID token: {why}")))?;
        if claims.complete(provider) {
            return Ok((subject.to_string(), claims));
        }
        let more = known.user_info(&tokens, &subject).await?;
        Ok((subject.to_string(), claims.or(more)))
    }

    async fn asked_since(
        &self,
        name: &str,
        provider: &Provider,
        now: Timestamp,
        good_for: Duration,
    ) -> Result<Arc<Known>, Fault> {
        let asked = Arc::clone(lock(&self.0).entry(name.to_owned()).or_default());
        if let Some(answer) = asked.answer(provider, now, good_for) {
            return answer;
        }
        let _turn = asked.turn.lock().await;
        if let Some(answer) = asked.answer(provider, now, good_for) {
            return answer;
        }
        match Known::ask(provider, now).await {
            Ok(known) => {
                let known = Arc::new(known);
                *lock(&asked.known) = Some(Arc::clone(&known));
                Ok(known)
            }
            Err(fault) => {
                tracing::warn!(provider = name, %fault, "a provider does not answer as it should");
                *lock(&asked.away) = Some((provider.clone(), now, fault.to_string()));
                Err(fault)
            }
        }
    }
}

/// Why an ID token is not believed.
#[derive(Debug, thiserror::Error)]
enum Unproven {
    #[error("{0}")]
    Claims(#[from] ClaimsVerificationError),
    #[error("{0}")]
    Signature(#[from] SignatureVerificationError),
    #[error("{0}")]
    Other(&'static str),
}

impl Known {
    async fn ask(provider: &Provider, now: Timestamp) -> Result<Self, Fault> {
        let away = |error: &(dyn Error + 'static)| Fault::Away(chain(error));
        let issuer = IssuerUrl::new(provider.issuer.clone()).map_err(|error| away(&error))?;
        let http = Http::of(issuer.url()).map_err(|error| away(&error))?;
        let metadata = CoreProviderMetadata::discover_async(issuer, &http).await;
        let metadata = metadata.map_err(|error| away(&error))?;
        http.allows(metadata.authorization_endpoint().url()).map_err(|error| away(&error))?;
        Ok(Self { provider: provider.clone(), http, metadata, at: now })
    }

    /// Where the browser is to go.
    pub(super) fn authorize(&self, back_at: &str, trip: &Trip) -> Result<String, Fault> {
        let (state, nonce) = (CsrfToken::new(trip.state.clone()), Nonce::new(trip.nonce.clone()));
        let verifier = PkceCodeVerifier::new(trip.verifier.clone());
        let client = self.client(back_at)?;
        let request = client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, move || state, move || nonce)
            .add_scopes(
                self.provider.scopes.iter().filter(|scope| *scope != "openid").cloned().map(Scope::new),
            )
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
        Ok(request.url().0.into())
    }

    async fn tokens(&self, back_at: &str, code: String, trip: &Trip) -> Result<Tokens, Fault> {
        let client = self.client(back_at)?;
        let request = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| Fault::Away(chain(&error)))?
            .set_pkce_verifier(PkceCodeVerifier::new(trip.verifier.clone()));
        request.request_async(&self.http).await.map_err(|error| Fault::Away(chain(&error)))
    }

    /// What the ID token says, once it is proven (Core 1.0 §3.1.3.7).
    fn claims(
        &self,
        tokens: &Tokens,
        trip: &Trip,
        now: Timestamp,
    ) -> Result<(SubjectIdentifier, Claims), Unproven> {
        let client = self.client("").map_err(|_| Unproven::Other("the provider's settings"))?;
        let token = tokens.id_token().ok_or(Unproven::Other("there is none"))?;
        let micros = u64::try_from(now.as_micros()).unwrap_or(0);
        // A key that both sides know would let whoever knows our secret say who anybody is.
        let signed = self.metadata.id_token_signing_alg_values_supported().iter().filter(|alg| !shared(alg));
        let verifier = client
            .id_token_verifier()
            .set_allowed_algs(signed.cloned())
            .set_time_fn(move || (UNIX_EPOCH + Duration::from_micros(micros)).into());
        let claims = token.claims(&verifier, &Nonce::new(trip.nonce.clone()))?;
        if let Some(expected) = claims.access_token_hash() {
            let (alg, key) = (token.signing_alg()?, token.signing_key(&verifier)?);
            let actual = AccessTokenHash::from_token(tokens.access_token(), alg, key);
            if actual.ok().as_ref() != Some(expected) {
                return Err(Unproven::Other("the access token is another's"));
            }
        }
        Ok((claims.subject().clone(), Claims(map(claims))))
    }

    /// What the provider says of the subject beside the ID token.
    async fn user_info(&self, tokens: &Tokens, subject: &SubjectIdentifier) -> Result<Claims, Fault> {
        let client = self.client("")?;
        let Ok(request) = client.user_info(tokens.access_token().clone(), Some(subject.clone())) else {
            // It has no more to say.
            return Ok(Claims::default());
        };
        let info: UserInfoClaims<Rest, CoreGenderClaim> =
            request.request_async(&self.http).await.map_err(|_| {
                Fault::Away("the provider does not say who it is (its userinfo endpoint)".to_owned())
            })?;
        Ok(Claims(map(&info)))
    }

    /// `back_at`: empty where nothing is sent back.
    fn client(&self, back_at: &str) -> Result<Ours, Fault> {
        let secret = self.provider.client_secret.as_ref().map(|secret| ClientSecret::new(secret.0.clone()));
        let id = ClientId::new(self.provider.client_id.clone());
        let mut client = Ours::from_provider_metadata(self.metadata.clone(), id, secret);
        let methods = self.metadata.token_endpoint_auth_methods_supported();
        if methods.is_some_and(|methods| !methods.contains(&CoreClientAuthMethod::ClientSecretBasic)) {
            client = client.set_auth_type(AuthType::RequestBody);
        }
        if back_at.is_empty() {
            return Ok(client);
        }
        let back = RedirectUrl::new(back_at.to_owned()).map_err(|error| Fault::Away(chain(&error)))?;
        Ok(client.set_redirect_uri(back))
    }
}

/// Whether an algorithm signs with what both sides know, or not at all.
fn shared(alg: &CoreJwsSigningAlgorithm) -> bool {
    use CoreJwsSigningAlgorithm::{HmacSha256, HmacSha384, HmacSha512, None};
    [HmacSha256, HmacSha384, HmacSha512, None].contains(alg)
}

fn map(claims: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(claims) {
        Ok(Value::Object(map)) => map,
        Ok(_) | Err(_) => Map::new(),
    }
}

/// An error with its causes.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
