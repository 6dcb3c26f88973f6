//! What an input schema says.
//!
//! In: a tool's `inputSchema`. Out: its properties with their places, down to a depth, and what their names, types and members say. Follows
//! references inside the schema, each once; reads nothing else.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::Class::{self, Execute};
use super::lexicon;
use super::reading::{self, Reading};
use super::tokens;

/// How deep properties are looked for: nobody hands an agent more, and a hostile schema stops here.
const DEEPEST: usize = 12;
/// How many properties of a schema are read, and how many members of all of them.
const MOST: usize = 2_000;
/// What an argument is called that takes many things.
pub(super) const MANY: &str = "ids items records files paths names keys users emails recipients rows entities messages issues operations objects \
    documents events nodes tasks urls contacts list transfers updates arns uuids members instances orders observations relations";

/// One property, wherever it stands.
#[derive(Debug)]
pub(super) struct Property<'a> {
    /// Its words with `_` between them.
    pub(super) name: String,
    pub(super) place: String,
    /// It is a property of the arguments themselves.
    pub(super) top: bool,
    pub(super) text: &'a str,
    kinds: HashSet<&'a str>,
    members: Vec<&'a str>,
}

/// All that was read of a schema.
#[derive(Debug, Default)]
pub(super) struct Schema<'a> {
    pub(super) properties: Vec<Property<'a>>,
    /// Something was too deep or too much to be read.
    pub(super) cut: bool,
    members: usize,
}

impl<'a> Schema<'a> {
    pub(super) fn read(root: &'a Value) -> Self {
        let mut schema = Self::default();
        Walk { root, seen: HashSet::new() }.object(root, &mut String::from("/inputSchema"), 0, &mut schema);
        schema
    }

    fn named(&self, names: &str) -> impl Iterator<Item = &Property<'a>> {
        let names: Vec<&str> = names.split(' ').collect();
        self.properties.iter().filter(move |one| names.contains(&one.name.as_str()))
    }

    pub(super) fn first(&self, names: &str) -> Option<&Property<'a>> {
        self.named(names).next()
    }

    /// A flag with one of these names.
    pub(super) fn flag(&self, names: &str) -> Option<&Property<'a>> {
        self.named(names).find(|one| one.top && one.is("boolean"))
    }

    /// What says that a call brings its own code, command or statement: the property, and whether it is a query language.
    pub(super) fn program(&self) -> Option<(&Property<'a>, bool)> {
        const SQL: &str = "sql sql_query sql_statement sql_text statement statements cypher cypher_query sparql raw_sql query_sql";
        const CODE: &str = "command cmd commands code script scripts javascript js python python_code shell bash shell_command source_code code_snippet \
            bash_command cli_command kubectl_command program function lambda expression script_content js_code powershell applescript snippet";
        let free = |one: &&Property<'a>| {
            !one.is_key()
                && one.members.is_empty()
                && (one.is("string") || one.is("array") || one.kinds.is_empty())
        };
        let told = |one: &&Property<'a>| {
            let text = one.text.to_ascii_lowercase();
            one.top && free(one) && [" sql", "sql ", "cypher"].iter().any(|word| text.contains(word))
        };
        self.named(SQL)
            .find(free)
            .or_else(|| self.named("query").find(told))
            .map(|one| (one, true))
            .or_else(|| self.named(CODE).find(|one| one.top && free(one)).map(|one| (one, false)))
    }

    /// A request whose method the call chooses.
    pub(super) fn method(&self) -> Option<&Property<'a>> {
        let target = self.first("url uri endpoint path route api_path resource_path")?;
        let changes = |member: &&str| {
            matches!(member.to_ascii_uppercase().as_str(), "POST" | "PUT" | "PATCH" | "DELETE")
        };
        self.named("method http_method verb request_method").find(|one| {
            one.place != target.place
                && one.is("string")
                && (one.members.iter().any(changes)
                    || one.members.is_empty()
                        && (one.name != "method" || one.text.contains("POST") || one.text.contains("HTTP")))
        })
    }

    /// Where an answer is saved.
    pub(super) fn saves(&self) -> Option<&Property<'a>> {
        const SAVED: &str = "downloads_dir download_dir output_path save_path output_file output_dir output_directory save_to save_dir \
            output_folder download_path save_directory output_file_path save_to_file";
        const PERHAPS: &str = "filename file_name path file_path file destination output";
        let told = |one: &&Property<'a>| one.text.to_ascii_lowercase().contains("save");
        self.first(SAVED).or_else(|| self.named(PERHAPS).find(|one| one.top && told(one)))
    }

    /// An element of a page or a screen that is acted on.
    pub(super) fn element(&self) -> Option<&Property<'a>> {
        self.named("selector ref uid element xpath").find(|one| one.top && one.is("string"))
    }

    /// Something chooses what the tool does, and no list says from what.
    pub(super) fn open_choice(&self) -> Option<&Property<'a>> {
        self.named("action operation command api_operation").find(|one| one.top && one.members.is_empty())
    }

    /// Properties that choose what the tool does, with what each member says as a name. A verb alone has the tool's object.
    pub(super) fn actions(
        &self,
        object: &[String],
    ) -> impl Iterator<Item = (&Property<'a>, Vec<(&'a str, Option<Reading>)>)> {
        let read = |member: &str| {
            let mut words = tokens::words(member);
            if words.len() == 1 {
                words.extend_from_slice(object);
            }
            reading::name(&words)
        };
        self.properties
            .iter()
            .filter(|one| one.chooses())
            .map(move |one| (one, one.members.iter().map(|member| (*member, read(member))).collect()))
    }

    /// Property that takes many things at once.
    pub(super) fn batch(&self) -> Option<&Property<'a>> {
        self.properties.iter().find(|one| one.top && one.is("array") && lexicon::contains(MANY, one.last()))
    }

    /// How many properties are such that a question has: pages, filters, sorting.
    pub(super) fn questions(&self) -> usize {
        const ASKED: &str = "limit page cursor offset per_page page_size max_results query filter sort filters sort_by order_by start_date end_date fields top_k \
            q since until from_date to_date max_items num_results next_token page_token keyword keywords search search_query search_term";
        self.named(ASKED).filter(|one| one.top).count()
    }
}

impl<'a> Property<'a> {
    /// The last word of its name.
    fn last(&self) -> &str {
        self.name.rsplit('_').next().unwrap_or_default()
    }

    pub(super) fn is(&self, kind: &str) -> bool {
        self.kinds.contains(kind)
    }

    /// `code` that opens a door or names a thing, such as an authorization code.
    fn is_key(&self) -> bool {
        let text = self.text.to_ascii_lowercase();
        [
            "authorization",
            "oauth",
            "verification",
            "country",
            "currency",
            "coupon",
            "language code",
            "one-time",
            "error code",
        ]
        .iter()
        .any(|word| text.contains(word))
    }

    /// `action: create | delete`.
    fn chooses(&self) -> bool {
        const CHOOSERS: [&str; 9] =
            ["action", "operation", "op", "command", "subcommand", "verb", "mode", "method", "cmd"];
        const REQUESTS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
        CHOOSERS.contains(&self.last()) && !self.members.iter().all(|member| REQUESTS.contains(member))
    }

    /// The property's own text says that its value is run.
    pub(super) fn is_run(&self) -> bool {
        let text = self.text.to_ascii_lowercase();
        ["to execute", "to run", "to be executed", "to evaluate", "will be executed", "to invoke"]
            .iter()
            .any(|phrase| text.contains(phrase))
    }
}

struct Walk<'a> {
    root: &'a Value,
    seen: HashSet<&'a str>,
}

impl<'a> Walk<'a> {
    /// What a reference inside the schema leads to, each once.
    fn target(&mut self, reference: &'a str) -> Option<&'a Value> {
        let pointer = reference.strip_prefix('#')?;
        self.seen.insert(reference).then(|| self.root.pointer(pointer)).flatten()
    }

    /// The properties of a schema, of its branches and of what it refers to.
    fn object(&mut self, at: &'a Value, place: &mut String, depth: usize, schema: &mut Schema<'a>) {
        let Some(map) = at.as_object() else { return };
        if depth > DEEPEST || schema.properties.len() >= MOST {
            schema.cut = true;
            return;
        }
        let deeper = depth.saturating_add(1);
        if let Some(target) = map.get("$ref").and_then(Value::as_str).and_then(|name| self.target(name)) {
            self.object(target, place, deeper, schema);
        }
        for key in ["anyOf", "oneOf", "allOf", "prefixItems"] {
            for branch in map.get(key).and_then(Value::as_array).into_iter().flatten() {
                self.object(branch, place, deeper, schema);
            }
        }
        for key in ["items", "additionalProperties", "then", "else"] {
            if let Some(inner) = map.get(key) {
                self.object(inner, place, deeper, schema);
            }
        }
        let Some(properties) = map.get("properties").and_then(Value::as_object) else { return };
        for (name, inner) in properties {
            let length = place.len();
            place.push_str("/properties/");
            place.push_str(&name.replace('~', "~0").replace('/', "~1"));
            self.property(name, inner, place, deeper, schema);
            place.truncate(length);
        }
    }

    fn property(
        &mut self,
        name: &'a str,
        at: &'a Value,
        place: &mut String,
        depth: usize,
        schema: &mut Schema<'a>,
    ) {
        let mut one = Property {
            name: tokens::words(name).join("_"),
            place: super::quote::place(place),
            top: depth <= 2,
            text: at.get("description").and_then(Value::as_str).unwrap_or_default(),
            kinds: HashSet::new(),
            members: Vec::new(),
        };
        let mut hops = HashSet::new();
        self.shape(at, &mut one, &mut hops, 0, schema);
        schema.members = schema.members.saturating_add(one.members.len());
        schema.properties.push(one);
        self.object(at, place, depth, schema);
    }

    /// The types and members of a property, through references and branches.
    fn shape(
        &self,
        at: &'a Value,
        one: &mut Property<'a>,
        hops: &mut HashSet<&'a str>,
        depth: usize,
        schema: &mut Schema<'a>,
    ) {
        let Some(map) = at.as_object() else { return };
        if depth > 4 || hops.len() > 8 {
            schema.cut = true;
            return;
        }
        kinds(map, one);
        let members = map
            .get("enum")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .chain(map.get("const"))
            .filter_map(Value::as_str);
        for member in members {
            if schema.members.saturating_add(one.members.len()) >= MOST {
                schema.cut = true;
                break;
            }
            if !one.members.contains(&member) || one.members.len() > 64 {
                one.members.push(member);
            }
        }
        if let Some(reference) = map.get("$ref").and_then(Value::as_str)
            && hops.insert(reference)
            && let Some(target) = reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer))
        {
            self.shape(target, one, hops, depth.saturating_add(1), schema);
        }
        for key in ["anyOf", "oneOf", "allOf"] {
            for branch in map.get(key).and_then(Value::as_array).into_iter().flatten() {
                self.shape(branch, one, hops, depth.saturating_add(1), schema);
            }
        }
        // `actions: [create, delete]`.
        if one.is("array")
            && let Some(items) = map.get("items").filter(|items| items.get("enum").is_some())
        {
            self.shape(items, one, hops, depth.saturating_add(1), schema);
        }
    }
}

fn kinds<'a>(map: &'a Map<String, Value>, one: &mut Property<'a>) {
    match map.get("type") {
        Some(Value::String(kind)) => {
            one.kinds.insert(kind);
        }
        Some(Value::Array(kinds)) => one.kinds.extend(kinds.iter().filter_map(Value::as_str)),
        _ => {}
    }
}

/// The strongest member of a choice, and whether another one only reads or does less.
pub(super) fn strongest(members: &[(&str, Option<Reading>)]) -> Option<(Class, String, bool)> {
    let known =
        || members.iter().filter_map(|(member, reading)| reading.as_ref().map(|reading| (*member, reading)));
    let (member, top) = known().max_by_key(|(_, reading)| (reading.class.strength(), reading.sure))?;
    let several = known().any(|(_, reading)| reading.class.strength() < top.class.strength());
    // A word that means running only with an object is not enough by itself.
    (top.class != Execute || top.sure >= 72).then(|| (top.class, member.to_owned(), several))
}
