//! A certificate authority for tests: it signs certificates for loopback and writes them where they are
//! wanted, and makes TLS clients that trust it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// The authority, and the folder its files are in.
pub(crate) struct Authority {
    pub(crate) dir: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate's file and that of its key.
pub(crate) type Identity = (PathBuf, PathBuf);

impl Authority {
    /// A new authority; its certificate is `ca.pem` in `dir`.
    pub(crate) fn new(dir: &Path) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("an authority");
        std::fs::write(dir.join("ca.pem"), certificate.pem()).expect("the folder is writable");
        Self { dir: dir.to_owned(), issuer: Issuer::new(params, key) }
    }

    /// The authority's certificate.
    pub(crate) fn ca(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// Signs a certificate for these names and addresses: `NAME.pem` and `NAME.key`, in place of what was
    /// there. Gives its octets too.
    pub(crate) fn sign(&self, name: &str, hosts: &[&str]) -> (Identity, Vec<u8>) {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let params = CertificateParams::new(hosts).expect("good names");
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let files = (self.dir.join(format!("{name}.pem")), self.dir.join(format!("{name}.key")));
        // The key first, and each in one step: a server may look between.
        for (file, text) in [(&files.1, key.serialize_pem()), (&files.0, certificate.pem())] {
            let new = file.with_extension("new");
            std::fs::write(&new, text).expect("the folder is writable");
            std::fs::rename(&new, file).expect("the folder is writable");
        }
        (files, certificate.der().to_vec())
    }

    /// A client that trusts this authority, with a certificate of its own or none.
    pub(crate) fn client(&self, identity: Option<&Identity>) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.ca()).expect("PEM")).expect("an authority");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.expect("versions").with_root_certificates(roots);
        Arc::new(match identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = vec![CertificateDer::from_pem_file(certificate).expect("PEM")];
                let key = PrivateKeyDer::from_pem_file(key).expect("PEM");
                builder.with_client_auth_cert(chain, key).expect("a pair")
            }
        })
    }
}
