//! Opened by URL, as the command line and the language packages do.

use callgate::Code;
use callgate_host::{OpenError, StoreOptions, open_store};

use crate::calls::{call, engine};
use crate::server::Server;

#[test]
fn all_who_name_a_server_and_a_namespace_share_its_counters() {
    let server = Server::start();
    let open = |url: &str, namespace: &str| {
        open_store(url, &StoreOptions::new().with_namespace(namespace)).unwrap().blocking()
    };
    let cluster = server.url().replace("redis://", "REDIS+CLUSTER://");
    assert_eq!(call(&engine(open(&server.url(), "a"), 2)), Code::Allowed);
    assert_eq!(call(&engine(open(&cluster, "a"), 2)), Code::Allowed);
    let socket = format!("unix://{}", server.directory().join("socket").display());
    assert_eq!(call(&engine(open(&socket, "a"), 2)), Code::LimitExceeded);
    assert_eq!(call(&engine(open(&server.url(), "b"), 2)), Code::Allowed);
    let Err(OpenError::Failed(error)) =
        open_store(&server.url(), &StoreOptions::new().with_namespace("a}b")).map(drop)
    else {
        panic!("a namespace that is none was taken");
    };
    assert!(error.to_string().contains("namespace"), "{error}");
}
