//! Certificates of TLS connections.
//!
//! In: certificates as PEM. Out: what either client needs to connect. Must not read certificates anew for each connection.

use std::sync::Arc;

use redis::{ConnectionInfo, ErrorKind, RedisError, RedisResult};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

/// Certificates that are used in place of the system's, and beside them.
#[derive(Clone, Default)]
pub(crate) struct Certificates {
    pub(crate) root: Option<Vec<u8>>,
    /// Certificate and key.
    pub(crate) client: Option<(Vec<u8>, Vec<u8>)>,
}

impl Certificates {
    /// The server's address with these certificates, for the client library.
    pub(crate) fn apply(&self, server: ConnectionInfo) -> RedisResult<ConnectionInfo> {
        if self.root.is_none() && self.client.is_none() {
            return Ok(server);
        }
        let client_tls = self.client.clone();
        let certificates = redis::TlsCertificates {
            client_tls: client_tls
                .map(|(client_cert, client_key)| redis::ClientTlsConfig { client_cert, client_key }),
            root_cert: self.root.clone(),
        };
        Ok(redis::Client::build_with_tls(server, certificates)?.get_connection_info().clone())
    }

    /// What connections that block are made with.
    pub(crate) fn config(&self) -> RedisResult<Arc<ClientConfig>> {
        let mut roots = RootCertStore::empty();
        match &self.root {
            Some(pem) => {
                for certificate in CertificateDer::pem_slice_iter(pem) {
                    roots.add(certificate.map_err(|_| invalid())?).map_err(|_| invalid())?;
                }
            }
            // One that cannot be read is one that nobody is trusted by.
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        // The provider is named: a process may have another one, or two, as its default.
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|_| invalid())?
            .with_root_certificates(roots);
        let config = match &self.client {
            None => config.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = CertificateDer::pem_slice_iter(certificate).collect::<Result<Vec<_>, _>>();
                let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| invalid())?;
                config.with_client_auth_cert(chain.map_err(|_| invalid())?, key).map_err(|_| invalid())?
            }
        };
        Ok(Arc::new(config))
    }
}

fn invalid() -> RedisError {
    RedisError::from((ErrorKind::InvalidClientConfig, "certificates that are none"))
}
