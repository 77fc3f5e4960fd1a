//! The certificates of the authorities that may sign a server's certificate: those in the system's
//! store, or only those that an environment variable names.

use std::error::Error as StdError;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use reqwest::Certificate;

use crate::Error;

/// The variables that name a file or a folder of certificates. The first one that is set is used.
///
/// The order agrees with other tools: boto3 and the AWS CLI read `AWS_CA_BUNDLE` before
/// `REQUESTS_CA_BUNDLE`, requests and pip read `REQUESTS_CA_BUNDLE` before `CURL_CA_BUNDLE`, and curl
/// reads `CURL_CA_BUNDLE` before the variables of OpenSSL. uv reads the variables of OpenSSL, too.
const BUNDLES: [&str; 3] = ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"];

/// The variables of OpenSSL. If both are set, the certificates of both are trusted.
const FILE: &str = "SSL_CERT_FILE";
const FOLDER: &str = "SSL_CERT_DIR";

/// The certificates that are trusted instead of the system's.
#[derive(Debug)]
pub(crate) struct TrustedCertificates {
    pub(crate) certificates: Vec<Certificate>,
    /// The variables and their values, for messages: `SSL_CERT_FILE=/etc/ca.pem`.
    pub(crate) named_by: String,
}

impl TrustedCertificates {
    /// Reads the variables with `get`. Returns none if no variable is set. An empty variable counts
    /// as not set.
    pub(crate) fn new(get: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, Error> {
        let get = |name: &'static str| Some((name, get(name).filter(|value| !value.is_empty())?));
        let bundle = BUNDLES.into_iter().find_map(get);
        let mut sources: Vec<(&'static str, PathBuf)> = Vec::new();
        if let Some((name, value)) = bundle {
            sources.push((name, value.into()));
        } else {
            sources.extend(get(FILE).map(|(name, value)| (name, value.into())));
            if let Some((name, value)) = get(FOLDER) {
                sources.extend(std::env::split_paths(&value).map(|path| (name, path)));
            }
        }
        if sources.is_empty() {
            return Ok(None);
        }
        let mut certificates = Vec::new();
        for (name, path) in &sources {
            certificates.extend(read(name, path)?);
        }
        let named: Vec<String> =
            sources.iter().map(|(name, path)| format!("{name}={}", path.display())).collect();
        Ok(Some(Self { certificates, named_by: named.join(", ") }))
    }
}

/// Reads the certificates of a file, or of all files in a folder.
fn read(variable: &'static str, path: &Path) -> Result<Vec<Certificate>, Error> {
    let refuse =
        |reason, source| Error::Certificates { variable, path: path.to_owned(), reason, source };
    let unreadable = |error: io::Error| refuse("it cannot be read", Some(Arc::new(error) as _));
    let metadata = fs::metadata(path).map_err(unreadable)?;
    let certificates = if metadata.is_dir() {
        let mut all = Vec::new();
        for entry in fs::read_dir(path).map_err(unreadable)? {
            let file = entry.map_err(unreadable)?.path();
            // Such folders also hold other files: broken links, keys, README files.
            if file.is_file() {
                all.extend(
                    fs::read(file).ok().and_then(|pem| parse(&pem).ok()).unwrap_or_default(),
                );
            }
        }
        all
    } else {
        let pem = fs::read(path).map_err(unreadable)?;
        parse(&pem).map_err(|error| refuse("it is damaged", Some(error)))?
    };
    if certificates.is_empty() {
        return Err(refuse("it holds no certificate in PEM form", None));
    }
    Ok(certificates)
}

type Cause = Arc<dyn StdError + Send + Sync>;

fn parse(pem: &[u8]) -> Result<Vec<Certificate>, Cause> {
    Certificate::from_pem_bundle(pem).map_err(|error| Arc::new(error) as Cause)
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64;

    use super::*;

    fn pem() -> String {
        let own = rcgen::generate_simple_self_signed(["layers.example".to_owned()]);
        let der = BASE64.encode(own.expect("a certificate").cert.der());
        format!("-----BEGIN CERTIFICATE-----\n{der}\n-----END CERTIFICATE-----\n")
    }

    fn trust(variables: &[(&str, &Path)]) -> Result<Option<TrustedCertificates>, Error> {
        TrustedCertificates::new(|wanted| {
            let found = variables.iter().find(|(name, _)| *name == wanted)?;
            Some(found.1.display().to_string())
        })
    }

    #[test]
    fn first_bundle_variable_wins_and_openssl_variables_combine() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str, certificates: usize| {
            let path = folder.path().join(name);
            fs::write(&path, pem().repeat(certificates)).expect("written");
            path
        };
        let (one, two, three) = (file("1.pem", 1), file("2.pem", 2), file("3.pem", 3));
        let certs = folder.path().join("certs");
        fs::create_dir(&certs).expect("a folder");
        fs::write(certs.join("5ed36f99.0"), pem()).expect("written");
        fs::write(certs.join("README"), "no certificate").expect("written");
        for (variables, count) in [
            (&[("AWS_CA_BUNDLE", &one), ("REQUESTS_CA_BUNDLE", &two)][..], 1),
            (&[("CURL_CA_BUNDLE", &one), ("REQUESTS_CA_BUNDLE", &two)], 2),
            (&[("CURL_CA_BUNDLE", &three), ("SSL_CERT_FILE", &one)], 3),
            (&[("SSL_CERT_FILE", &two), ("SSL_CERT_DIR", &certs)], 3),
            (&[("SSL_CERT_DIR", &certs)], 1),
            // requests accepts a folder, too.
            (&[("REQUESTS_CA_BUNDLE", &certs)], 1),
        ] {
            let variables: Vec<(&str, &Path)> =
                variables.iter().map(|(name, path)| (*name, path.as_path())).collect();
            let trust = trust(&variables).expect("good files").expect("they are set");
            assert_eq!(trust.certificates.len(), count, "{variables:?}");
            assert!(trust.named_by.starts_with(variables[0].0) || count == 2, "{trust:?}");
        }
        assert!(trust(&[]).expect("nothing is wrong").is_none());
        assert!(trust(&[("SSL_CERT_FILE", Path::new(""))]).expect("it is empty").is_none());
    }

    #[test]
    fn errors_name_the_missing_or_damaged_certificate_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).expect("written");
            path
        };
        let empty = folder.path().join("empty");
        fs::create_dir(&empty).expect("a folder");
        for (path, reason) in [
            (folder.path().join("missing.pem"), "it cannot be read"),
            (file("text.pem", "no certificate"), "it holds no certificate in PEM form"),
            (file("cut.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n"), "it is damaged"),
            (empty, "it holds no certificate in PEM form"),
        ] {
            let error = trust(&[("REQUESTS_CA_BUNDLE", &path)]).expect_err(reason);
            assert_eq!(
                error.to_string(),
                format!(
                    "could not use the certificates in {}, which REQUESTS_CA_BUNDLE names: \
                     {reason}; correct the variable, or unset it to trust the system's certificates",
                    path.display()
                )
            );
        }
    }
}
