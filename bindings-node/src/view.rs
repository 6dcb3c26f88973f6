//! JS values as core sees them (spec 3.4).
//!
//! In: a JS value and the probe, functions that the TypeScript half took from the JS engine before any other code could
//! change them. Out: kinds, own members and elements, one step at a time. Must not run code of the caller: no getters, no
//! proxy traps, no prototypes, no `toJSON`; what would need that is unreadable.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell};
use std::ops::ControlFlow;

use callgate::value::{Kind, Number, Unreadable, View};
use napi::bindgen_prelude::{FnArgs, FromNapiValue, Function, JsObjectValue, Object, ValidateNapiValue};
use napi::{Env, JsString, JsStringUtf16, JsValue, Unknown, ValueType};

use crate::names::Fetched;
use crate::raw;

/// How the probe classifies an object. The same numbers stand in `ts/probe.ts`.
const FOREIGN: u32 = 0;
const OBJECT: u32 = 1;
const ARRAY: u32 = 2;
const UNREADABLE: u32 = 3;

/// What reading the values of one call may take, in units of some 10 ns: about as long as core's own steps. Without it a value
/// that contains itself twice would be read 2^128 times.
const BUDGET: usize = 800_000;
/// Asking Node what a value is.
const KIND: usize = 8;
/// Asking the probe for a part, or for the kind of an object.
const PROBE: usize = 32;
/// A member that is listed, by its name and value.
const LISTED: usize = 50;
/// Converting the shortest BigInt.
const BIG_INT: usize = 180;

type Probing<'e, R> = Function<'e, FnArgs<(Unknown<'e>,)>, R>;
type Stepping<'e, K> = Function<'e, FnArgs<(Unknown<'e>, K)>, Unknown<'e>>;

/// What reading one call's values takes.
pub(crate) struct Host<'e> {
    env: Env,
    probe: Unknown<'e>,
    kind: OnceCell<Probing<'e, u32>>,
    member: OnceCell<Stepping<'e, String>>,
    element: OnceCell<Stepping<'e, u32>>,
    /// What is left of [`BUDGET`].
    budget: Cell<usize>,
    /// What the TypeScript half has read already.
    fetched: Option<Fetched<'e>>,
}

/// A borrowed JS value; or none, because what should be one cannot be read.
#[derive(Clone, Copy)]
pub(crate) struct JsView<'h, 'e> {
    value: Result<Unknown<'e>, Unreadable>,
    /// Its type, where that was asked before.
    value_type: Option<ValueType>,
    /// Its node among the names that were fetched, if it has one.
    node: Option<usize>,
    host: &'h Host<'e>,
}

impl<'e> Host<'e> {
    pub(crate) fn new(env: Env, probe: Unknown<'e>, fetched: Option<Fetched<'e>>) -> Self {
        Self {
            env,
            probe,
            kind: OnceCell::new(),
            member: OnceCell::new(),
            element: OnceCell::new(),
            budget: Cell::new(BUDGET),
            fetched,
        }
    }

    pub(crate) fn view<'h>(&'h self, value: Unknown<'e>) -> JsView<'h, 'e> {
        JsView { value: Ok(value), value_type: None, node: None, host: self }
    }

    /// What stands at a node, if values were fetched.
    pub(crate) fn root<'h>(&'h self, node: usize) -> Option<JsView<'h, 'e>> {
        let value = self.fetched.as_ref().and_then(|fetched| fetched.value(node))?;
        Some(JsView { node: Some(node), ..self.view(value) })
    }

    /// Lets the values be read once more, by another reader.
    pub(crate) fn renew(&self) {
        self.budget.set(BUDGET);
    }

    fn spend(&self, units: usize) -> Result<(), Unreadable> {
        let left = self.budget.get().checked_sub(units).ok_or(Unreadable::TooLarge)?;
        self.budget.set(left);
        Ok(())
    }

    fn of_probe<F: FromNapiValue + ValidateNapiValue>(&self, name: &str) -> Result<F, Unreadable> {
        Object::from_unknown(self.probe).and_then(|probe| probe.get_named_property(name)).map_err(host)
    }

    fn kind_of(&self, value: Unknown<'e>) -> Result<u32, Unreadable> {
        self.spend(PROBE)?;
        let kind = match self.kind.get() {
            Some(kind) => kind,
            None => {
                let function = self.of_probe("kind")?;
                self.kind.get_or_init(|| function)
            }
        };
        kind.call(FnArgs::from((value,))).map_err(host)
    }

    fn member_of(&self, value: Unknown<'e>, name: &str) -> Result<Unknown<'e>, Unreadable> {
        self.spend(PROBE)?;
        let member = match self.member.get() {
            Some(member) => member,
            None => {
                let function = self.of_probe("member")?;
                self.member.get_or_init(|| function)
            }
        };
        member.call(FnArgs::from((value, name.to_owned()))).map_err(host)
    }

    fn element_of(&self, value: Unknown<'e>, index: usize) -> Result<Unknown<'e>, Unreadable> {
        self.spend(PROBE)?;
        let element = match self.element.get() {
            Some(element) => element,
            None => {
                let function = self.of_probe("element")?;
                self.element.get_or_init(|| function)
            }
        };
        let index = u32::try_from(index).map_err(|_| Unreadable::TooLarge)?;
        element.call(FnArgs::from((value, index))).map_err(host)
    }

    /// Own members in order, name and value by turns; without those that are `undefined`.
    fn members_of(&self, value: Unknown<'e>) -> Result<Object<'e>, Unreadable> {
        let members: Probing<'e, Option<Object<'e>>> = self.of_probe("members")?;
        let Some(members) = members.call(FnArgs::from((value,))).map_err(host)? else {
            // Even counting them takes long, so nothing is read after it.
            self.budget.set(0);
            return Err(Unreadable::TooLarge);
        };
        let listed = members.get_array_length().map_err(host)? as usize / 2;
        // Spent behind it: how many there are is not known before. What does not suffice denies at the next reading, so that what
        // was listed is read as it is.
        self.budget.set(self.budget.get().saturating_sub(listed.saturating_mul(LISTED)));
        Ok(members)
    }

    /// The literal of a BigInt of up to the length that is read.
    fn literal_of(&self, value: Unknown<'e>) -> Result<String, Unreadable> {
        self.spend(BIG_INT)?;
        let literal: Probing<'e, Unknown<'e>> = self.of_probe("literal")?;
        let text = text_of(literal.call(FnArgs::from((value,))).map_err(host)?)?;
        if text.is_empty() { Err(Unreadable::TooLarge) } else { Ok(text) }
    }

    /// Whether a symbol is the probe's mark for a getter or a proxy.
    fn is_unreadable(&self, symbol: Unknown<'e>) -> bool {
        let mark = self.of_probe::<Unknown<'_>>("unreadable");
        // If its type cannot be told, it cannot be read.
        mark.map_or(true, |mark| self.env.strict_equals(mark, symbol).unwrap_or(true))
    }
}

/// Whatever Node answers instead of a value: it cannot be read.
fn host(_: napi::Error) -> Unreadable {
    Unreadable::Host
}

impl<'h, 'e> JsView<'h, 'e> {
    /// What stands in place of this value if it cannot be read: the call is denied where it is met.
    pub(crate) fn unreadable(self, why: Unreadable) -> Self {
        Self { value: Err(why), value_type: None, node: None, host: self.host }
    }

    pub(crate) fn type_of(&self) -> napi::Result<ValueType> {
        match (self.value_type, self.value) {
            (Some(value_type), _) => Ok(value_type),
            (None, Ok(value)) => value.get_type(),
            (None, Err(_)) => Ok(ValueType::Unknown),
        }
    }

    /// The text of a value that is a string.
    pub(crate) fn text(&self) -> Result<String, Unreadable> {
        text_of(self.value?)
    }

    /// What the probe says of an object; 0 where it was found to be none, `None` where that is not known.
    fn fetched_kind(&self) -> Option<u32> {
        self.host.fetched.as_ref().zip(self.node).map(|(fetched, node)| fetched.kind(node))
    }

    fn object_kind(&self, value: Unknown<'e>) -> Result<u32, Unreadable> {
        self.fetched_kind().map_or_else(|| self.host.kind_of(value), Ok)
    }

    /// A member, `undefined` where there is none.
    fn own(&self, name: &str) -> Result<Self, Unreadable> {
        let fetched = self.host.fetched.as_ref().zip(self.node);
        match fetched.and_then(|(fetched, node)| fetched.member(node, name)) {
            Some((node, value)) => Ok(Self { node: Some(node), ..self.host.view(value) }),
            None => Ok(self.host.view(self.host.member_of(self.value?, name)?)),
        }
    }
}

/// A JS string as text; a lone surrogate has none.
pub(crate) fn text_of(text: Unknown<'_>) -> Result<String, Unreadable> {
    let lossy = raw::lossy_text(text).map_err(host)?;
    // Node writes U+FFFD for half of a pair. Where there is one, it may also be what the text says.
    if !lossy.contains(char::REPLACEMENT_CHARACTER) {
        return Ok(lossy);
    }
    let text = JsString::from_unknown(text).map_err(host)?;
    String::from_utf16(units(&text.into_utf16().map_err(host)?)).map_err(|_| Unreadable::LoneSurrogate)
}

/// A JS string as text to show, with U+FFFD for every lone surrogate.
pub(crate) fn shown(text: JsString<'_>) -> napi::Result<String> {
    Ok(String::from_utf16_lossy(units(&text.into_utf16()?)))
}

/// The code units without the NUL that napi leaves at their end.
fn units<'t>(text: &'t JsStringUtf16<'_>) -> &'t [u16] {
    text.as_slice().split_last().map_or(&[], |(_, units)| units)
}

impl View for JsView<'_, '_> {
    fn kind(&self) -> Result<Kind<'_>, Unreadable> {
        let value = self.value?;
        self.host.spend(KIND)?;
        match self.fetched_kind() {
            Some(OBJECT) => return Ok(Kind::Object),
            Some(ARRAY) => return Ok(Kind::Array),
            Some(UNREADABLE) => return Err(Unreadable::Host),
            _ => {}
        }
        Ok(match self.type_of().map_err(host)? {
            // An element that is undefined or missing is null, as JSON writes it; such members were left out before.
            ValueType::Undefined | ValueType::Null => Kind::Null,
            ValueType::Boolean => Kind::Bool(bool::from_unknown(value).map_err(host)?),
            ValueType::Number => {
                let number = f64::from_unknown(value).map_err(host)?;
                Number::from_f64(number).map_or(Kind::Foreign, Kind::Number)
            }
            ValueType::BigInt => {
                let literal = self.host.literal_of(value)?;
                // Every reading converts it anew, in time by its length to the power of one and a half.
                let digits = literal.len();
                self.host.spend(digits.saturating_mul(digits.isqrt()) / 16)?;
                Number::from_literal(&literal)
                    .map_or(Kind::Foreign, |number| Kind::Number(number.into_owned()))
            }
            ValueType::String => {
                let text = self.text()?;
                self.host.spend(text.len() / 16)?;
                Kind::String(Cow::Owned(text))
            }
            ValueType::Object => match self.object_kind(value)? {
                OBJECT => Kind::Object,
                ARRAY => Kind::Array,
                FOREIGN => Kind::Foreign,
                _ => return Err(Unreadable::Host),
            },
            ValueType::Symbol if self.host.is_unreadable(value) => return Err(Unreadable::Host),
            _ => Kind::Foreign,
        })
    }

    fn member(&self, name: &str) -> Result<Option<Self>, Unreadable> {
        let member = self.own(name)?;
        let value_type = member.type_of().map_err(host)?;
        let absent = value_type == ValueType::Undefined && member.fetched_kind() != Some(UNREADABLE);
        Ok(if absent { None } else { Some(Self { value_type: Some(value_type), ..member }) })
    }

    fn element(&self, index: usize) -> Result<Option<Self>, Unreadable> {
        if index >= self.size()? {
            return Ok(None);
        }
        Ok(Some(self.host.view(self.host.element_of(self.value?, index)?)))
    }

    fn size(&self) -> Result<usize, Unreadable> {
        let value = self.value?;
        let length = match self.object_kind(value)? {
            ARRAY => value.coerce_to_object().and_then(|array| array.get_array_length()),
            OBJECT => self.host.members_of(value)?.get_array_length().map(|length| length / 2),
            _ => Ok(0),
        };
        Ok(length.map_err(host)? as usize)
    }

    fn elements(&self, mut each: impl FnMut(Self) -> ControlFlow<()>) -> Result<(), Unreadable> {
        for index in 0..self.size()? {
            let element = self.host.element_of(self.value?, index)?;
            if each(self.host.view(element)).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn members(&self, mut each: impl FnMut(&str, Self) -> ControlFlow<()>) -> Result<(), Unreadable> {
        let members = self.host.members_of(self.value?)?;
        let length = members.get_array_length().map_err(host)?;
        for (name, value) in (0..length).step_by(2).zip((1..length).step_by(2)) {
            self.host.spend(KIND)?;
            let name = text_of(members.get_element::<Unknown<'_>>(name).map_err(host)?)?;
            let value = members.get_element::<Unknown<'_>>(value).map_err(host)?;
            if each(&name, self.host.view(value)).is_break() {
                break;
            }
        }
        Ok(())
    }
}
