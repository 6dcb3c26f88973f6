//! What nouns make of a verb, as data.
//!
//! In: a verb and the words around it. Out: the class of the two together, and how surely. The first rule that fits decides.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::Class::{self, Destructive, Execute, Financial, Read, Write};
use super::lexicon::{Verb, contains};

/// A verb with its object: `remove` `label` (`from` `issue`).
#[derive(Debug)]
pub(super) struct Phrase<'a> {
    pub(super) verb: Verb,
    /// The words of the object in the singular, its head last. Ends before the first preposition.
    pub(super) object: &'a [String],
    /// The words from the first preposition on.
    pub(super) rest: &'a [String],
}

struct Rule {
    verbs: &'static str,
    place: Place,
    /// Empty: any. `work+order` are two words that stand next to each other.
    nouns: &'static str,
    class: Class,
    sure: u8,
}

#[derive(Clone, Copy)]
enum Place {
    /// The object's last word.
    Head,
    /// Any word of the object.
    Object,
    /// The object's or the rest's.
    Any,
    /// The first word from a preposition on.
    Preposition,
    /// There is no object.
    Nothing,
}

use Place::{Any, Head, Nothing, Object, Preposition};

const fn rule(verbs: &'static str, place: Place, nouns: &'static str, class: Class, sure: u8) -> Rule {
    Rule { verbs, place, nouns, class, sure }
}

/// What binds somebody to pay.
const BOUGHT: &str = "payment refund payout transfer charge order trade purchase subscription bid bet wager settlement payroll swap stake tip donation \
    withdrawal deposit reimbursement checkout escrow dca payment+intent order+list order+group";
/// What moves when it is sent.
const MONEY: &str = "money fund payment payout transaction invoice tip eth btc sol usdc usdt crypto ether bitcoin coin lamport token \
    sol wei dollar cash donation credit tx transfer stablecoin asset reward sat satoshi lightning bnb xrp matic avax nft";
/// What acts on its own once it is set off.
const PROGRAM: &str = "workflow pipeline job build function lambda agent container terraform script execution dag run playbook command \
    code program test cell macro sandbox automation action crew task notebook simulation migration spider actor bot \
    suite deployment cron subagent statement sql python javascript js shell scan experiment benchmark process crawl";
/// Languages whose queries change nothing.
const QUERIES: &str = "promql logql kql jql soql sosl traceql xpath regex jsonpath esql instant insight search lucene select \
    report check lookup health healthcheck audit analysis diagnostic lighthouse readonly explain";
/// Languages whose queries may change data.
const FREE: &str = "sql cypher graphql gql sparql mongodb mongo gremlin psql mysql postgres postgresql sqlite snowflake bigquery duckdb \
    clickhouse athena plsql tsql dml ddl statement";
/// Sets from which a member can be taken and put back.
const MEMBERS: &str = "label tag reaction member assignee reviewer collaborator participant attendee follower watcher favorite bookmark \
    star pin subscriber item_from association relationship relation assignment link dependency blocker vote watch";
/// What only the session has.
const SESSION: &str = "session context selection filter highlight viewport zoom view tab focus breakpoint cursor mode \
    device location geolocation theme emulation throttling route working workdir cwd";

const RULES: &[Rule] = &[
    // Reading what is named like an act.
    rule("take capture grab make save", Object, "screenshot snapshot", Read, 84),
    rule("run execute perform query exec", Object, QUERIES, Read, 76),
    rule("run execute perform", Object, "query", Execute, 72),
    rule("query", Object, FREE, Execute, 68),
    rule("post", Head, "search query", Read, 80),
    rule("get list fetch read show view describe", Nothing, "", Read, 76),
    rule("check", Preposition, "in out", Write, 70),
    rule("convert", Any, "currency", Read, 88),
    rule("test", Object, "connection connectivity regex pattern", Read, 82),
    rule("test run execute", Object, "test spec suite", Execute, 80),
    rule(
        "resolve",
        Object,
        "comment thread conversation issue alert incident ticket conflict discussion dispute",
        Write,
        80,
    ),
    rule("resolve", Any, "", Read, 80),
    rule("generate create", Object, "embedding", Read, 70),
    rule(
        "evaluate eval",
        Object,
        "model response answer expression formula prompt output quality performance",
        Read,
        64,
    ),
    rule("load", Any, "", Read, 64),
    rule("start", Object, "research thinking analysis", Read, 62),
    // Money.
    rule(
        "create update add complete start stop submit close make",
        Object,
        "work+order job+order",
        Write,
        82,
    ),
    rule("set update change modify", Object, "subscription+status", Financial, 74),
    rule(
        "set add place update create modify change amend cancel remove",
        Object,
        "stop+loss take+profit tp sl oco bracket",
        Financial,
        74,
    ),
    rule(
        "add release claim lock unlock adjust",
        Head,
        "escrow fund reward fee margin collateral milestone airdrop",
        Financial,
        74,
    ),
    rule("test", Head, "payment", Financial, 64),
    rule("register", Object, "domain", Financial, 66),
    rule(
        "create update cancel renew resume pause",
        Object,
        "message event webhook topic notification newsletter alert",
        Write,
        84,
    ),
    rule("exercise", Object, "option right warrant", Financial, 80),
    rule(
        "create make place submit modify update change amend replace cancel execute confirm capture process initiate issue send \
        approve complete request add edit close open renew start resume reverse settle increase decrease put set accept sign finish finalize collect authorize schedule retry attempt amend",
        Head,
        BOUGHT,
        Financial,
        86,
    ),
    rule(
        "cancel pause resume update upgrade downgrade change renew create start activate deactivate suspend enable disable extend",
        Head,
        "subscription plan membership",
        Financial,
        80,
    ),
    rule("send submit broadcast transfer move withdraw deposit sign", Head, MONEY, Financial, 78),
    rule("finalize send pay email", Object, "invoice", Financial, 90),
    rule(
        "transfer",
        Object,
        "ownership file repository repo issue call domain project owner conversation chat ticket data",
        Write,
        76,
    ),
    rule("swap", Object, "slot staging deployment environment face item element", Write, 66),
    rule("deposit bridge tip bid order bill settle", Nothing, "", Financial, 74),
    rule(
        "book",
        Object,
        "flight hotel trip ticket room reservation restaurant ride stay cab taxi tour seat",
        Financial,
        76,
    ),
    rule("open close reduce modify adjust", Head, "trade position order short long", Financial, 84),
    rule("post", Head, "order trade", Financial, 74),
    rule("add remove provide withdraw", Head, "liquidity", Financial, 78),
    rule("subscribe", Any, "plan premium paid", Financial, 74),
    rule("buy purchase", Any, "", Financial, 90),
    rule("void", Object, "invoice payment charge order", Financial, 64),
    rule("exchange", Object, "currency token coin fund", Financial, 70),
    rule("wrap unwrap", Object, "eth weth sol wsol bnb token", Financial, 66),
    rule("mint", Object, "nft token", Write, 60),
    rule("convert", Object, "fund asset coin dust trade", Financial, 74),
    rule("checkout", Object, "cart basket order", Financial, 74),
    rule("format", Object, "disk drive volume partition", Destructive, 84),
    rule("delegate", Object, "token stake sol eth atom coin", Financial, 76),
    rule("renew", Object, "domain", Financial, 70),
    rule("write", Object, FREE, Execute, 76),
    rule("simulate emulate move", Object, "click key keypress keyboard mouse touch", Execute, 74),
    rule("request", Object, "http", Execute, 74),
    rule("query", Object, "raw", Execute, 70),
    rule("send", Object, "terminal shell console", Execute, 72),
    // Setting off what acts on its own.
    rule("create", Head, "run execution build", Execute, 66),
    rule("run", Object, "payroll", Financial, 76),
    rule("run", Nothing, "", Execute, 84),
    rule("run", Any, "", Execute, 80),
    rule(
        "start trigger dispatch launch resume retry restart rerun kick begin initiate submit call queue enqueue",
        Head,
        PROGRAM,
        Execute,
        76,
    ),
    rule("restart retry", Any, "workflow pipeline job build run", Execute, 74),
    rule("apply", Object, "terraform plan playbook", Execute, 74),
    rule("process", Any, "", Write, 60),
    rule("build", Object, "url link query uri filter prompt", Read, 66),
    rule("type", Object, "text", Execute, 80),
    rule("type", Nothing, "", Execute, 78),
    rule("select", Object, "option dropdown", Execute, 80),
    rule("press", Any, "", Execute, 86),
    rule("handle", Object, "dialog", Execute, 72),
    rule(
        "send",
        Object,
        "key keystroke keypress keyevent keycode input keyboard command request http",
        Execute,
        74,
    ),
    rule("send make perform issue", Object, "request http", Execute, 74),
    rule("create", Object, "fork branch", Write, 90),
    // Taking away.
    rule("remove", Head, MEMBERS, Write, 76),
    rule("remove", Object, "related link suppression favourite watchlist playlist subtask", Write, 72),
    rule("remove", Preposition, "from", Write, 74),
    rule("remove", Object, "background noise whitespace duplicate watermark", Write, 64),
    rule("remove", Any, "", Destructive, 76),
    rule("clear reset", Object, SESSION, Write, 72),
    rule("reset", Object, "password mfa", Write, 76),
    rule("clear", Object, "cache", Write, 66),
    rule("clear", Any, "", Destructive, 72),
    rule("empty", Object, "trash bin folder bucket queue", Destructive, 86),
    rule("cancel", Any, "", Write, 74),
    rule("rotate", Object, "key secret token credential password", Destructive, 64),
    rule("flush", Object, "buffer log", Write, 62),
    rule("evict drain", Any, "", Destructive, 66),
];

impl Rule {
    fn fits(&self, phrase: &Phrase<'_>) -> bool {
        let pairs = self.nouns.contains('+');
        let pair = |two: &[String]| {
            pairs
                && matches!(two, [one, other]
                    if self.nouns.split(' ').any(|noun| noun.split_once('+') == Some((one, other))))
        };
        let any = |words: &[String]| {
            words.iter().any(|word| contains(self.nouns, word)) || words.windows(2).any(pair)
        };
        let head = |words: &[String]| {
            words.last().is_some_and(|head| contains(self.nouns, head))
                || words.rchunks(2).next().is_some_and(pair)
        };
        match self.place {
            Place::Head => head(phrase.object),
            Place::Object => any(phrase.object),
            Place::Any => self.nouns.is_empty() || any(phrase.object) || any(phrase.rest),
            Place::Preposition => phrase.rest.first().is_some_and(|word| contains(self.nouns, word)),
            Place::Nothing => phrase.object.is_empty(),
        }
    }
}

/// The rules of each verb, in their order.
fn by_verb() -> &'static HashMap<&'static str, Vec<&'static Rule>> {
    static TABLE: OnceLock<HashMap<&'static str, Vec<&'static Rule>>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut table: HashMap<_, Vec<_>> = HashMap::new();
        for rule in RULES {
            for verb in rule.verbs.split_whitespace() {
                table.entry(verb).or_default().push(rule);
            }
        }
        table
    })
}

/// The class of a verb with its object, and how sure that is, of 100.
pub(super) fn resolve(phrase: &Phrase<'_>) -> (Class, u8) {
    by_verb()
        .get(phrase.verb.word)
        .and_then(|rules| rules.iter().find(|rule| rule.fits(phrase)))
        .map_or((phrase.verb.class, phrase.verb.sure), |rule| (rule.class, rule.sure))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_verb_of_a_rule_is_known() {
        for verb in RULES.iter().flat_map(|rule| rule.verbs.split_whitespace()) {
            assert!(super::super::lexicon::verb(verb).is_some(), "{verb}");
        }
    }
}
