//! Certificates: read at start, read again when their files change, and what is made of them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, cipher_suite as suite};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedCipherSuite};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::time::{MissedTickBehavior, interval};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// How often the files are looked at.
const WATCH: Duration = Duration::from_secs(1);

/// Authenticated encryption and forward secrecy only.
const SUITES: [SupportedCipherSuite; 9] = [
    suite::TLS13_AES_256_GCM_SHA384,
    suite::TLS13_AES_128_GCM_SHA256,
    suite::TLS13_CHACHA20_POLY1305_SHA256,
    suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
];

/// Where certificates are. All files are PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// Our certificate with its chain, and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Who may sign the certificates of those who connect.
    pub client_ca: Option<PathBuf>,
    /// Whether those who connect must have one. It needs `client_ca`.
    pub require_client: bool,
    /// Who may sign those of servers, besides the system's authorities.
    pub ca: Option<PathBuf>,
    /// What we show servers: certificate and key.
    pub client_identity: Option<(PathBuf, PathBuf)>,
}

impl TlsFiles {
    fn all(&self) -> impl Iterator<Item = &Path> {
        let pairs = self.identity.iter().chain(&self.client_identity);
        let pairs = pairs.flat_map(|(certificate, key)| [certificate, key]);
        pairs.chain(&self.client_ca).chain(&self.ca).map(PathBuf::as_path)
    }

    /// Changes whenever a file does.
    fn stamp(&self) -> Vec<Option<(SystemTime, u64)>> {
        let stamp = |path: &Path| {
            let meta = std::fs::metadata(path).ok()?;
            Some((meta.modified().ok()?, meta.len()))
        };
        self.all().map(stamp).collect()
    }
}

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or is no PEM of the kind.
    #[error("{path}: {what} cannot be read: {why}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// What is wrong.
        why: String,
    },
    /// They do not fit together, or are of a kind we do not take.
    #[error("{path}: {why}; do the certificate and the key belong together?", path = path.display())]
    Unusable {
        /// The certificate's file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// The certificates in force. Clones share them.
#[derive(Clone)]
pub struct Certificates(Arc<Shared>);

struct Shared {
    files: TlsFiles,
    /// What the files were when they were first read.
    stamp: Vec<Option<(SystemTime, u64)>>,
    current: RwLock<Current>,
}

/// What was made of the files when they were last good.
#[derive(Clone, Default)]
struct Current {
    /// For SIP peers, who may be asked for a certificate.
    server: Option<Arc<ServerConfig>>,
    /// For browsers and HTTP clients, who are not.
    web: Option<Arc<ServerConfig>>,
    /// For connections of our own; made when it is first wanted, as reading the system's authorities costs
    /// time.
    client: Option<Arc<ClientConfig>>,
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Certificates").field(&self.0.files).finish()
    }
}

impl Default for Certificates {
    /// None: no TLS can be accepted, and servers are checked by the system's authorities.
    fn default() -> Self {
        Self(Arc::new(Shared { files: TlsFiles::default(), stamp: Vec::new(), current: RwLock::default() }))
    }
}

impl Certificates {
    /// Reads all files.
    ///
    /// # Errors
    /// [`TlsError`] names the file that cannot be used.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let stamp = files.stamp();
        let current = RwLock::new(Current::load(&files)?);
        Ok(Self(Arc::new(Shared { files, stamp, current })))
    }

    /// Whether there is a certificate to accept TLS with.
    #[must_use]
    pub fn can_accept(&self) -> bool {
        self.0.files.identity.is_some()
    }

    /// For connections of SIP peers.
    pub(super) fn acceptor(&self) -> Option<TlsAcceptor> {
        self.read(|current| current.server.clone()).map(TlsAcceptor::from)
    }

    /// For connections of browsers and HTTP clients: the same certificate, and none is asked for.
    #[must_use]
    pub fn web_acceptor(&self) -> Option<TlsAcceptor> {
        self.read(|current| current.web.clone()).map(TlsAcceptor::from)
    }

    /// For connections of our own.
    pub(super) fn connector(&self) -> Result<TlsConnector, TlsError> {
        if let Some(client) = self.read(|current| current.client.clone()) {
            return Ok(client.into());
        }
        let client = client_config(&self.0.files)?;
        self.write(|current| current.client = Some(Arc::clone(&client)));
        Ok(client.into())
    }

    /// Looks at the files again and again; what has changed counts for new connections. A file that cannot
    /// be used is logged, and what was there before stays.
    pub(super) async fn watch(self) {
        let files = &self.0.files;
        if files.all().next().is_none() {
            return;
        }
        let mut seen = self.0.stamp.clone();
        let mut ticks = interval(WATCH);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let now = files.stamp();
            if now == seen {
                continue;
            }
            match Current::load(files) {
                Ok(new) => {
                    self.write(|current| *current = new);
                    tracing::info!("TLS certificates were read again");
                }
                Err(error) => {
                    metrics::counter!("sayso_tls_reload_failed_total").increment(1);
                    tracing::error!(%error, "changed TLS files cannot be used; the old certificates stay");
                }
            }
            // Not the stamp of after the reading: what was changed meanwhile is to be seen.
            seen = now;
        }
    }

    fn read<T>(&self, take: impl FnOnce(&Current) -> T) -> T {
        take(&self.0.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, change: impl FnOnce(&mut Current)) {
        change(&mut self.0.current.write().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Current {
    fn load(files: &TlsFiles) -> Result<Self, TlsError> {
        // What the system's authorities are need not be known to say that our own files are good.
        let special = files.ca.is_some() || files.client_identity.is_some();
        let client = if special { Some(client_config(files)?) } else { None };
        let Some((certificate, key)) = &files.identity else { return Ok(Self { client, ..Self::default() }) };
        let unusable = |error: &dyn std::fmt::Display| TlsError::Unusable {
            path: certificate.clone(),
            why: error.to_string(),
        };
        let make = |client_ca: Option<&PathBuf>| -> Result<ServerConfig, TlsError> {
            let builder = ServerConfig::builder_with_provider(provider())
                .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
                .map_err(|error| unusable(&error))?;
            let builder = match client_ca {
                None => builder.with_no_client_auth(),
                Some(path) => {
                    let roots = Arc::new(roots(path)?);
                    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
                    let verifier =
                        if files.require_client { verifier } else { verifier.allow_unauthenticated() };
                    let verifier = verifier.build().map_err(|error| TlsError::File {
                        path: path.clone(),
                        what: "a list of certificates",
                        why: error.to_string(),
                    })?;
                    builder.with_client_cert_verifier(verifier)
                }
            };
            let (chain, key) = (chain(certificate)?, private_key(key)?);
            builder.with_single_cert(chain, key).map_err(|error| unusable(&error))
        };
        let server = Arc::new(make(files.client_ca.as_ref())?);
        let mut web = make(None)?;
        web.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { server: Some(server), web: Some(Arc::new(web)), client })
    }
}

fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
        Arc::new(CryptoProvider { cipher_suites: SUITES.to_vec(), ..aws_lc_rs::default_provider() })
    });
    Arc::clone(&PROVIDER)
}

fn client_config(files: &TlsFiles) -> Result<Arc<ClientConfig>, TlsError> {
    let place = || files.client_identity.as_ref().map_or_else(PathBuf::new, |(path, _)| path.clone());
    let unusable =
        |error: &dyn std::fmt::Display| TlsError::Unusable { path: place(), why: error.to_string() };
    let mut trusted = RootCertStore::empty();
    trusted.add_parsable_certificates(SYSTEM.iter().cloned());
    if let Some(path) = &files.ca {
        trusted.extend(roots(path)?.roots);
    }
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| unusable(&error))?;
    // An empty list is no error: nobody is trusted then.
    let builder = builder.with_root_certificates(trusted);
    let config = match &files.client_identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => builder
            .with_client_auth_cert(chain(certificate)?, private_key(key)?)
            .map_err(|error| unusable(&error))?,
    };
    Ok(Arc::new(config))
}

/// The system's authorities, read once.
static SYSTEM: LazyLock<Vec<CertificateDer<'static>>> = LazyLock::new(|| {
    let found = rustls_native_certs::load_native_certs();
    if let Some(error) = found.errors.first() {
        tracing::warn!(%error, "not all of the system's certificate authorities can be read");
    }
    found.certs
});

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let fault = |why: String| TlsError::File { path: path.to_owned(), what: "a certificate", why };
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| fault(error.to_string()))?;
    let chain: Vec<_> = certificates.collect::<Result<_, _>>().map_err(|error| fault(error.to_string()))?;
    if chain.is_empty() { Err(fault("there is none in it".to_owned())) } else { Ok(chain) }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let fault = |why: String| TlsError::File { path: path.to_owned(), what: "a private key", why };
    PrivateKeyDer::from_pem_file(path).map_err(|error| fault(error.to_string()))
}

fn roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for certificate in chain(path)? {
        store.add(certificate).map_err(|error| TlsError::File {
            path: path.to_owned(),
            what: "a list of certificates",
            why: error.to_string(),
        })?;
    }
    Ok(store)
}
