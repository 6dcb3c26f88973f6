//! TLS, with certificates that the test makes.

use std::path::Path;
use std::process::{Command, Stdio};

use callgate::Code;
use callgate_redis::{RedisOptions, RedisStore};

use crate::calls::{TIMEOUT, call, engine, store};
use crate::proxy::Proxy;
use crate::server::{Server, free_port};

/// Makes a certificate for `localhost` that signs itself: `name.crt` and `name.key`.
fn make_certificate(directory: &Path, name: &str) {
    let (key, certificate) = (format!("{name}.key"), format!("{name}.crt"));
    let made = Command::new("openssl")
        .current_dir(directory)
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
        .args(["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", &key, "-out", &certificate])
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(made.success());
}

#[test]
fn a_server_is_believed_by_its_certificate_and_believes_the_client_by_its_own() {
    let directory = std::env::temp_dir().join(format!("callgate-redis-tls-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    for name in ["server", "client", "other"] {
        make_certificate(&directory, name);
    }
    let read = |name: &str| std::fs::read(directory.join(name)).unwrap();
    let path = |name: &str| directory.join(name).to_str().unwrap().to_owned();
    let port = free_port();
    let arguments = [
        "--save".to_owned(),
        String::new(),
        "--tls-port".to_owned(),
        port.to_string(),
        "--tls-cert-file".to_owned(),
        path("server.crt"),
        "--tls-key-file".to_owned(),
        path("server.key"),
        "--tls-ca-cert-file".to_owned(),
        path("client.crt"),
    ];
    let server = Server::with(&arguments.each_ref().map(String::as_str));
    let options = RedisOptions::from_url(&format!("rediss://localhost:{port}")).unwrap();
    let trusting = options.clone().with_root_certificates(read("server.crt"));
    let whole = trusting.clone().with_client_certificate(read("client.crt"), read("client.key"));
    assert_eq!(call(&engine(store(&whole), 1)), Code::Allowed);

    // The handshake has the time that the call has.
    let proxy = Proxy::to(port);
    let slow =
        RedisOptions::from_url(&proxy.url().replace("redis://127.0.0.1", "rediss://localhost")).unwrap();
    let slow = slow
        .with_root_certificates(read("server.crt"))
        .with_client_certificate(read("client.crt"), read("client.key"));
    let through = engine(store(&slow), 9);
    assert_eq!(call(&through), Code::Allowed);
    proxy.drip(TIMEOUT * 3 / 4);
    assert_eq!([call(&through), call(&through)], [Code::StoreUnavailable; 2]);

    for (wrong, why) in [
        (options.clone(), "nobody vouches for the server"),
        (options.with_root_certificates(read("other.crt")), "somebody else does"),
        (trusting.clone(), "the client shows nothing"),
        (
            trusting.with_client_certificate(read("other.crt"), read("other.key")),
            "the client is somebody else",
        ),
    ] {
        assert!(RedisStore::open(&wrong).is_err(), "{why}");
        assert_eq!(call(&engine(store(&wrong), 9)), Code::StoreUnavailable, "{why}");
    }
    let plain = RedisOptions::from_url(&format!("rediss://localhost:{}", server.port())).unwrap();
    assert!(RedisStore::open(&plain).is_err(), "the port speaks no TLS");
    let unreadable = whole.with_root_certificates("no certificate");
    assert!(RedisStore::open(&unreadable).is_err(), "the certificates are none");
    std::fs::remove_dir_all(directory).unwrap();
}
