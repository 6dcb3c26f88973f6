//! What characters look like.
//!
//! In: characters, names. Out: the same with one letter for all that fonts draw alike. Knows no word's meaning.

use callgate::__text::is_invisible;

/// What a name looks like.
pub(crate) fn skeleton(name: &str) -> String {
    let lower = name.chars().filter(|c| !is_invisible(*c)).flat_map(char::to_lowercase);
    lower.map(drawn_as).collect()
}

/// What stands for all characters that look like this one, which is in lower case where it has one.
pub(crate) fn drawn_as(c: char) -> char {
    match plain(c) {
        '-' | '.' | ' ' | '‐'..='―' | '−' | '\u{a0}' => '_',
        '0' | 'о' | 'ο' | 'օ' => 'o',
        '1' | 'i' | '|' | 'і' | 'ι' | 'ı' | 'ӏ' => 'l',
        'а' | 'α' => 'a',
        'в' | 'β' => 'b',
        'с' | 'ϲ' => 'c',
        'ԁ' => 'd',
        'е' | 'ε' => 'e',
        'һ' | 'н' => 'h',
        'ј' => 'j',
        'к' | 'κ' => 'k',
        'м' => 'm',
        'η' => 'n',
        'р' | 'ρ' => 'p',
        'ԛ' => 'q',
        'ѕ' => 's',
        'т' | 'τ' => 't',
        'υ' => 'u',
        'ν' | 'ѵ' => 'v',
        'ԝ' | 'ω' => 'w',
        'х' | 'χ' => 'x',
        'у' => 'y',
        c => c,
    }
}

/// The letter of ASCII that another form of it stands for.
fn plain(c: char) -> char {
    let letter = |first: u32| {
        let place = u32::from(c).checked_sub(first)?.checked_rem(26)?;
        char::from_u32(place.checked_add(u32::from('a'))?)
    };
    let found = match c {
        // Those of full width.
        '\u{ff01}'..='\u{ff5e}' => {
            u32::from(c).checked_sub(0xfee0).and_then(char::from_u32).map(|c| c.to_ascii_lowercase())
        }
        // Those of mathematics, in thirteen styles, and those in circles.
        '\u{1d400}'..='\u{1d6a3}' => letter(0x1d400),
        '\u{24b6}'..='\u{24e9}' => letter(0x24b6),
        _ => None,
    };
    found.unwrap_or(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_other_forms_are_letters() {
        for text in
            ["ｉｇｎｏｒｅ", "𝐢𝐠𝐧𝐨𝐫𝐞", "𝖎𝖌𝖓𝖔𝖗𝖊", "𝚒𝚐𝚗𝚘𝚛𝚎", "ⓘⓖⓝⓞⓡⓔ", "іgnоrе", "IGN0RE", "ig\u{200b}nore"]
        {
            assert_eq!(skeleton(text), skeleton("ignore"), "{text}");
        }
        assert_ne!(skeleton("get"), skeleton("set"));
    }
}
