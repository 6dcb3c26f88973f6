//! What a plain YAML scalar is.
//!
//! In: the text of one plain scalar. Out: the type on which every reader agrees, else that they disagree. Readers are
//! the YAML 1.1 types and the 1.2 core schema, and where these are loose PyYAML, go-yaml and js-yaml. It must not
//! pick a side: a policy that a reviewer's tool reads as another value than we do is trap 4.

use std::borrow::Cow;

/// How a plain scalar reads.
#[derive(Debug, PartialEq)]
pub(super) enum Plain<'t> {
    Null,
    Bool(bool),
    /// By JSON's grammar.
    Number(Cow<'t, str>),
    /// A bare word that YAML 1.1 takes for a boolean and 1.2 for a string.
    Word(Cow<'t, str>),
    /// A number or a date to some reader, and a string or another number to another.
    Mixed(Cow<'t, str>),
    String(Cow<'t, str>),
}

/// Reads a plain scalar. `text` is empty where nothing was written.
pub(super) fn resolve(text: Cow<'_, str>) -> Plain<'_> {
    match text.as_ref() {
        "" | "~" | "null" | "Null" | "NULL" => return Plain::Null,
        "true" | "True" | "TRUE" => return Plain::Bool(true),
        "false" | "False" | "FALSE" => return Plain::Bool(false),
        "y" | "Y" | "yes" | "Yes" | "YES" | "n" | "N" | "no" | "No" | "NO" | "on" | "On" | "ON" | "off"
        | "Off" | "OFF" => return Plain::Word(text),
        // YAML 1.1 gives these the types `value` and `merge`, which its readers refuse outside of a key.
        "=" | "<<" => return Plain::Mixed(text),
        _ => {}
    }
    if !text.starts_with(|first: char| matches!(first, '0'..='9' | '+' | '-' | '.')) {
        return Plain::String(text);
    }
    match Numeral::read(&text) {
        Some(Numeral::Agreed) => Plain::Number(text),
        Some(Numeral::Rewritten(number)) => Plain::Number(Cow::Owned(number)),
        Some(Numeral::Mixed) => Plain::Mixed(text),
        None if is_timestamp(&text) => Plain::Mixed(text),
        None => Plain::String(text),
    }
}

/// What a text is that some reader takes for a number.
enum Numeral {
    /// The same number to all, and JSON's as it stands.
    Agreed,
    /// The same number to all, in JSON's grammar.
    Rewritten(String),
    Mixed,
}

impl Numeral {
    fn read(text: &str) -> Option<Self> {
        // YAML 1.1 ignores underscores between digits, go-yaml everywhere.
        let underscores = text.contains('_');
        let stripped: Cow<'_, str> =
            if underscores { Cow::Owned(text.replace('_', "")) } else { Cow::Borrowed(text) };
        let (sign, digits) = match stripped.strip_prefix(['+', '-']) {
            Some(rest) if stripped.starts_with('-') => ("-", rest),
            Some(rest) => ("+", rest),
            None => ("", stripped.as_ref()),
        };
        let numeral = radix(sign, digits, underscores).or_else(|| decimal(sign, digits))?;
        Some(if underscores { Self::Mixed } else { numeral })
    }
}

/// `0x1F`, `0o17`, `0b1`. Only an unsigned `0x` is the same in both versions; go-yaml also takes capital letters.
fn radix(sign: &str, digits: &str, underscores: bool) -> Option<Numeral> {
    let rest = digits.strip_prefix('0')?;
    let letter = rest.chars().next()?;
    let base = match letter {
        'x' | 'X' => 16,
        'o' | 'O' => 8,
        'b' | 'B' => 2,
        _ => return None,
    };
    let rest = rest.get(1..)?;
    // `0x_` has no digit, yet is of YAML 1.1's type for integers.
    let digits_in_base = rest.chars().all(|digit| digit.is_digit(base)) && (underscores || !rest.is_empty());
    if !digits_in_base {
        return None;
    }
    // go-yaml reads an integer beyond 64 bits as a string when it is in hexadecimal.
    let value = u64::from_str_radix(rest, base).ok();
    Some(match value.filter(|_| sign.is_empty() && letter == 'x') {
        Some(value) => Numeral::Rewritten(value.to_string()),
        None => Numeral::Mixed,
    })
}

/// Integers, fractions, exponents, and the base 60 and infinities of YAML 1.1.
fn decimal(sign: &str, digits: &str) -> Option<Numeral> {
    if matches!(digits, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN") {
        return Some(Numeral::Mixed);
    }
    let (whole, rest) = split_digits(digits);
    if rest.starts_with(':') {
        return is_sexagesimal(whole, rest).then_some(Numeral::Mixed);
    }
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => {
            let (fraction, rest) = split_digits(rest);
            (Some(fraction), rest)
        }
        None => (None, rest),
    };
    if whole.is_empty() && fraction.unwrap_or_default().is_empty() {
        return None;
    }
    let exponent = rest;
    if let Some(power) = exponent.strip_prefix(['e', 'E']) {
        let (power, rest) = split_digits(power.strip_prefix(['+', '-']).unwrap_or(power));
        if power.is_empty() || !rest.is_empty() {
            return None;
        }
        // YAML 1.1 wants a point and a sign, otherwise it is a string.
        if fraction.is_none() || !exponent.get(1..).is_some_and(|power| power.starts_with(['+', '-'])) {
            return Some(Numeral::Mixed);
        }
    } else if !exponent.is_empty() {
        return None;
    }
    let leading_zero = whole.len() > 1 && whole.starts_with('0');
    // `017` is fifteen, seventeen or text. `-.5` is a string to PyYAML and js-yaml, `.5` is not.
    if (leading_zero && fraction.is_none()) || (whole.is_empty() && !sign.is_empty()) {
        return Some(Numeral::Mixed);
    }
    if sign != "+" && !whole.is_empty() && !leading_zero && fraction != Some("") {
        return Some(Numeral::Agreed);
    }
    let minus = if sign == "-" { "-" } else { "" };
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    Some(Numeral::Rewritten(match fraction {
        Some("") => format!("{minus}{whole}.0{exponent}"),
        Some(fraction) => format!("{minus}{whole}.{fraction}{exponent}"),
        None => format!("{minus}{whole}"),
    }))
}

/// `1:30`, `190:20:30`, `1:30.5`: base 60 in YAML 1.1.
fn is_sexagesimal(whole: &str, rest: &str) -> bool {
    let (parts, fraction) = rest.split_once('.').unwrap_or((rest, ""));
    let is_sixtieth = |part: &str| matches!(part.as_bytes(), [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9']);
    !whole.is_empty()
        && fraction.bytes().all(|byte| byte.is_ascii_digit())
        && parts.split(':').skip(1).all(is_sixtieth)
}

/// `2026-01-01`, `2001-12-14t21:59:43.10-05:00`, `2001-12-14 21:59:43.10 -5`: the dates of YAML 1.1, with months,
/// days, minutes and seconds of one digit, as go-yaml takes them.
fn is_timestamp(text: &str) -> bool {
    let (year, rest) = split_digits(text);
    let date = Some(rest)
        .filter(|_| year.len() == 4)
        .and_then(|rest| after_small(rest.strip_prefix('-')?))
        .and_then(|rest| after_small(rest.strip_prefix('-')?));
    let Some(rest) = date else { return false };
    if rest.is_empty() {
        return true;
    }
    let blanks = [' ', '\t'];
    let time = match rest.strip_prefix(['T', 't']) {
        Some(time) => time,
        None if rest.starts_with(blanks) => rest.trim_start_matches(blanks),
        None => return false,
    };
    let seconds = after_small(time)
        .and_then(|rest| after_small(rest.strip_prefix(':')?))
        .and_then(|rest| after_small(rest.strip_prefix(':')?));
    let Some(rest) = seconds else { return false };
    let rest = rest.strip_prefix('.').map_or(rest, |fraction| split_digits(fraction).1);
    is_zone(rest.trim_start_matches(blanks))
}

/// Nothing, `Z`, `-5`, `+05:30`.
fn is_zone(text: &str) -> bool {
    let Some(offset) = text.strip_prefix(['+', '-']) else { return matches!(text, "" | "Z") };
    let Some(rest) = after_small(offset) else { return false };
    rest.is_empty() || rest.strip_prefix(':').and_then(after_small) == Some("")
}

/// What follows a number of one or two digits.
fn after_small(text: &str) -> Option<&str> {
    let (digits, rest) = split_digits(text);
    matches!(digits.len(), 1 | 2).then_some(rest)
}

/// The leading ASCII digits, and what follows them.
fn split_digits(text: &str) -> (&str, &str) {
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    text.split_at_checked(end).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> String {
        match resolve(Cow::Borrowed(text)) {
            Plain::Null => "null".into(),
            Plain::Bool(value) => value.to_string(),
            Plain::Number(number) => format!("number {number}"),
            Plain::Word(_) => "word".into(),
            Plain::Mixed(_) => "mixed".into(),
            Plain::String(_) => "string".into(),
        }
    }

    #[track_caller]
    fn all(expected: &str, texts: &[&str]) {
        for text in texts {
            assert_eq!(of(text), expected, "`{text}`");
        }
    }

    #[test]
    fn both_versions_agree() {
        all("null", &["", "~", "null", "Null", "NULL"]);
        all("true", &["true", "True", "TRUE"]);
        all("false", &["false", "False", "FALSE"]);
        for (text, number) in [
            ("0", "0"),
            ("-0", "-0"),
            ("+0", "0"),
            ("+1", "1"),
            ("-12", "-12"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            (".5", "0.5"),
            ("1.", "1.0"),
            ("+1.", "1.0"),
            ("-1.", "-1.0"),
            ("1.50", "1.50"),
            ("01.5", "1.5"),
            ("-00.5", "-0.5"),
            ("1.0e+3", "1.0e+3"),
            ("1.e-3", "1.0e-3"),
            (".5E+3", "0.5E+3"),
            ("0x1F", "31"),
            ("0xffffffffffffffff", "18446744073709551615"),
        ] {
            assert_eq!(of(text), format!("number {number}"), "`{text}`");
        }
    }

    #[test]
    fn trap_4_words_of_yaml_1_1() {
        all("word", &["y", "Y", "yes", "Yes", "YES", "n", "N", "no", "No", "NO"]);
        all("word", &["on", "On", "ON", "off", "Off", "OFF"]);
        all("string", &["yEs", "nO", "oN", "oFf", "tRUE", "nuLL", "yess", "nope", "t", "f"]);
    }

    #[test]
    fn trap_4_numbers_that_versions_read_differently() {
        all(
            "mixed",
            &["017", "00", "08", "-017", "+08", "0o17", "0O17", "-0o17", "0b1", "-0b1", "0B1", "0X1F"],
        );
        all("mixed", &["-0x1F", "+0x1F", "0x1_F", "0x_", "0b_", "0x10000000000000000"]);
        all("mixed", &["1_000", "1_", "-1_0", "-_1", "1_000.5", "1.5_0", "._5", "1e_3"]);
        all(
            "mixed",
            &["1:30", "190:20:30", "-1:30", "0:30", "08:30", "1:30.5", "1:5", "20:30:40.", "1_0:30"],
        );
        all("mixed", &["1e3", "1E5", "1e+3", "1e-3", "1.0e3", ".5e3", "-1E5", "12e03", "-.5", "+.5"]);
        all("mixed", &[".inf", ".Inf", ".INF", "-.inf", "+.INF", ".nan", ".NaN", ".NAN", "=", "<<"]);
    }

    #[test]
    fn trap_4_dates() {
        all("mixed", &["2026-01-01", "2026-1-1", "2001-12-14t21:59:43.10-05:00", "2001-12-14T21:59:43Z"]);
        all("mixed", &["2001-12-14 21:59:43.10 -5", "2001-12-14\t1:5:3", "2001-12-14 21:59:43. Z"]);
        all(
            "string",
            &["2026-01", "2026-001-01", "26-01-01", "2026-01-01 is late", "2026-01-01T", "2026-01-01Z"],
        );
        all("string", &["2026-01-01T1:1", "2001-12-14t21:59:43+05:", "2001-12-14t21:59:43z", "2026-01-011"]);
    }

    #[test]
    fn everything_else_is_text() {
        all(
            "string",
            &[".", "..", "...", "+", "-", "-.", "+.", "1.2.3", "1.2.", "1e", "1e+", "e3", ".e3", "1.0e+"],
        );
        all(
            "string",
            &["_1", "__", "-_", "0o8", "0b2", "0xZZ", "0x", "0b", "1:60", "1:", ":30", "1:30:", "1:2:99"],
        );
        all(
            "string",
            &["-.inf.", ".infinity", "inf", "nan", "-inf", "1 000", "1,000", "5/hour", "30s", "１２", "١"],
        );
    }
}
