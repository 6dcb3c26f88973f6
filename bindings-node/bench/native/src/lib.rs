//! The floors: native functions with the signature of `evaluate` that do as little as can be done.
//!
//! In: a tool, arguments and an identity. Out: nothing, a number, or an object of a decision's shape. Raw calls of Node's
//! interface, buffers on the stack, no checks: no package that reads the same values could be quicker. Must not be part of
//! any package.

use std::ffi::CStr;
use std::ptr;

use napi::bindgen_prelude::Object;
use napi::sys::{self, napi_callback_info as Info, napi_env as Env, napi_value as Value};
use napi_derive::napi;

/// Adds the floors to the module.
#[napi(module_exports)]
pub fn exports(exports: Object<'_>, env: napi::Env) -> napi::Result<()> {
    use napi::JsValue as _;
    let add = |name: &CStr, function: unsafe extern "C" fn(Env, Info) -> Value| {
        let mut value = ptr::null_mut();
        // SAFETY: the environment and the exports are live; the names end with NUL.
        unsafe {
            sys::napi_create_function(
                env.raw(),
                name.as_ptr(),
                -1,
                Some(function),
                ptr::null_mut(),
                &raw mut value,
            );
            sys::napi_set_named_property(env.raw(), exports.raw(), name.as_ptr(), value);
        }
    };
    add(c"noop", noop);
    add(c"number", number);
    add(c"pair", pair);
    add(c"fields", fields);
    Ok(())
}

unsafe extern "C" fn noop(_env: Env, _info: Info) -> Value {
    ptr::null_mut()
}

/// Reads `amount` and `currency` and compares them: 0 if both are within bounds.
unsafe fn judge(env: Env, info: Info) -> (u32, Value) {
    let mut given = [ptr::null_mut(); 3];
    let mut count = given.len();
    let (mut amount, mut number) = (ptr::null_mut(), 0.0);
    let (mut currency, mut text, mut length) = (ptr::null_mut(), [0_u8; 16], 0);
    // SAFETY: Node calls this with a live environment; every buffer is given with its length.
    unsafe {
        sys::napi_get_cb_info(
            env,
            info,
            &raw mut count,
            given.as_mut_ptr(),
            ptr::null_mut(),
            ptr::null_mut(),
        );
        sys::napi_get_named_property(env, given[1], c"amount".as_ptr(), &raw mut amount);
        sys::napi_get_value_double(env, amount, &raw mut number);
        sys::napi_get_named_property(env, given[1], c"currency".as_ptr(), &raw mut currency);
        let room = text.len();
        sys::napi_get_value_string_utf8(env, currency, text.as_mut_ptr().cast(), room, &raw mut length);
    }
    let within = number <= 50_000.0 && matches!(&text[..length], b"usd" | b"eur" | b"gbp");
    (u32::from(!within), given[0])
}

unsafe extern "C" fn number(env: Env, info: Info) -> Value {
    let mut value = ptr::null_mut();
    // SAFETY: as in `judge`.
    unsafe {
        let (code, _) = judge(env, info);
        sys::napi_create_uint32(env, code, &raw mut value);
    }
    value
}

/// An object with effect and code.
unsafe extern "C" fn pair(env: Env, info: Info) -> Value {
    // SAFETY: as in `judge`.
    unsafe {
        let (code, _) = judge(env, info);
        object(env, &[(c"effect", effect(env, code)), (c"code", reason(env, code))])
    }
}

/// An object with the nine fields of a decision.
unsafe extern "C" fn fields(env: Env, info: Info) -> Value {
    let (mut null, mut list) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: as in `judge`.
    unsafe {
        let (code, tool) = judge(env, info);
        sys::napi_get_null(env, &raw mut null);
        sys::napi_create_array(env, &raw mut list);
        let members = [
            (c"effect", effect(env, code)),
            (c"code", reason(env, code)),
            (c"tool", tool),
            (c"message", null),
            (c"rule", null),
            (c"counters", list),
            (c"retry_after", null),
            (c"approval", null),
            (c"policy", text(env, DIGEST)),
        ];
        object(env, &members)
    }
}

const DIGEST: &CStr = c"sha256:0000000000000000000000000000000000000000000000000000000000000000";

unsafe fn effect(env: Env, code: u32) -> Value {
    // SAFETY: the caller's environment is live.
    unsafe { text(env, if code == 0 { c"allow" } else { c"deny" }) }
}

unsafe fn reason(env: Env, code: u32) -> Value {
    // SAFETY: the caller's environment is live.
    unsafe { text(env, if code == 0 { c"allowed" } else { c"condition_failed" }) }
}

unsafe fn text(env: Env, text: &CStr) -> Value {
    let mut value = ptr::null_mut();
    // SAFETY: the caller's environment is live; the text ends with NUL.
    unsafe { sys::napi_create_string_latin1(env, text.as_ptr(), -1, &raw mut value) };
    value
}

unsafe fn object(env: Env, members: &[(&CStr, Value)]) -> Value {
    let mut made = ptr::null_mut();
    // SAFETY: the caller's environment is live, the values are of it; the names end with NUL.
    unsafe {
        sys::napi_create_object(env, &raw mut made);
        for (name, value) in members {
            sys::napi_set_named_property(env, made, name.as_ptr(), *value);
        }
    }
    made
}
