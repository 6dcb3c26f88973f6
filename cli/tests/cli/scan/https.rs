//! Servers over HTTPS, with certificates that the test makes: who is believed, and how the others are refused.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use super::http::Server;
use crate::Run;

/// How `openssl ca` signs: without a list of what it signed.
const SIGNING: &str = "[ca]\ndefault_ca=own\n[own]\nnew_certs_dir=.\ndatabase=index.txt\nrand_serial=yes\ndefault_md=sha256\npolicy=any\n\
                       copy_extensions=copy\nunique_subject=no\n[any]\ncommonName=supplied\n";

/// Certificates of a test's own.
struct Certificates(PathBuf);

impl Certificates {
    /// With an authority `ca`.
    fn new(label: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(label);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let made = Self(folder);
        made.alone("ca", "CN=authority", "basicConstraints=critical,CA:TRUE");
        fs::write(made.path("ca.conf"), SIGNING).unwrap();
        fs::write(made.path("index.txt"), "").unwrap();
        made
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    fn openssl(&self, words: &[&str]) {
        let output = Command::new("openssl").current_dir(&self.0).args(words).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// One that signs itself.
    fn alone(&self, name: &str, subject: &str, extension: &str) {
        let (key, certificate) = (format!("{name}.key"), format!("{name}.crt"));
        let subject = format!("/{subject}");
        self.openssl(&[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
            "-subj",
            &subject,
            "-addext",
            extension,
            "-addext",
            "subjectAltName=DNS:localhost",
            "-keyout",
            &key,
            "-out",
            &certificate,
        ]);
    }

    /// One of the authority, for a name, in force between two times.
    fn signed(&self, name: &str, host: &str, from: &str, to: &str) {
        let (key, request, certificate) =
            (format!("{name}.key"), format!("{name}.csr"), format!("{name}.crt"));
        let names = format!("subjectAltName=DNS:{host}");
        self.openssl(&[
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-subj",
            "/CN=server",
            "-addext",
            &names,
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-keyout",
            &key,
            "-out",
            &request,
        ]);
        self.openssl(&[
            "ca",
            "-batch",
            "-config",
            "ca.conf",
            "-cert",
            "ca.crt",
            "-keyfile",
            "ca.key",
            "-notext",
            "-startdate",
            from,
            "-enddate",
            to,
            "-in",
            &request,
            "-out",
            &certificate,
        ]);
    }

    /// Scans a server that shows this certificate.
    fn scan(&self, name: &str) -> Run {
        let shown = [self.path(&format!("{name}.crt")), self.path(&format!("{name}.key"))];
        let server = Server::start_secure("json", name, &shown);
        let output = Command::new(env!("CARGO_BIN_EXE_callgate"))
            .args(["scan", "--format", "json", "--url", &server.url])
            .env("SSL_CERT_FILE", self.path("ca.crt"))
            .env_remove("SSL_CERT_DIR")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Run {
            status: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

const LONG_AGO: &str = "20200101000000Z";
const LATER: &str = "20991231235959Z";

#[test]
fn a_server_is_believed_by_a_certificate_of_an_authority_that_the_system_trusts() {
    let certificates = Certificates::new("scan-https");
    certificates.signed("good", "localhost", LONG_AGO, LATER);
    let run = certificates.scan("good");
    assert_eq!((run.status, &*run.err), (0, ""));
    assert_eq!(super::names(&run), ["read_file", "delete_repo"]);
}

#[test]
fn any_other_certificate_is_refused_and_the_error_says_why() {
    let certificates = Certificates::new("scan-https-refused");
    certificates.alone("selfsigned", "CN=localhost", "basicConstraints=critical,CA:FALSE");
    certificates.signed("expired", "localhost", LONG_AGO, "20200102000000Z");
    certificates.signed("early", "localhost", "20980101000000Z", LATER);
    certificates.signed("elsewhere", "example.com", LONG_AGO, LATER);
    for (name, why) in [
        ("selfsigned", "no authority that this system trusts has signed its certificate"),
        ("expired", "its certificate has expired"),
        ("early", "its certificate is not valid yet"),
        ("elsewhere", "its certificate is for another name than `localhost`"),
    ] {
        let run = certificates.scan(name);
        assert_eq!(run.status, 2, "{name}: {}", run.out);
        assert_eq!(
            run.err,
            format!("error: server `{}`: the server cannot be reached: {why}\n", server_name(&run.err)),
            "{name}"
        );
        assert!(super::names(&run).is_empty(), "{name}");
    }
}

/// What the scan calls the server: its host and port, which differ each time.
fn server_name(said: &str) -> String {
    said.split('`').nth(1).unwrap_or_default().to_owned()
}
