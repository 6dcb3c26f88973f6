//! What a name says.
//!
//! In: the words of a tool's name, or of an `enum`'s member. Out: the class that its verbs give, or nothing.

use super::Class::{self, Execute, Read};
use super::lexicon::{self, Verb};
use super::rules::{self, Phrase};
use super::tokens;

/// What a verb with its object says.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub(super) class: Class,
    /// Of 100.
    pub(super) sure: u8,
    pub(super) why: String,
    /// Nothing, where a noun decided.
    pub(super) verb: Option<Verb>,
    /// What the verb is done to, in the singular.
    pub(super) object: Vec<String>,
}

impl Reading {
    /// The verb means whatever its object or arguments say.
    pub(super) fn is_generic(&self) -> bool {
        const GENERIC: [&str; 9] =
            ["manage", "handle", "process", "perform", "call", "act", "request", "make", "use"];
        self.verb.is_some_and(|verb| GENERIC.contains(&verb.word))
    }

    /// Nobody would take it for anything but a question.
    pub(super) fn only_reads(&self) -> bool {
        self.class == Read && self.sure >= 84 && self.verb.is_some_and(|verb| !verb.noun)
    }
}

/// Where an object ends.
pub(super) const PREPOSITIONS: &[&str] = &[
    "by", "for", "in", "to", "from", "with", "of", "on", "at", "as", "via", "using", "into", "onto", "per",
    "without", "within", "through", "after", "before", "out", "over", "up",
];
/// Words that say nothing about what is done.
const SILENT: &[&str] = &[
    "v1", "v2", "v3", "v4", "api", "tool", "mcp", "async", "bulk", "batch", "many", "all", "multiple", "new",
    "single", "my", "the", "a", "an", "one", "by", "id",
];
/// Words that are nouns in front of what is asked about them: `order_status`, `run_id`.
const THINGS: &str = "run order charge refund payout transfer trade stake swap bid tip deposit bridge build call test deploy purchase bill \
    process request release commit comment message email note label tag branch record block group link invoice issue backup index cache \
    trace stream log query track place review report";
/// What is asked about a thing.
const STATES: &str = "status info information details detail history stats statistics metrics metric summary list result results log logs \
    count counts balance price prices pricing fee fees eligibility id ids limits usage health availability quote quotes rate rates progress \
    overview timeline state breakdown config configuration risk";
/// Words that are hardly ever nouns where they come first.
const FIRST: &str = "place set share schedule apply open export track view review scan monitor forward post lock pull push sync stage release";
const JOINTS: &[&str] = &["and", "or", "then"];

/// What a name says: the strongest of its parts.
pub(super) fn name(words: &[String]) -> Option<Reading> {
    let mut parts = words.split(|word| JOINTS.contains(&word.as_str()));
    let first = parts.next().unwrap_or_default();
    let mut found = part(first).or_else(|| nouns(first));
    let bare = first.len() == 1;
    for later in parts {
        // `create_and_run_job`, but not `get_price_and_order`.
        let acts = later.first().and_then(|word| lexicon::verb(word)).is_some_and(|verb| !verb.noun || bare);
        if let Some(reading) = part(later).filter(|_| acts || found.is_none()) {
            found = match found {
                Some(before) if !stronger(&reading, &before) => Some(before),
                _ => Some(reading),
            };
        }
    }
    found.or_else(|| glued(words))
}

/// By class, then by how sure it is.
pub(super) fn stronger(one: &Reading, other: &Reading) -> bool {
    (one.class.strength(), one.sure) > (other.class.strength(), other.sure)
}

/// One verb and its object.
fn part(words: &[String]) -> Option<Reading> {
    let at = |index: usize| {
        let word = words.get(index)?;
        // Pull and merge requests are things, and so are purchase orders.
        let next = words.get(index.saturating_add(1)).map_or("", String::as_str);
        let thing = match word.as_str() {
            "pull" | "merge" => next.starts_with("request"),
            "purchase" => next.starts_with("order"),
            _ => false,
        };
        if thing {
            return None;
        }
        words
            .get(index.saturating_add(1))
            .and_then(|next| lexicon::pair(word, next).map(|verb| (index, 2, verb)))
            .or_else(|| lexicon::verb(word).map(|verb| (index, 1, verb)))
    };
    let answers = words.len() > 1 && words.last().is_some_and(|last| lexicon::contains(STATES, last));
    let names_thing = |verb: &Verb| verb.noun && answers && lexicon::contains(THINGS, verb.word);
    // `place_stop_order`: a word that is hardly ever a noun goes before a verb in the middle.
    let first = at(0)
        .filter(|(_, _, verb)| lexicon::contains(FIRST, verb.word))
        .filter(|(_, _, verb)| !names_thing(verb));
    let ends = words.last().and_then(|last| lexicon::verb(last)).is_some_and(|verb| !verb.noun);
    // `monitor_run`, `test_run`: two nouns, of which the last acts.
    let runs = words.len() == 2 && words.last().is_some_and(|last| last == "run");
    let runs = if runs { at(1).filter(|_| at(0).is_none_or(|(_, _, verb)| verb.noun)) } else { None };
    let (index, length, verb) = first
        .filter(|_| !ends && runs.is_none())
        .or(runs)
        .or_else(|| (0..words.len()).filter_map(at).find(|(_, _, verb)| !verb.noun))
        .or_else(|| (0..words.len()).filter_map(at).find(|(_, _, verb)| !names_thing(verb)))?;
    let behind = object(words.get(index.saturating_add(length)..).unwrap_or_default());
    // `order_cancel`, `workflow_run`: the object stands in front.
    let mut object_ = if behind.is_empty() { object(words.get(..index).unwrap_or_default()) } else { behind };
    let end = object_.iter().position(|word| PREPOSITIONS.contains(&word.as_str())).unwrap_or(object_.len());
    let rest = object_.split_off(end);
    let (class, sure) = rules::resolve(&Phrase { verb, object: &object_, rest: &rest });
    let said = words.get(index..index.saturating_add(length)).unwrap_or_default().join(" ");
    let why = match object_.last() {
        Some(head) if (class, sure) != (verb.class, verb.sure) => format!("verb `{said}` with `{head}`"),
        _ => format!("verb `{said}`"),
    };
    Some(Reading { class, sure, why, verb: Some(verb), object: object_ })
}

fn object(words: &[String]) -> Vec<String> {
    let end = words
        .iter()
        .rposition(|word| !SILENT.contains(&word.as_str()))
        .map_or(0, |last| last.saturating_add(1));
    let words = words.get(..end).unwrap_or_default();
    words
        .iter()
        .skip_while(|word| SILENT.contains(&word.as_str()))
        .map(|word| tokens::singular(word).into_owned())
        .collect()
}

/// A name without a verb.
fn nouns(words: &[String]) -> Option<Reading> {
    let said = |class, sure, why| Some(Reading { class, sure, why, verb: None, object: object(words) });
    let last = words.iter().rev().find(|word| !SILENT.contains(&word.as_str()) || *word == "id")?;
    if lexicon::contains(lexicon::RUNNERS, &tokens::singular(last)) {
        return said(Execute, 76, format!("noun `{last}` runs what it is given"));
    }
    if lexicon::contains(lexicon::ANSWERS, last) {
        return said(Read, 74, format!("noun `{last}` only answers, and there is no verb"));
    }
    const FORMS: &str = "text speech csv json html pdf markdown md xml yaml toml image audio video docx doc base64 hex rgb word excel xlsx png svg \
        url voice utc unix timestamp celsius fahrenheit";
    let form = |word: &String| lexicon::contains(FORMS, &tokens::singular(word));
    if words.windows(3).any(
        |three| matches!(three, [from, to, into] if (to == "to" || to == "2") && form(from) && form(into)),
    ) {
        return said(Read, 68, "converts one form to another".to_owned());
    }
    None
}

/// A name in lower case without a mark between its words: `listfiles`.
fn glued(words: &[String]) -> Option<Reading> {
    const GLUED: [&str; 14] = [
        "get", "list", "fetch", "search", "find", "create", "update", "delete", "remove", "execute", "send",
        "upload", "describe", "query",
    ];
    let word = words.first()?;
    if let Some(verb) = lexicon::unspaced(word) {
        return Some(Reading {
            class: verb.class,
            sure: verb.sure,
            why: format!("begins with `{}`", verb.word),
            verb: Some(verb),
            object: Vec::new(),
        });
    }
    GLUED
        .iter()
        .find(|&&verb| word.strip_prefix(verb).is_some_and(|rest| rest.len() >= 4))
        .and_then(|verb| lexicon::verb(verb))
        .map(|verb| Reading {
            class: verb.class,
            sure: verb.sure.saturating_sub(14),
            why: format!("begins with the verb `{}`", verb.word),
            verb: Some(verb),
            object: Vec::new(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::risk::Class::{Destructive, Financial, Write};

    #[test]
    fn verbs_with_their_objects_give_the_class() {
        for (text, class) in [
            ("list_charges", Read),
            ("refund_eligibility", Read),
            ("run_id", Read),
            ("get_run", Read),
            ("get_execution", Read),
            ("order_status", Read),
            ("order_list", Read),
            ("text_to_speech", Read),
            ("health_check", Read),
            ("API-post-search", Read),
            ("create_access_key", Write),
            ("CreateTokenWithIAM", Write),
            ("remove_label_from_issue", Write),
            ("set_status", Write),
            ("create_payment_link", Write),
            ("slack_post_message", Write),
            ("user_update", Write),
            ("cancel_meeting", Write),
            ("remove_user_from_group", Write),
            ("check_out", Write),
            ("start_instance", Write),
            ("run_query", Execute),
            ("workflow_run", Execute),
            ("trigger_pipeline", Execute),
            ("create_and_run_job", Execute),
            ("bash", Execute),
            ("rerunWorkflow", Execute),
            ("start_job", Execute),
            ("browser_click", Execute),
            ("delete_repo", Destructive),
            ("find_and_delete", Destructive),
            ("userDelete", Destructive),
            ("remove_file", Destructive),
            ("clean_up_disk", Destructive),
            ("eliminar_usuario", Destructive),
            ("删除文件", Destructive),
            ("post_delete", Destructive),
            ("deletefiles", Destructive),
            ("create_refund", Financial),
            ("cancel_order", Financial),
            ("order_cancel_all", Financial),
            ("pay_invoice", Financial),
            ("charge_customer", Financial),
            ("finalize_invoice", Financial),
            ("confirm_payment_intent", Financial),
            ("transfer", Financial),
        ] {
            let reading = name(&tokens::words(text));
            assert_eq!(reading.as_ref().map(|one| one.class), Some(class), "{text}: {reading:?}");
        }
        for text in ["aks", "", "manifest", "poista_tiedosto", "ファイル"] {
            assert!(name(&tokens::words(text)).is_none(), "{text}");
        }
    }
}
