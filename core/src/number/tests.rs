//! Numbers against an oracle that writes every value out as digits around a point.

use proptest::prelude::*;

use super::*;

/// The oracle: sign, whole digits without leading zeros, fraction without trailing zeros, all written out.
fn expand(literal: &str) -> (bool, String, String) {
    let (negative, rest) = literal.strip_prefix('-').map_or((false, literal), |rest| (true, rest));
    let lower = rest.to_lowercase();
    let (digits, exponent) = lower.split_once('e').unwrap_or((&lower, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let (mut whole, mut fraction) = (whole.to_owned(), fraction.to_owned());
    for _ in 0..exponent.parse::<i32>().unwrap().max(0) {
        whole.push(if fraction.is_empty() { '0' } else { fraction.remove(0) });
    }
    for _ in 0..exponent.parse::<i32>().unwrap().saturating_neg().max(0) {
        fraction.insert(0, whole.pop().unwrap_or('0'));
    }
    let whole = whole.trim_start_matches('0').to_owned();
    let fraction = fraction.trim_end_matches('0').to_owned();
    (negative && !(whole.is_empty() && fraction.is_empty()), whole, fraction)
}

fn oracle_text(literal: &str) -> String {
    let (negative, whole, fraction) = expand(literal);
    let sign = if negative { "-" } else { "" };
    let whole = if whole.is_empty() { "0" } else { &whole };
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}")
}

fn oracle_compare(left: &str, right: &str) -> Ordering {
    let (left, right) = (expand(left), expand(right));
    let magnitude = left
        .1
        .len()
        .cmp(&right.1.len())
        .then_with(|| left.1.cmp(&right.1))
        .then_with(|| left.2.cmp(&right.2));
    match (left.0, right.0) {
        (false, false) => magnitude,
        (true, true) => magnitude.reverse(),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
    }
}

/// Floor of the value in millionths, as text, and whether nothing lies below them.
fn oracle_micros(literal: &str) -> (i64, bool) {
    let (negative, whole, fraction) = expand(literal);
    let exact = fraction.len() <= 6;
    let units: String = whole.chars().chain(fraction.chars().chain("000000".chars()).take(6)).collect();
    let Ok(units) = units.parse::<i128>() else {
        return (if negative { i64::MIN } else { i64::MAX }, false);
    };
    let units = if negative { units.saturating_neg().saturating_sub(i128::from(!exact)) } else { units };
    match i64::try_from(units) {
        Ok(units) => (units, exact),
        Err(_) => (if negative { i64::MIN } else { i64::MAX }, false),
    }
}

fn number(literal: &str) -> Number<'static> {
    Number::from_literal(literal).unwrap_or_else(|| panic!("{literal} is a number")).into_owned()
}

/// Literals that meet often: few distinct digits, and the edges of machine words.
fn literal() -> impl Strategy<Value = String> {
    let whole = prop_oneof![
        Just("0".to_owned()),
        "[1-9][0-9]{0,3}",
        "[19]0{0,30}",
        "[1-9][0-9]{15,25}",
        "1[0-9]{35,60}",
        Just(i64::MAX.to_string()),
        Just("9223372036854775808".to_owned()),
        Just("18446744073709551615".to_owned()),
        Just("18446744073709551616".to_owned()),
        Just("9223372036854".to_owned()),
    ];
    let fraction = prop_oneof![3 => Just(String::new()), 1 => Just(".775807".to_owned()), 2 => r"\.[09]{1,25}", 2 => r"\.[0-9]{1,8}"];
    let exponent = prop_oneof![3 => Just(String::new()), 2 => "[eE][+-]?[0-9]", 1 => "[eE][+-]?0?[0-9]{2}"];
    ("-?", whole, fraction, exponent)
        .prop_map(|(sign, whole, fraction, exponent)| sign + &whole + &fraction + &exponent)
}

proptest! {
    #[test]
    fn compares_like_the_oracle(left in literal(), right in literal()) {
        let expected = oracle_compare(&left, &right);
        prop_assert_eq!(number(&left).compare(&number(&right)), expected);
        prop_assert_eq!(number(&left) == number(&right), expected.is_eq());
    }

    #[test]
    fn one_value_has_one_canonical_text(text in literal()) {
        let canonical = number(&text).to_string();
        prop_assert_eq!(&canonical, &oracle_text(&text));
        prop_assert_eq!(number(&canonical), number(&text));
        // Writing the value with another exponent changes nothing.
        if !text.contains(['e', 'E']) {
            let shifted = format!("{canonical}e-7");
            prop_assert_eq!(number(&shifted).to_string(), oracle_text(&shifted));
        }
    }

    #[test]
    fn micros_like_the_oracle(text in literal()) {
        let (micros, exact) = oracle_micros(&text);
        prop_assert_eq!(number(&text).to_micros_floor(), (micros, exact));
        let amount = (exact && micros >= 0).then(|| Amount::from_micros(micros).unwrap());
        prop_assert_eq!(number(&text).to_amount(), amount);
    }

    #[test]
    fn machine_integers_are_their_literals(signed: i64, unsigned: u64, zeros in 0u32..20) {
        prop_assert_eq!(Number::from(signed), number(&signed.to_string()));
        prop_assert_eq!(Number::from(unsigned), number(&unsigned.to_string()));
        let round = unsigned.saturating_mul(10u64.pow(zeros));
        prop_assert_eq!(Number::from(round), number(&round.to_string()));
        prop_assert_eq!(Number::from(round).to_string(), round.to_string());
    }

    #[test]
    fn floats_are_their_shortest_decimal(bits: u64) {
        let float = f64::from_bits(bits);
        match Number::from_f64(float) {
            None => prop_assert!(!float.is_finite()),
            Some(exact) => {
                prop_assert_eq!(&exact, &number(&serde_json::to_string(&float).unwrap()));
                prop_assert_eq!(exact.to_string().parse::<f64>().unwrap(), float);
            }
        }
    }

    /// Whole numbers and quarters near 2^50, where two shortest decimals may be equally near.
    #[test]
    fn floats_between_two_decimals_take_the_even_one(eighths in 1u64 << 50..1 << 53) {
        let float = eighths as f64 / 8.0;
        prop_assert_eq!(Number::from_f64(float).unwrap(), number(&serde_json::to_string(&float).unwrap()));
    }

    #[test]
    fn small_floats_are_their_shortest_decimal(units in -10_000_000i64..10_000_000, places in 0u32..9) {
        let float = units as f64 / 10f64.powi(places as i32);
        prop_assert_eq!(Number::from_f64(float).unwrap(), number(&format!("{float}")));
    }

    #[test]
    fn accepts_exactly_the_grammar(text in r"[-+]?[0-9.eE+-]{0,8}|-?0?[0-9]{0,3}(\.[0-9]{0,3})?([eE][+-]?[0-9]{0,2})?") {
        let accepted = serde_json::from_str::<Box<serde_json::Value>>(&text).is_ok();
        // Only where the exponent has too many digits may the range decide instead.
        if !text.contains(['e', 'E']) || accepted {
            let in_range = text.parse::<f64>().is_ok_and(|float| {
                float != 0.0 || text.split(['e', 'E']).next().unwrap().trim_matches(['-', '0', '.']).is_empty()
            });
            prop_assert_eq!(Number::from_literal(&text).is_some(), accepted && in_range);
        } else {
            prop_assert_eq!(Number::from_literal(&text), None);
        }
    }
}

#[test]
fn notation_does_not_matter() {
    for group in [
        &["1", "1.0", "10e-1", "0.1E1", "1.000000000000000000000000000000", "1e0", "1e+00"][..],
        &["0", "-0", "0.0", "-0e5", "0e999999999999999999999", "0.000e-99"],
        &["18446744073709551616", "18446744073709551616.0", "184467440737095516160e-1"],
        &["1e30", "1000000000000000000000000000000", "10000000000000000000000000000000e-1"],
    ] {
        for left in group {
            for right in group {
                assert_eq!(number(left), number(right), "{left} {right}");
            }
        }
    }
    assert_eq!(number("1e3").to_string(), "1000");
    assert_eq!(number("5e-7").to_string(), "0.0000005");
    assert_eq!(number("-12.50e-3").to_string(), "-0.0125");
}

#[test]
fn trap_10_neighbours_differ() {
    for (less, more) in [
        ("9007199254740992", "9007199254740993"),
        ("9223372036854775807", "9223372036854775808"),
        ("18446744073709551615", "18446744073709551616"),
        ("123456789012345678901234567890", "123456789012345678901234567890.0000000000000000001"),
        ("-0.30000000000000000000000000000000000000001", "-0.3"),
        ("9.999999999999999999999999", "10"),
    ] {
        assert_eq!(number(less).compare(&number(more)), Ordering::Less, "{less} {more}");
        assert_eq!(number(more).compare(&number(less)), Ordering::Greater, "{less} {more}");
        assert!(number(less) < number(more) && number(less).max(number(more)) == number(more));
        assert_eq!(format!("{:?}", number(less)), format!("Number({})", number(less)));
    }
}

#[test]
fn trap_14_the_range_is_that_of_a_double() {
    // Halfway between the largest double and 2^1024; ties go to infinity. And half of the least; ties go to zero.
    let tie_up = "17976931348623158079372897140530341507993413271003782693617377898044496829276475094664901797758\
                  72070963302864166928879109465555478519404026306574886715058206819089020007083836762738548458177\
                  11531764475730270069855571366959622842914819860834936475292719074168444365510704342711559699508\
                  093042880177904174497792";
    assert_eq!(tie_up.len(), 309);
    let below = format!("{}91.9e0", tie_up.strip_suffix("92").unwrap());
    let tie_down = {
        // 2^-1075 exactly, by repeated halving of a decimal.
        let mut digits = vec![1u8];
        for _ in 0..1075 {
            let mut carry = 0;
            for digit in &mut digits {
                let value = carry * 10 + *digit;
                *digit = value / 2;
                carry = value % 2;
            }
            digits.push(carry * 5);
        }
        let text: String = digits.iter().skip(1).map(|digit| char::from(b'0' + digit)).collect();
        format!("0.{text}")
    };
    for (text, accepted) in [
        ("1e400", false),
        ("-1e400", false),
        ("1e999999999999999999999999", false),
        ("1e-400", false),
        ("-1e-99999999999999999999999", false),
        ("1.7976931348623157e308", true),
        ("1.797693134862315808e308", false),
        ("5e-324", true),
        ("2.5e-324", true),
        ("2.4e-324", false),
        (&*format!("{tie_up}.0"), false),
        (tie_up, true),
        (&*below, true),
        (&*tie_down, false),
        (&*format!("{tie_down}{}1", "0".repeat(2000)), true),
        (&*format!("1{}", "0".repeat(1000)), true),
        (&*format!("1{}.0", "0".repeat(400)), false),
        (&*format!("0.{}1e800001", "0".repeat(800_000)), true),
        (&*format!("0.{}1e799000", "0".repeat(800_000)), false),
        (&*format!("1{}e-800000", "0".repeat(800_000)), true),
    ] {
        assert_eq!(Number::from_literal(text).is_some(), accepted, "{text:.80}");
    }
    for float in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(Number::from_f64(float), None);
    }
}

#[test]
fn trap_20_fractions_are_not_truncated() {
    assert_eq!(number("0.99").to_amount(), Amount::from_micros(990_000));
    assert_eq!(Number::from_f64(0.99).unwrap().to_amount(), Amount::from_micros(990_000));
    assert_eq!(number("0.0000001").to_amount(), None);
    assert_eq!(number("1e300").to_amount(), None);
    assert_eq!(number("-1").to_amount(), None);
    assert_eq!(number("-0").to_amount(), Some(Amount::ZERO));
    assert_eq!(number("1e300").to_micros_floor(), (i64::MAX, false));
    assert_eq!(number("-1e300").to_micros_floor(), (i64::MIN, false));
    assert_eq!(number("10.5").to_micros_floor(), (10_500_000, true));
    assert_eq!(number("-0.00000001").to_micros_floor(), (-1, false));
    assert_eq!(number("-9223372036854.775808").to_micros_floor(), (i64::MIN, true));
    assert_eq!(number("9223372036854.7758075").to_micros_floor(), (i64::MAX, false));
}

/// As Python's `repr` and JavaScript's `String` write them; Rust's `Display` takes the upper neighbour.
#[test]
fn trap_10_hosts_agree_on_ties() {
    for (float, text) in [
        (-1_080_285_697_174_565.0 / 8.0, "-135035712146820.62"),
        (5e-324, "5e-324"),
        (9_007_199_254_740_993.0, "9007199254740992"),
        (2f64.powi(60), "1152921504606847000"),
        (1e23, "1e23"),
    ] {
        assert_eq!(Number::from_f64(float).unwrap(), number(text));
    }
}

#[test]
fn text_that_is_no_literal() {
    for text in
        ["", "-", "01", "-01", "1.", ".5", "1e", "1e+", "+1", "1_0", "0x1", "1 ", " 1", "1.e1", "NaN", "٣"]
    {
        assert_eq!(Number::from_literal(text), None, "{text}");
    }
}

#[test]
fn a_number_is_three_words() {
    assert_eq!(size_of::<Number<'_>>(), 24);
}
