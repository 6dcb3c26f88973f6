//! Handles of one store: what they share, and closing.

use callgate::{Call, Code, Engine, Policy};

use super::*;
use crate::{StoreOptions, open_store};

fn engine(store: &SharedStore, limit: u32) -> Engine {
    let policy = format!(
        "version: \"1\"\ndefault: deny\ntools: {{t: {{limits: [{{counter: c, window: month, max: {limit}}}]}}}}"
    );
    Engine::builder(Policy::from_yaml(&policy).unwrap()).store(store.blocking()).build()
}

fn call(engine: &Engine) -> Code {
    engine.decide(&Call::without_args("t")).code()
}

/// Stores of every kind that needs no server, and a directory for them.
fn each(name: &str, test: impl Fn(&SharedStore)) {
    let directory = std::env::temp_dir().join(format!("callgate-shared-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    test(&open_store("memory", &StoreOptions::new()).unwrap());
    #[cfg(feature = "sqlite")]
    test(
        &open_store(&format!("sqlite://{}", directory.join("counters.db").display()), &StoreOptions::new())
            .unwrap(),
    );
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn handles_share_counters_by_the_name_of_their_namespace() {
    each("names", |store| {
        let (one, other) = (store.namespaced("one").unwrap(), store.namespaced("other").unwrap());
        assert_eq!(call(&engine(&one, 1)), Code::Allowed);
        assert_eq!(call(&engine(&other, 1)), Code::Allowed);
        assert_eq!(call(&engine(store, 1)), Code::Allowed);
        for again in [one.clone(), store.namespaced("one").unwrap(), other.namespaced("one").unwrap()] {
            assert_eq!(call(&engine(&again, 1)), Code::LimitExceeded);
            assert_eq!(again.blocking().id(), one.blocking().id());
        }
        // The name that the store was opened with is one as any other.
        let own = other.namespaced(store.namespace()).unwrap();
        assert_eq!(call(&engine(&own, 1)), Code::LimitExceeded);
        assert_ne!(one.blocking().id(), other.blocking().id());
    });
}

#[test]
fn each_opening_of_memory_has_its_own_counters() {
    let [one, other] = [(); 2].map(|()| open_store("memory", &StoreOptions::new()).unwrap());
    assert_eq!([&one, &other].map(|store| call(&engine(store, 1))), [Code::Allowed; 2]);
}

#[test]
fn what_is_asked_of_a_closed_store_is_certainly_not_done() {
    each("closed", |store| {
        let tenant = store.namespaced("tenant").unwrap();
        let engines = [engine(store, 9), engine(&tenant, 9), engine(&store.namespaced("last").unwrap(), 9)];
        assert_eq!([0, 1, 2].map(|n| call(&engines[n])), [Code::Allowed; 3]);
        // A handle alone.
        tenant.close();
        assert_eq!(
            [0, 1, 2].map(|n| call(&engines[n])),
            [Code::Allowed, Code::StoreUnavailable, Code::Allowed]
        );
        assert_eq!(call(&engine(&store.namespaced("tenant").unwrap(), 9)), Code::Allowed);
        // All.
        store.close();
        assert_eq!([0, 1, 2].map(|n| call(&engines[n])), [Code::StoreUnavailable; 3]);
        for error in [
            store.blocking().purge(Timestamp::MIN).unwrap_err(),
            store.blocking().each(Timestamp::MIN, &mut |_| ()).unwrap_err(),
            store.namespaced("another").unwrap_err(),
        ] {
            assert!(error.is_certainly_undone() && !error.is_transient());
            assert_eq!(error.to_string(), "the store is closed");
        }
        store.close();
    });
}

/// A call is made on one thread and asked on another. What was made before the closing gets its answer.
#[test]
#[cfg(all(feature = "async", feature = "sqlite"))]
fn a_call_that_was_made_before_the_closing_gets_its_answer() {
    use crate::spawn_io;

    each("calls", |store| {
        let Some(call) = store.for_call() else { return };
        let another = store.namespaced("another").unwrap().for_call().unwrap();
        store.close();
        assert_eq!(call.id(), store.blocking().id());
        let (told, answers) = std::sync::mpsc::channel();
        for (call, told) in [(call, told.clone()), (another, told.clone()), (store.for_call().unwrap(), told)]
        {
            let ask = async move { call.purge(Timestamp::MIN).await };
            spawn_io(ask, move |answer| told.send(answer.unwrap()).unwrap()).unwrap();
        }
        let answers: Vec<_> = answers.iter().collect();
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 2, "{answers:?}");
        // The last of them has closed the file.
        assert!(store.blocking().purge(Timestamp::MIN).is_err());
    });
}

fn request() -> callgate::store::ApprovalRequest {
    let policy = "version: \"1\"\ndefault: deny\ntools: {t: {rules: [{action: require_approval}]}}";
    let engine = Engine::new(Policy::from_yaml(policy).unwrap());
    let call =
        callgate::store::ApprovalCall::new(&engine.decide(&Call::without_args("t")), "s", None).unwrap();
    callgate::store::ApprovalRequest { call, args: callgate::store::ApprovalArgs::Omitted }
}

#[test]
fn filed_calls_are_those_of_a_namespace_and_in_no_closed_store() {
    each("filed", |store| {
        let now = Timestamp::MIN;
        let (one, other) = (store.namespaced("one").unwrap(), store.namespaced("other").unwrap());
        let filed = one.approvals().file(&request(), now).unwrap();
        assert!(matches!(filed, callgate::store::Filed::New(_)));
        assert_eq!(store.namespaced("one").unwrap().approvals().filed(now).unwrap().len(), 1);
        assert_eq!(other.approvals().filed(now).unwrap(), []);
        let named = if store.is_in_memory() { None } else { Some(vec!["one".to_owned()]) };
        assert_eq!(store.filed_namespaces().unwrap(), named);
        #[cfg(feature = "async")]
        match one.approvals_nonblocking() {
            None => assert!(store.is_in_memory()),
            Some(approvals) => {
                let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
                let ask = || runtime.block_on(approvals.file(&request(), now));
                assert!(matches!(ask().unwrap(), callgate::store::Filed::Found(_)));
                one.close();
                assert!(ask().unwrap_err().is_certainly_undone());
            }
        }
        store.close();
        let errors = [
            one.approvals().file(&request(), now).unwrap_err(),
            one.approvals().filed(now).unwrap_err(),
            one.filed_namespaces().unwrap_err(),
        ];
        assert!(errors.iter().all(StoreError::is_certainly_undone), "{errors:?}");
    });
}
