//! The border of the hot path, by hand: a function that JS calls without the copies that napi-derive makes.
//!
//! In: a body in safe Rust. Out: a JS function that calls it, and bytes as JS strings. The only unsafe code of the crate.
//! Must not hold a policy's meaning, nor let a panic reach JS.
#![expect(
    unsafe_code,
    reason = "Node's C interface is made of raw pointers; each block says why it is sound"
)]

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use napi::bindgen_prelude::{FromNapiValue, ToNapiValue};
use napi::{Env, JsError, JsString, JsValue, Unknown, check_status, sys};

/// Arguments that a call may have; what comes after them is not seen.
pub(crate) const ARGUMENTS: usize = 18;

/// Bytes of the texts that are read in one step.
const SHORT_TEXT: usize = 128;
const LONGEST_CHARACTER: usize = 4;

/// Bytes as a JS string with one character for each: short ones are made faster than any object, belong to JS alone, and
/// need no finalizer.
pub struct Bytes(pub(crate) Vec<u8>);

/// What a call was given: values that live as long as it does.
#[derive(Clone, Copy)]
pub(crate) struct Arguments<'e> {
    env: sys::napi_env,
    values: &'e [sys::napi_value],
}

impl<'e> Arguments<'e> {
    pub(crate) fn env(&self) -> Env {
        Env::from_raw(self.env)
    }

    pub(crate) fn get(&self, index: usize) -> Option<Unknown<'e>> {
        // SAFETY: only `enter` makes arguments, of an environment that is live and of values that Node gave it for `'e`.
        self.values.get(index).map(|value| unsafe { Unknown::from_raw_unchecked(self.env, *value) })
    }
}

/// A JS function with a body in Rust. Its arguments are at most [`ARGUMENTS`], and on the stack.
pub(crate) fn function<'e, F>(env: &'e Env, name: &str, body: F) -> napi::Result<Unknown<'e>>
where
    F: Fn(Arguments<'_>) -> napi::Result<Option<Bytes>> + 'static,
{
    let data = Box::into_raw(Box::new(body));
    let mut function = ptr::null_mut();
    // SAFETY: `env` is the environment that is running; the name is a pointer with its length; `data` is given up to the
    // function, which has the type that `enter` expects it to have.
    let created = check_status!(unsafe {
        let length = name.len().cast_signed();
        sys::napi_create_function(
            env.raw(),
            name.as_ptr().cast(),
            length,
            Some(enter::<F>),
            data.cast(),
            &raw mut function,
        )
    });
    // SAFETY: `data` is a box of `F` that nothing else frees: `free` is called once, when the function is no more.
    let owned = created.and_then(|()| {
        check_status!(unsafe {
            sys::napi_add_finalizer(
                env.raw(),
                function,
                data.cast(),
                Some(free::<F>),
                ptr::null_mut(),
                ptr::null_mut(),
            )
        })
    });
    // On failure the body is leaked, because a function that was created still points to it.
    owned?;
    // SAFETY: `function` was set by Node and lives as long as the scope of the call that `env` belongs to.
    Ok(unsafe { Unknown::from_raw_unchecked(env.raw(), function) })
}

unsafe extern "C" fn enter<F>(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value
where
    F: Fn(Arguments<'_>) -> napi::Result<Option<Bytes>> + 'static,
{
    let work = || {
        let mut values = [ptr::null_mut(); ARGUMENTS];
        let mut count = ARGUMENTS;
        let mut data = ptr::null_mut();
        // SAFETY: Node calls this with a live environment and call; `values` has room for `count` values.
        check_status!(unsafe {
            sys::napi_get_cb_info(
                env,
                info,
                &raw mut count,
                values.as_mut_ptr(),
                ptr::null_mut(),
                &raw mut data,
            )
        })?;
        // SAFETY: `data` is the box that `function` made for this very function, which is alive, as it is being called.
        // Nothing ever makes a mutable reference to it.
        let body = unsafe { &*data.cast::<F>().cast_const() };
        let made = body(Arguments { env, values: values.get(..count).unwrap_or(&values) })?;
        // SAFETY: `env` is live, and no exception is pending: `body` would have answered with an error.
        unsafe { Option::<Bytes>::to_napi_value(env, made) }
    };
    let failure = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => return value,
        Ok(Err(error)) => error,
        Err(_) => napi::Error::from_reason("the decision could not be made"),
    };
    // SAFETY: `env` is live; the error is thrown in it as the call returns.
    unsafe { JsError::from(failure).throw_into(env) };
    ptr::null_mut()
}

unsafe extern "C" fn free<F>(_env: sys::napi_env, data: *mut c_void, _hint: *mut c_void) {
    // SAFETY: Node calls this once, with the box that `function` gave it, when the function can no longer be called.
    let body = unsafe { Box::from_raw(data.cast::<F>()) };
    // What panics here has nobody to tell.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(body)));
}

/// A JS string as UTF-8, with U+FFFD for each half of a surrogate pair.
pub(crate) fn lossy_text(value: Unknown<'_>) -> napi::Result<String> {
    let mut short = [0_u8; SHORT_TEXT];
    let mut written = 0;
    let raw = value.value();
    // SAFETY: the environment and the value are those of `value`, which is alive; `short` has room for what Node is told.
    check_status!(unsafe {
        sys::napi_get_value_string_utf8(
            raw.env,
            raw.value,
            short.as_mut_ptr().cast(),
            SHORT_TEXT,
            &raw mut written,
        )
    })?;
    match short.get(..written) {
        // Node stops where no whole character has room beside the NUL, so with more room than that it was at the end.
        Some(text) if written.saturating_add(LONGEST_CHARACTER) < SHORT_TEXT => {
            Ok(String::from_utf8_lossy(text).into_owned())
        }
        _ => String::from_unknown(value),
    }
}

impl ToNapiValue for Bytes {
    unsafe fn to_napi_value(env: sys::napi_env, Bytes(bytes): Self) -> napi::Result<sys::napi_value> {
        let mut value = ptr::null_mut();
        let length = bytes.len().cast_signed();
        // SAFETY: the caller vouches for `env`; Node copies `length` bytes, all of which `bytes` has.
        check_status!(unsafe {
            sys::napi_create_string_latin1(env, bytes.as_ptr().cast(), length, &raw mut value)
        })?;
        Ok(value)
    }
}

impl FromNapiValue for Bytes {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> napi::Result<Self> {
        // SAFETY: the caller vouches for `env` and `value`; anything but a string is an error of the next step.
        let text = unsafe { JsString::from_napi_value(env, value) }?;
        Ok(Self(text.into_latin1()?.as_slice().to_vec()))
    }
}
