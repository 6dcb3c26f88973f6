//! Promises of what is known, or comes later.
//!
//! In: a value, or work that waits for a store. Out: a JS promise of it. Must not touch JS while it waits.

use std::future::Future;

use callgate_host::spawn_io;
use napi::bindgen_prelude::ToNapiValue;
use napi::{Env, JsValue as _, Unknown};

/// The promise of what is known already.
pub(crate) fn resolved<R: ToNapiValue + Send + 'static>(env: &Env, known: R) -> napi::Result<Unknown<'_>> {
    let (deferred, promise) = env.create_deferred()?;
    deferred.resolve(move |_: Env| Ok(known));
    Ok(promise.to_unknown())
}

/// The promise of what `work` comes to, which waits without blocking anything; `then` is given nothing if it panicked.
pub(crate) fn carried<T: Send + 'static, R: ToNapiValue + 'static>(
    env: &Env,
    work: impl Future<Output = T> + Send + 'static,
    then: impl FnOnce(Option<T>) -> napi::Result<R> + Send + 'static,
) -> napi::Result<Unknown<'_>> {
    let (deferred, promise) = env.create_deferred()?;
    spawn_io(work, move |done| deferred.resolve(move |_: Env| then(done)))?;
    Ok(promise.to_unknown())
}
