//! How core sees arguments and identities: borrowed JSON-like values, read in place.
//!
//! In: any host value (`serde_json::Value`, raw JSON text, a Python or JS object). Out: its kind, members and
//! elements, one step at a time. A view never converts, copies or decides: types are strict (spec 5.2), and only
//! what a tool's paths name is touched.

mod value;

use std::borrow::Cow;
use std::ops::ControlFlow;

use crate::number::Number;

/// What a value is, with the content of a scalar (spec 5.2).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Kind<'v> {
    /// JSON `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, exact.
    Number(Number<'v>),
    /// Text. Borrowed unless the host had to unescape or convert it.
    String(Cow<'v, str>),
    /// A list; see [`View::elements`].
    Array,
    /// A mapping with string keys; see [`View::member`].
    Object,
    /// Something that JSON has no type for (NaN, an infinity, a host's date): of no type, so every test on it is
    /// unknown, and it has no canonical form.
    Foreign,
}

/// Why a value could not be read. The call is denied with `invalid_args` (spec 3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unreadable {
    /// A string holds half of a UTF-16 surrogate pair.
    #[error("a string holds a lone surrogate")]
    LoneSurrogate,
    /// A mapping has a key that is not a string.
    #[error("a mapping has a key that is not a string")]
    KeyNotString,
    /// The host cannot read the value without running code (a getter, a proxy, an overriding subclass), or failed to.
    #[error("a value cannot be read in place")]
    Host,
    /// Nested deeper than [`crate::ceilings::ARGUMENT_DEPTH`].
    #[error("the arguments are nested too deeply")]
    TooDeep,
    /// The checks would need more than [`crate::ceilings::CALL_STEPS`] steps.
    #[error("the arguments are too large to check")]
    TooLarge,
    /// A value has no JSON type, so it has no canonical form.
    #[error("a value is not a JSON value")]
    Foreign,
}

/// Where one step of a path leads (spec 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached<V> {
    /// To a value, which may be null.
    Value(V),
    /// To nothing: there is no such member, or the value is null.
    Absent,
    /// Nowhere: the value is of a type that has no such parts.
    WrongType,
}

/// What is done with a value, for [`View::cost`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// It is read: [`View::kind`].
    Read,
    /// A member is looked up: [`View::member`], [`View::step`].
    Member,
    /// The same in a call that has used thousands of steps. Asked beside [`Access::Member`], for what adds up only there: to ask
    /// before would take as long as a look-up among few.
    LateMember,
    /// The element at this index is reached: [`View::element`].
    Element(usize),
}

/// A borrowed JSON-like value.
///
/// Implementations must look up own members only (no prototypes, no attributes, no defaults) and must not run code of
/// the caller. Reading the same value twice during one evaluation must give the same answer.
///
/// ```
/// use callgate::value::{Kind, View};
/// let value = serde_json::json!({"amount": 4200});
/// let amount = (&value).member("amount")?.unwrap();
/// assert!(matches!(amount.kind()?, Kind::Number(_)));
/// # Ok::<(), callgate::value::Unreadable>(())
/// ```
pub trait View: Sized {
    /// What this value is.
    ///
    /// # Errors
    /// [`Unreadable`] where the host cannot say without running code, or a string is not Unicode text.
    fn kind(&self) -> Result<Kind<'_>, Unreadable>;

    /// Whether this value is an object. To be overridden only where that is cheaper to tell than [`View::kind`].
    ///
    /// # Errors
    /// As [`View::kind`].
    fn is_object(&self) -> Result<bool, Unreadable> {
        Ok(matches!(self.kind()?, Kind::Object))
    }

    /// The member `name` of an object by exact code points, `None` where there is none. Only called on
    /// [`Kind::Object`].
    ///
    /// # Errors
    /// [`Unreadable`] where the host cannot read the member in place.
    fn member(&self, name: &str) -> Result<Option<Self>, Unreadable>;

    /// The value, if it is certainly a whole number of 64 bits without a closer look, and [costs](View::cost) nothing to read; what
    /// gives `None` is asked by [`View::kind`], which must say the same.
    fn as_i64(&self) -> Option<i64> {
        None
    }

    /// The value, if it is a string and its text can be had at once, as above; what gives `None` is asked by [`View::kind`],
    /// which must say the same.
    fn as_str(&self) -> Option<&str> {
        None
    }

    /// Where a path that stands at this value comes to by `.name` (spec 4.3). To be overridden only where kind and member can
    /// be had in one go.
    ///
    /// # Errors
    /// As [`View::kind`] and [`View::member`].
    fn step(&self, name: &str) -> Result<Reached<Self>, Unreadable> {
        Ok(match self.kind()? {
            Kind::Object => self.member(name)?.map_or(Reached::Absent, Reached::Value),
            Kind::Null => Reached::Absent,
            _ => Reached::WrongType,
        })
    }

    /// The element at `index` of an array, `None` past its end. Only called on [`Kind::Array`].
    ///
    /// # Errors
    /// [`Unreadable`] where the host cannot read the element in place.
    fn element(&self, index: usize) -> Result<Option<Self>, Unreadable>;

    /// What one access takes, in steps of some 10 ns: they bound the time of a call, whatever its arguments are (spec 11.1).
    ///
    /// It is asked before each access, and the call is denied once its steps are used up. The default, 0, is right for what takes
    /// no longer than a whole number of 64 bits, or a look-up in a small hash table. Report what takes longer:
    ///
    /// - [`Access::Read`]: 1 for each 16 bytes of a literal that is parsed, or of a text that is unescaped, each time. About 20 for
    ///   a float that is not whole, because its shortest decimal has to be found.
    /// - [`Access::Member`], [`Access::Element`]: 1 for each 4 parts that are passed by, one after another, on the way.
    /// - [`Access::LateMember`]: about 32 for a search through memory that no cache holds, as among more than 4,096 members.
    ///
    /// Work that is done once, such as an index of the members, is reported once. The answer must come in constant time.
    fn cost(&self, access: Access) -> u64 {
        let _ = access;
        0
    }

    /// Number of elements of an array or of members of an object; 0 for anything else.
    ///
    /// # Errors
    /// [`Unreadable`] where the host cannot count them in place.
    fn size(&self) -> Result<usize, Unreadable>;

    /// Each element of an array in order, until `each` breaks.
    ///
    /// # Errors
    /// [`Unreadable`] where the host cannot read an element in place.
    fn elements(&self, each: impl FnMut(Self) -> ControlFlow<()>) -> Result<(), Unreadable>;

    /// Each member of an object in the host's order, until `each` breaks.
    ///
    /// # Errors
    /// [`Unreadable`] where the host cannot read a member in place, or a key is not a string.
    fn members(&self, each: impl FnMut(&str, Self) -> ControlFlow<()>) -> Result<(), Unreadable>;
}
